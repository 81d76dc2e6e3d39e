"""The pictures of rows, opened again for people to look at."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tasks.inputs import open_inputs, printable
from tasks.reading_report import Sample
from tasks.samples import opened, opened_again
from tests.bars import bar, encoded


def samples_of(folder: Path, *rows: dict[str, Any]) -> list[Sample]:
    """Return the samples of rows, of which only what differs is given."""
    same = {"page": 0, "status": "read", "reason": "ok", "digit": 3, "confidence": 1.0}
    return opened((same | row for row in rows), open_inputs(str(folder)))


def test_a_sample_is_the_canonical_form_of_its_page(tmp_path: Path) -> None:
    pages = encoded(bar(1), "TIFF", save_all=True, append_images=[Image.fromarray(bar(8))])
    (tmp_path / "pages.tif").write_bytes(pages)
    row = {"path": "pages.tif", "page": 1, "digit": 8, "status": "review", "confidence": 0.5}
    [sample] = samples_of(tmp_path, row)
    assert np.array_equal(sample.picture, bar(8))
    assert (sample.path, sample.digit, sample.status) == ("pages.tif", 8, "review")


def test_what_has_gone_or_changed_since_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "here.png").write_bytes(encoded(bar(3)))
    (tmp_path / "changed.png").write_text("no picture any more")
    rows: list[dict[str, Any]] = [
        {"path": "here.png"},
        {"path": "gone.png"},
        {"path": "changed.png"},
        {"path": "here.png", "page": 1},
    ]
    assert [sample.path for sample in samples_of(tmp_path, *rows)] == ["here.png"]


def test_files_are_found_by_the_names_in_their_rows(tmp_path: Path) -> None:
    names = [b"caf\xe9.png", rb"caf\xe9.png", "café.png".encode(), b"line\nfeed.png", b"back\\"]
    for digit, name in enumerate(names):
        (tmp_path / os.fsdecode(name)).write_bytes(encoded(bar(digit)))
    samples = samples_of(tmp_path, *({"path": printable(name)} for name in names))
    for digit, (sample, name) in enumerate(zip(samples, names, strict=True)):
        assert (sample.path, sample.picture.tolist()) == (printable(name), bar(digit).tolist())


def test_a_page_is_opened_again_as_it_is(tmp_path: Path) -> None:
    picture = np.arange(300, dtype=np.uint32).astype(np.uint8).reshape(10, 10, 3)
    (tmp_path / "colour.png").write_bytes(encoded(picture))
    inputs = open_inputs(str(tmp_path))
    again = opened_again(inputs, b"colour.png", 0)
    assert again
    assert np.array_equal(again.pixels, picture)
    assert (again.width, again.height) == (10, 10)
    assert opened_again(inputs, b"colour.png", 1) is None
    assert opened_again(inputs, b"gone.png", 0) is None
