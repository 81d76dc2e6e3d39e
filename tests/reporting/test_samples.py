"""The pictures of rows, opened again for people to look at."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.device import cpu
from tasks.inference.model_file import model_in
from tasks.inference.worker import WorkerStart
from tasks.inference.worker_pool import WorkerPool
from tasks.inputs.base import Content, printable
from tasks.inputs.local import Folder
from tasks.inputs.open import open_inputs
from tasks.inputs.path_filter import PathFilter
from tasks.processes.page_process import DecodedPage
from tasks.reporting.reading_report import Sample
from tasks.reporting.samples import SHOWN_OF_A_REASON, load_rejected, load_samples, pages_at
from tasks.results.picture_row import PictureRow
from tests.bars import bar, encoded
from tests.deadly import CRASH, HANG, InMemory

pytestmark = pytest.mark.processes


class Opened(Folder):
    """A folder that writes down which of its files are read."""

    def __init__(self, root: str) -> None:
        """Take the folder."""
        super().__init__(Path(root), PathFilter((), ()))

    def read(self, path: bytes) -> Content:
        """Return a file."""
        with Path(self.root, "opened").open("a") as names:
            names.write(os.fsdecode(path) + "\n")
        return super().read(path)


BLANK = PictureRow("", "", 0, "read", "ok", detail=None, digit=3, confidence=1.0)


def samples_of(folder: Path, *rows: dict[str, Any]) -> list[Sample]:
    """Return the samples of rows, of which only what differs is given."""
    return load_samples([replace(BLANK, **row) for row in rows], open_inputs(str(folder))).shown


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
    given = [replace(BLANK, **row) for row in rows]
    unshown = load_samples(given, open_inputs(str(tmp_path))).unshown
    assert [(each.path, each.page) for each in unshown] == [
        ("gone.png", 0),
        ("changed.png", 0),
        ("here.png", 1),
    ]


def test_files_are_found_by_the_names_in_their_rows(tmp_path: Path) -> None:
    names = [b"caf\xe9.png", rb"caf\xe9.png", "café.png".encode(), b"line\nfeed.png", b"back\\"]
    for digit, name in enumerate(names):
        (tmp_path / os.fsdecode(name)).write_bytes(encoded(bar(digit)))
    samples = samples_of(tmp_path, *({"path": printable(name)} for name in names))
    for digit, (sample, name) in enumerate(zip(samples, names, strict=True)):
        assert (sample.path, sample.picture.tolist()) == (printable(name), bar(digit).tolist())


def test_a_page_is_shown_with_its_size_and_a_small_original(tmp_path: Path) -> None:
    picture = np.full((300, 600, 3), (250, 0, 0), np.uint8)
    (tmp_path / "colour.png").write_bytes(encoded(picture))
    inputs = open_inputs(str(tmp_path))
    [page] = pages_at(inputs, [(b"colour.png", 0)], thumbnails=True)
    assert isinstance(page, DecodedPage)
    assert (page.width, page.height) == (600, 300)
    assert page.thumbnail is not None
    assert page.thumbnail.shape == (72, 144, 3)
    assert page.thumbnail[9, 9].tolist() == [0, 0, 250]
    assert pages_at(inputs, [(b"colour.png", 1), (b"gone.png", 0)]) == [
        "the file has no such page any more",
        AnyOf("vanished"),
    ]


def test_rejects_are_shown_one_picture_a_file_and_listed_page_by_page(tmp_path: Path) -> None:
    pages = encoded(bar(1), "TIFF", save_all=True, append_images=[Image.fromarray(bar(8))])
    (tmp_path / "pages.tif").write_bytes(pages)
    for number in range(SHOWN_OF_A_REASON):
        (tmp_path / f"{number}.png").write_bytes(encoded(bar(number)))
    row = replace(BLANK, status="rejected", reason="blank", digit=None, kind="clean")
    rows = [replace(row, path="pages.tif", page=page) for page in (1, 0)]
    rows += [replace(row, path=f"{number}.png") for number in range(SHOWN_OF_A_REASON)]
    broken = replace(row, path="gone.png", reason="truncated", detail="ends", kind=None)
    by_reason = {"blank": rows, "truncated": [broken]}
    found = load_rejected(by_reason, open_inputs(str(tmp_path)))
    assert len(found) == len(rows) + 1
    shown = [(page.path, page.page) for page in found if page.picture is not None]
    assert shown == [(f"{number}.png", 0) for number in range(SHOWN_OF_A_REASON)]
    found = load_rejected({"blank": rows[:2]}, open_inputs(str(tmp_path)))
    assert [(page.page, page.picture is None) for page in found] == [(0, False), (1, True)]


class AnyOf(str):
    """Equals any text that begins so."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Compare the beginnings."""
        return isinstance(other, str) and other.startswith(str(self))

    __hash__ = str.__hash__


def test_a_file_is_decoded_once_for_all_of_its_pages(tmp_path: Path) -> None:
    more = [Image.fromarray(bar(digit)) for digit in range(1, 10)]
    (tmp_path / "many.tif").write_bytes(encoded(bar(0), "TIFF", save_all=True, append_images=more))
    opened_files = Opened(str(tmp_path))
    pages = pages_at(opened_files, [(b"many.tif", page) for page in (7, 2, 9)])
    assert [page.form.tolist() for page in pages if isinstance(page, DecodedPage)] == [
        bar(digit).tolist() for digit in (7, 2, 9)
    ]
    assert (tmp_path / "opened").read_text() == "many.tif\n"


def test_workers_of_a_reading_that_have_just_started_decode_pages_and_are_given_back(
    tmp_path: Path, model_file: Path
) -> None:
    (tmp_path / "3.png").write_bytes(encoded(bar(3)))
    inputs = open_inputs(str(tmp_path))
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), 600)) as workers:
        [started] = workers.pids()
        for _ in "twice":
            [page] = pages_at(inputs, [(b"3.png", 0)], acquire=workers.acquire)
            assert isinstance(page, DecodedPage)
        assert workers.pids() == [started]


@pytest.mark.slow
def test_files_that_end_or_keep_their_decoder_are_not_shown_and_the_others_are() -> None:
    files = {b"a.png": encoded(bar(1)), b"b": CRASH, b"c.png": encoded(bar(3)), b"d": HANG}
    inputs = InMemory("memory", files | {b"e.png": encoded(bar(5))})
    places = [(path, 0) for path in inputs.files]
    shown = pages_at(inputs, places, page_seconds=2, seconds=60)
    assert [isinstance(page, DecodedPage) for page in shown] == [True, False, True, False, True]
    assert str(shown[1]).startswith("decoder_crashed")
    assert str(shown[3]).startswith("decoder_timeout")


def test_all_pictures_together_take_no_longer_than_they_may() -> None:
    inputs = InMemory("memory", {b"a": HANG, b"b.png": encoded(bar(3))})
    start = time.monotonic()
    shown = pages_at(inputs, [(b"a", 0), (b"b.png", 0)], page_seconds=600, seconds=1)
    assert time.monotonic() - start < 60
    assert shown == [AnyOf("there was no time left of 1 s")] * 2


class Deadly(InMemory):
    """Inputs at which a process ends before it is at work on any file."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in a process."""
        os.abort()


def test_a_report_without_any_picture_goes_on() -> None:
    [why] = pages_at(Deadly("memory", {b"a": encoded(bar(1))}), [(b"a", 0)])
    assert "SIGABRT" in str(why)
