"""A preview is spread over the folder, and shows what the model sees."""

from pathlib import Path

import numpy as np
import pytest

from tasks.imaging.form import Ink, in_words
from tasks.inputs.listing import discover
from tasks.inputs.open import open_inputs
from tasks.metrics.promise import promise_for
from tasks.processes.page_process import DecodedPage
from tasks.reporting.document import to_html
from tasks.reporting.preview import Preview, evenly_spaced, preview_report
from tasks.results.picture_row import PictureRow
from tests.bars import BAR_CALIBRATION, bar


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


def test_a_picture_that_can_be_seen_in_two_ways_is_shown_in_both_with_the_doubt() -> None:
    row = PictureRow("/in", "four.png", 0, "review", "ambiguous", in_words("lines,edge"), 4, 0.55)
    ink = Ink("dark_on_light", contrast=99, box=(1, 2, 3, 4), doubts="lines,edge")
    seen = DecodedPage(bar(4), ink, 90, 80, np.zeros((8, 9, 3), np.uint8), (bar(1), bar(7)))
    outcomes = {"read": 0, "review": 1, "rejected": 0}
    promise = promise_for(0.005, BAR_CALIBRATION.curves)
    preview = Preview("/in", 1, 1, outcomes, promise.whole, promise.sentence(), "v1", "report.html")
    page = to_html(preview_report(preview, [row], {0: seen}))
    assert page.count("or seen so") == 2
    assert "ambiguous: lines, edge" in page
    assert "a stroke, or a printed line; ink at the edge is the digit" in page
