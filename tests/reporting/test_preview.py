"""A preview is spread over the folder."""

from pathlib import Path

import numpy as np
import pytest

from tasks.inputs.listing import discover
from tasks.inputs.open import open_inputs
from tasks.reporting.preview import evenly_spaced


@pytest.mark.parametrize("limit", [1, 3, 7, 100, 999])
def test_a_limit_spreads_over_the_whole_folder(tmp_path: Path, limit: int) -> None:
    (tmp_path / "in").mkdir()
    for number in range(100):
        (tmp_path / "in" / f"{number:02}").touch()
    listing = discover(open_inputs(str(tmp_path / "in")), tmp_path / "listing.parquet")
    places = [int(entry.path) for entry in evenly_spaced(listing, limit)]
    assert len(places) == min(limit, 100)
    assert places == sorted(set(places))
    assert max(np.diff([*places, 100])) <= -(-100 // limit)
