"""A preview is spread over the folder, and its originals show whatever they are drawn with."""

from pathlib import Path

import numpy as np
import pytest

from tasks.imaging.thumbnail import SIDE, thumbnail
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


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((28, 28), (28, 28, 3)),
        ((300, 600), (72, 144, 3)),
        ((3000, 1000, 3), (144, 48, 3)),
        ((5000, 1, 4), (144, 1, 3)),
    ],
)
def test_a_thumbnail_is_small_and_has_the_shape_of_the_original(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    found = thumbnail(np.full(shape, 200, np.uint8))
    assert (found.shape, found.dtype) == (expected, np.uint8)
    assert max(found.shape) <= SIDE


def test_a_thumbnail_keeps_its_colours_and_shows_black_and_white_ink_on_nothing() -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 250
    assert thumbnail(red)[0, 0].tolist() == [0, 0, 250]
    clear = np.zeros((1, 3, 4), np.uint8)
    clear[0, 0], clear[0, 1] = (0, 0, 0, 255), (255, 255, 255, 255)
    black, white, none = thumbnail(clear)[0, :, 0].astype(int)
    assert (black, white) == (0, 255)
    assert min(none - black, white - none) > 50
