"""The pictures that a person gets to see: the doubtful ones, and some from everywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tasks.samples import EVENLY_SPREAD, LEAST_SURE, choose_samples
from tests.bars import bar, encoded


def rows_of(*rows: dict[str, Any]) -> pa.Table:
    """Return rows of the results table, of which only what differs is given."""
    columns = pa.schema(
        {
            "path": pa.string(),
            "page": pa.int16(),
            "status": pa.string(),
            "reason": pa.string(),
            "digit": pa.int8(),
            "confidence": pa.float32(),
        }
    )
    same = {"page": 0, "status": "read", "reason": "ok", "digit": 3, "confidence": 1.0}
    return pa.Table.from_pylist([same | row for row in rows], columns)


def test_the_least_sure_and_some_of_the_whole_run_are_chosen_each_once(tmp_path: Path) -> None:
    picture = encoded(bar(3))
    rows = []
    for number in range(500):
        (tmp_path / f"{number:03}.png").write_bytes(picture)
        rows.append({"path": f"{number:03}.png", "confidence": 1 - number / 1000})
    chosen = [sample.path for sample in choose_samples(rows_of(*rows), tmp_path)]
    assert {f"{number:03}.png" for number in range(500 - LEAST_SURE, 500)} <= set(chosen)
    assert len(set(chosen)) == len(chosen) <= LEAST_SURE + EVENLY_SPREAD
    assert {number // 100 for number in map(int, (path[:3] for path in chosen))} == set(range(5))


def test_a_sample_is_the_canonical_form_of_its_page(tmp_path: Path) -> None:
    pages = encoded(bar(1), "TIFF", save_all=True, append_images=[Image.fromarray(bar(8))])
    (tmp_path / "pages.tif").write_bytes(pages)
    row = {"path": "pages.tif", "page": 1, "digit": 8, "status": "review", "confidence": 0.5}
    [sample] = choose_samples(rows_of(row), tmp_path)
    assert np.array_equal(sample.picture, bar(8))
    assert (sample.path, sample.digit, sample.status) == ("pages.tif", 8, "review")


def test_what_has_gone_or_changed_since_and_what_was_rejected_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "here.png").write_bytes(encoded(bar(3)))
    (tmp_path / "changed.png").write_text("no picture any more")
    rejected = {"path": "here.png", "status": "rejected", "digit": None, "confidence": None}
    rows = rows_of({"path": "here.png"}, {"path": "gone.png"}, {"path": "changed.png"}, rejected)
    assert [sample.path for sample in choose_samples(rows, tmp_path)] == ["here.png"]


def test_a_run_without_rows_has_no_samples(tmp_path: Path) -> None:
    assert choose_samples(rows_of(), tmp_path) == []
