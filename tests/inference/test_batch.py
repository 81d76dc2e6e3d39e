"""Every file of a batch has its row, whatever it is."""

import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tasks.decoding import png_batch
from tasks.decoding.limits import MAX_PIXELS
from tasks.device import cpu
from tasks.inference import batch as batch_module
from tasks.inference.batch import NoWatchdog, ReadPlan, read_chunks
from tasks.inference.decision import Thresholds
from tasks.inference.model_file import model_in
from tasks.inference.session import ModelSession
from tasks.inputs.listing import discover, entries_of
from tasks.inputs.open import open_inputs
from tasks.outcomes import MAX_BYTES, Reason, Status, Undecodable
from tasks.results.schema import PROBABILITIES, SCHEMA
from tests.bars import bar, encoded, save_bar_model
from tests.helpers import read_batch

SURE = Thresholds(0.8, 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder for pictures."""
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def session(model_file: Path) -> ModelSession:
    """Return the reader of bars."""
    return ModelSession(model_in(model_file), cpu())


def rows_of(
    folder: Path, session: ModelSession, thresholds: Thresholds = SURE
) -> list[dict[str, Any]]:
    """Return the rows of everything in a folder, as it was listed before it vanished."""
    file = folder.parent / "listing.parquet"
    inputs = open_inputs(str(folder))
    listing = discover(inputs, file)
    for name in folder.glob("*vanishing*"):
        name.unlink()
    plan = ReadPlan("run", inputs, thresholds)
    batch = read_batch(plan, entries_of(file, 0, listing.count), session)
    assert batch.rows.schema == SCHEMA
    assert len(batch.pages) == batch.rows.num_rows
    rows: list[dict[str, Any]] = batch.rows.to_pylist()
    return rows


def test_a_picture_is_a_row_with_its_digit_and_the_facts_of_its_file(
    folder: Path, session: ModelSession
) -> None:
    content = encoded(bar(7))
    (folder / "seven.png").write_bytes(content)
    [row] = rows_of(folder, session)
    facts = (folder / "seven.png").stat()
    expected = {
        "root": str(folder),
        "path": "seven.png",
        "page": 0,
        "size": len(content),
        "mtime_ns": facts.st_mtime_ns,
        "content_hash": hashlib.sha256(content).hexdigest(),
        "status": Status.READ,
        "reason": Reason.OK,
        "detail": None,
        "digit": 7,
        "confidence": row["p7"],
        "model_version": session.version,
        "run_id": "run",
    }
    assert {name: row[name] for name in expected} == expected
    assert row["p7"] > 0.9
    assert sum(row[name] for name in PROBABILITIES) == pytest.approx(1, abs=1e-5)
    assert (row["ink"]["left"], row["ink"]["width"]) == (6, 16)


def test_an_unsure_answer_goes_to_review_with_its_digit(
    folder: Path, session: ModelSession
) -> None:
    (folder / "between.png").write_bytes(encoded(bar(3.5)))
    [row] = rows_of(folder, session)
    assert (row["status"], row["reason"]) == (Status.REVIEW, Reason.LOW_CONFIDENCE)
    assert row["digit"] in (3, 4)
    assert row["confidence"] == pytest.approx(0.5, abs=0.01)


def test_what_is_sure_enough_is_a_setting(folder: Path, session: ModelSession) -> None:
    (folder / "between.png").write_bytes(encoded(bar(3.5)))
    [row] = rows_of(folder, session, Thresholds(0.4))
    assert row["status"] == Status.READ


def test_what_is_no_digit_is_rejected_with_its_score_and_without_an_answer(
    folder: Path, tmp_path: Path
) -> None:
    scored = ModelSession(model_in(save_bar_model(tmp_path / "scored.onnx", scored=True)), cpu())
    hollow = bar(6)
    hollow[10:18, 10:18] = 0
    (folder / "digit.png").write_bytes(encoded(bar(6)))
    (folder / "none.png").write_bytes(encoded(hollow))
    digit, none = rows_of(folder, scored)
    assert (digit["status"], digit["digit_score"]) == (Status.READ, pytest.approx(1))
    assert (none["status"], none["reason"]) == (Status.REJECTED, Reason.NOT_A_DIGIT)
    assert (none["digit_score"], none["detail"]) == (0, "digit score 0.000")
    assert all(none[name] is None for name in ("digit", "confidence", *PROBABILITIES))
    assert none["ink"]["left"] == hollow.any(0).argmax()


def test_files_without_a_picture_are_rejected_with_their_reason(
    folder: Path, session: ModelSession, tmp_path: Path
) -> None:
    (folder / "a-blank.png").write_bytes(encoded(np.full((40, 40), 200, np.uint8)))
    (folder / "b-empty.png").touch()
    (folder / "c-text.png").write_text("no picture")
    (folder / "d-cut.jpg").write_bytes(encoded(bar(1), "JPEG")[:-200])
    (folder / "e-dangling.png").symlink_to("nowhere")
    os.mkfifo(folder / "f-pipe")
    (folder / "g-link-to-folder").symlink_to(tmp_path)
    (folder / "h-loop.png").symlink_to("h-loop.png")
    with (folder / "i-large.png").open("wb") as large:
        large.truncate(MAX_BYTES + 1)
    (folder / "j-vanishing.png").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "k-socket"))
        rows = rows_of(folder, session)
    assert {row["path"]: row["reason"] for row in rows} == {
        "a-blank.png": Reason.BLANK,
        "b-empty.png": Reason.EMPTY_FILE,
        "c-text.png": Reason.UNSUPPORTED_FORMAT,
        "d-cut.jpg": Reason.TRUNCATED,
        "e-dangling.png": Reason.VANISHED,
        "f-pipe": Reason.UNSUPPORTED_FORMAT,
        "g-link-to-folder": Reason.UNSUPPORTED_FORMAT,
        "h-loop.png": Reason.UNREADABLE,
        "i-large.png": Reason.TOO_LARGE,
        "j-vanishing.png": Reason.VANISHED,
        "k-socket": Reason.UNREADABLE,
    }
    assert {row["status"] for row in rows} == {Status.REJECTED}
    assert all(row["digit"] is None and row["p0"] is None and row["detail"] for row in rows)


def test_a_page_is_a_row_and_a_bad_page_does_not_shift_the_answers(
    folder: Path, session: ModelSession
) -> None:
    blank = np.full((28, 28), 255, np.uint8)
    more = [Image.fromarray(page) for page in (blank, bar(4))]
    content = encoded(bar(9), "TIFF", save_all=True, append_images=more)
    (folder / "pages.tif").write_bytes(content)
    (folder / "z.png").write_bytes(encoded(bar(2)))
    rows = [(row["path"], row["page"], row["digit"]) for row in rows_of(folder, session)]
    assert rows == [
        ("pages.tif", 0, 9),
        ("pages.tif", 1, None),
        ("pages.tif", 2, 4),
        ("z.png", 0, 2),
    ]


def test_a_name_without_encoding_is_read_and_written_in_escapes(
    folder: Path, session: ModelSession
) -> None:
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(encoded(bar(5)))
    [row] = rows_of(folder, session)
    assert (row["path"], row["digit"]) == (r"caf\xe9.png", 5)


def test_a_folder_whose_own_name_has_no_encoding_is_read(
    tmp_path: Path, session: ModelSession
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "five.png").write_bytes(encoded(bar(5)))
    [row] = rows_of(folder, session)
    assert (row["root"], row["digit"]) == (rf"{tmp_path}/caf\xe9", 5)


def test_a_small_png_that_only_the_decoders_can_refuse_is_a_row_among_the_others(
    folder: Path, session: ModelSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    rough = np.random.default_rng(2).integers(0, 255, (20, 20), np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(rough, (0, 0), 4), np.uint8)
    packed = png_batch.unpacked(encoded(smooth), MAX_PIXELS)
    assert packed
    assert png_batch.pictures([packed]) == [None]  # rows are less what lies on two sides
    refused = Undecodable(Reason.UNREADABLE, "of tomorrow")
    monkeypatch.setattr(batch_module, "pages_of", lambda data, packed: iter([refused]))
    for name, picture in (("a", bar(1)), ("b", smooth), ("c", bar(3))):
        (folder / f"{name}.png").write_bytes(encoded(picture))
    rows = rows_of(folder, session)
    assert [(row["digit"], row["reason"]) for row in rows] == [
        (1, "ok"),
        (None, "unreadable"),
        (3, "ok"),
    ]


def test_what_was_read_is_handed_over_after_a_while_in_the_same_order(
    folder: Path, session: ModelSession
) -> None:
    for digit in range(6):
        (folder / f"{digit}.png").write_bytes(encoded(bar(digit)))
    inputs = open_inputs(str(folder))
    plan, entries = ReadPlan("run", inputs, SURE), list(inputs.entries())
    parts = list(read_chunks(plan, entries, session, NoWatchdog(), chunk_seconds=0))
    assert [part.files for part in parts] == [1] * 6
    digits = [digit for part in parts for digit in part.rows["digit"].to_pylist()]
    assert digits == read_batch(plan, entries, session).rows["digit"].to_pylist() == [*range(6)]
