"""A folder is read whole: every file accounted for, once, whatever it is."""

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from PIL import Image

from flows import predict as predict_file
from flows import reading as reading_file
from flows.predict import predict
from flows.terminal.console import AdvanceBy, Console
from tasks.device import Device, cuda_provider_problem, nvidia_gpu
from tasks.errors import DeviceError, InputError, ModelError
from tasks.inference.model_file import model_in
from tasks.results import table
from tasks.results.summary import Summary
from tasks.settings.reading import PredictSettings
from tests import mutants
from tests.bars import bar, encoded, save_bar_model
from tests.helpers import do_once_before, register_champion

pytestmark = pytest.mark.processes


class Watcher(Console):
    """Keeps what a person would have seen."""

    def __init__(self) -> None:
        """Write nothing."""
        super().__init__(quiet=True)
        self.lines: dict[str, str] = {}
        self.steps: list[tuple[int, int]] = []

    def log(self, label: str, text: str) -> None:
        """Keep the line."""
        self.lines[label] = text

    @contextmanager
    def reading(self, total: int) -> Iterator[AdvanceBy]:
        """Keep the steps."""
        yield lambda files, rejected: self.steps.append((files, rejected))


@pytest.fixture
def folder(tmp_path: Path, home: Path) -> Path:
    """Return an empty folder for pictures; state has a home of its own."""
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture
def mixed(folder: Path) -> Path:
    """Return a folder with ten digits, an unsure one, three pages, and seven kinds of trouble."""
    for digit in range(10):
        below = folder / str(digit)
        below.mkdir()
        (below / f"digit {digit}.png").write_bytes(encoded(bar(digit)))
    (folder / "unsure.bmp").write_bytes(encoded(bar(6.5), "BMP"))
    more = [Image.fromarray(page) for page in (np.zeros((9, 9), np.uint8), bar(8))]
    (folder / "pages.tif").write_bytes(encoded(bar(7), "TIFF", save_all=True, append_images=more))
    (folder / os.fsdecode(b"\xfcmlaut.webp")).write_bytes(encoded(bar(2), "WEBP", lossless=True))
    (folder / "notes.txt").write_text("bring milk")
    (folder / "empty.png").touch()
    (folder / "cut.jpg").write_bytes(encoded(bar(1), "JPEG")[:-100])
    (folder / "dangling.png").symlink_to("nowhere")
    (folder / "linked").symlink_to(folder / "1")
    os.mkfifo(folder / "pipe")
    return folder


def read(folder: Path, model: Path, console: Console | None = None, **values: Any) -> Summary:
    """Read a folder and return the summary."""
    settings = PredictSettings(source=str(folder), model=str(model), **{"workers": 1} | values)
    return predict(settings, console or Watcher())


def outcomes(summary: Summary, **conditions: Any) -> dict[tuple[str, int], tuple[str, int | None]]:
    """Return reason and digit of each page, having checked that each is there once."""
    rows = table.select(summary.results, table.Query(**conditions)).to_pylist()
    found = {(row["path"], row["page"]): (row["reason"], row["digit"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_every_file_has_its_rows_and_the_counts_add_up(mixed: Path, model_file: Path) -> None:
    console = Watcher()
    summary = read(mixed, model_file, console)
    found = outcomes(summary, run=summary.run_id)
    assert found == {
        **{(f"{digit}/digit {digit}.png", 0): ("ok", digit) for digit in range(10)},
        ("unsure.bmp", 0): ("low_confidence", found["unsure.bmp", 0][1]),
        ("pages.tif", 0): ("ok", 7),
        ("pages.tif", 1): ("blank", None),
        ("pages.tif", 2): ("ok", 8),
        (r"\xfcmlaut.webp", 0): ("ok", 2),
        ("notes.txt", 0): ("unsupported_format", None),
        ("empty.png", 0): ("empty_file", None),
        ("cut.jpg", 0): ("truncated", None),
        ("dangling.png", 0): ("vanished", None),
        ("linked", 0): ("unsupported_format", None),
        ("pipe", 0): ("unsupported_format", None),
    }
    assert (summary.listed, summary.files, summary.found, len(found)) == (19, 19, 21, 21)
    assert (summary.read, summary.review, summary.rejected) == (13, 1, 7)
    assert console.lines["Outcome"].startswith("13 read + 1 for review + 7 rejected = 21 (")
    assert [sum(step) for step in zip(*console.steps, strict=True)] == [19, 7]
    assert console.lines["Promise"].startswith("Threshold 0.6: at most 0.14 % errors")
    assert (summary.threshold.confidence, summary.threshold.coverage) == (0.6, 0.975)


def test_a_run_leaves_a_summary_and_a_report_and_publishes_it(
    mixed: Path, home: Path, model_file: Path
) -> None:
    console = Watcher()
    summary = read(mixed, model_file, console)
    run = home / "runs" / summary.run_id
    assert json.loads((run / "summary.json").read_text())["rejected"] == 7
    assert console.lines["Report"] == str(run / "report.html")
    assert "unsupported_format" in (run / "report.html").read_text()


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_the_current_row_of_every_picture_found_is_written_out_whoever_read_it(
    mixed: Path, tmp_path: Path, model_file: Path, suffix: str
) -> None:
    first = read(mixed, model_file)
    (mixed / "5" / "digit 5.png").write_bytes(encoded(bar(5), compress_level=0))
    for gone in ("notes.txt", "dangling.png"):
        (mixed / gone).unlink()
    out = tmp_path / f"out{suffix}"
    second = read(mixed, model_file, out=out)
    assert (second.files, second.out) == (1, str(out))
    rows: list[dict[str, Any]]
    if suffix == ".csv":
        with out.open(newline="") as opened:
            rows = list(csv.DictReader(opened))
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    else:
        rows = pq.read_table(out).to_pylist()
    assert len(rows) == 19
    by_five = {row["run_id"] for row in rows if row["path"].startswith("5/")}
    by_others = {row["run_id"] for row in rows if not row["path"].startswith("5/")}
    assert (by_five, by_others) == ({second.run_id}, {first.run_id})
    assert [row["digit"] for row in rows if row["path"].startswith("5/")] in ([5], ["5"])


def test_what_a_looser_run_has_read_is_held_against_the_error_that_is_accepted_now(
    mixed: Path, model_file: Path, tmp_path: Path
) -> None:
    loose = read(mixed, model_file, max_error=0.05)
    assert (loose.read, loose.review) == (14, 0)
    out, console = tmp_path / "out.parquet", Watcher()
    strict = read(mixed, model_file, console, max_error=0.005, out=out)
    assert (strict.decided_anew, strict.files, strict.found, strict.review) == (1, 2, 2, 1)
    assert strict.listed == strict.unchanged + strict.others + strict.files
    assert "1 file of these as read before" in console.lines[""]
    for rows in (pq.read_table(out), table.select(strict.results)):
        found = {row["path"]: row["reason"] for row in rows.to_pylist()}
        assert (found["unsure.bmp"], len(found)) == ("low_confidence", 19)
    nothing = read(mixed, model_file, max_error=0.005)
    assert (nothing.decided_anew, nothing.files) == (0, 1)  # what vanished is tried again
    assert read(mixed, model_file, max_error=0.05).decided_anew == 1


@pytest.mark.parametrize("stage", ["find_pending", "read_shard", "redecide", "tally"])
@pytest.mark.parametrize("again", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_counts_add_up_however_another_run_accepts_another_error_meanwhile(
    mixed: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, stage: str, again: bool
) -> None:
    module = reading_file if stage == "read_shard" else predict_file

    def overtake() -> None:
        loose.append(read(mixed, model_file, max_error=0.05))

    for found in (19, 20):
        loose: list[Summary] = []
        (mixed / f"unsure-{found}.png").write_bytes(encoded(bar(5.5)))
        with monkeypatch.context() as patch:
            do_once_before(patch, module, stage, overtake)
            strict = read(mixed, model_file, max_error=0.005, again=again)
        for summary in (strict, *loose):
            counts = (summary.unchanged, summary.others, summary.files, summary.decided_anew)
            assert min(counts) >= 0
            assert summary.listed == sum(counts[:3]) == found + 1
            assert summary.found == summary.read + summary.review + summary.rejected
            rows = table.select(summary.results, table.Query(run=summary.run_id))
            assert len(set(rows["path"].to_pylist())) == summary.files
            assert rows.num_rows == summary.found
        # a run that has read everything itself has nothing to decide anew
        assert len(loose) == (stage != "redecide" or strict.unchanged > 0)


def test_the_same_rows_come_from_one_process_and_from_two(mixed: Path, model_file: Path) -> None:
    tables = []
    for workers in (1, 2):
        summary = read(mixed, model_file, workers=workers, again=True)
        rows = table.select(summary.results, table.Query(run=summary.run_id))
        tables.append(rows.drop(["run_id", "read_at", "commit_version"]))
    assert tables[0].equals(tables[1])


def test_a_folder_that_was_read_is_read_again_only_where_something_is_new_or_changed(
    mixed: Path, model_file: Path
) -> None:
    console = Watcher()
    first = read(mixed, model_file)
    again = read(mixed, model_file, console)
    assert (again.listed, again.files, again.found, again.unchanged) == (19, 1, 1, 18)
    assert console.lines["Up to date"].startswith("18 files as read before")
    # what cannot be looked at has no size and time that could be the same
    assert outcomes(again, run=again.run_id) == {("dangling.png", 0): ("vanished", None)}
    (mixed / "dangling.png").unlink()
    (mixed / "0" / "digit 0.png").write_bytes(encoded(bar(9), compress_level=0))
    os.utime(mixed / "1" / "digit 1.png", ns=(1, 1))
    (mixed / "new.png").write_bytes(encoded(bar(4)))
    third = read(mixed, model_file)
    assert outcomes(third, run=third.run_id) == {
        ("0/digit 0.png", 0): ("ok", 9),
        ("1/digit 1.png", 0): ("ok", 1),
        ("new.png", 0): ("ok", 4),
    }
    current = outcomes(first)
    assert len(current) == 22
    assert (current["0/digit 0.png", 0], current["pages.tif", 2]) == (("ok", 9), ("ok", 8))


def test_a_reading_again_supersedes_the_earlier_one_which_stays_in_the_history(
    folder: Path, model_file: Path, tmp_path: Path
) -> None:
    (folder / "one.png").write_bytes(encoded(bar(1)))
    first = read(folder, model_file)
    other = save_bar_model(tmp_path / "other.onnx", version="other")
    second = read(folder, other, again=True)
    rows = table.select(first.results, table.Query(history=True)).to_pylist()
    assert [(row["run_id"], row["model_version"]) for row in rows] == [
        (first.run_id, model_in(model_file).name),
        (second.run_id, model_in(other).name),
    ]
    assert table.select(first.results)["run_id"].to_pylist() == [second.run_id]


def test_only_rejected_files_are_read_again_where_that_is_asked_for(
    mixed: Path, model_file: Path
) -> None:
    read(mixed, model_file)
    (mixed / "new.png").write_bytes(encoded(bar(4)))
    every = read(mixed, model_file, retry_rejected="all")
    assert {path for path, _ in outcomes(every, run=every.run_id)} == {
        "notes.txt",
        "empty.png",
        "cut.jpg",
        "dangling.png",
        "linked",
        "pipe",
        "pages.tif",  # of which one page is rejected
    }
    cut = read(mixed, model_file, retry_rejected="truncated")
    assert outcomes(cut, run=cut.run_id) == {("cut.jpg", 0): ("truncated", None)}


def test_what_is_in_review_is_read_again_by_a_model_that_may_be_surer(
    mixed: Path, model_file: Path
) -> None:
    (mixed / "faint.png").write_bytes(encoded(bar(4) // 3))
    before = read(mixed, model_file, max_error=0.005)
    waiting = table.select(before.results, table.Query(status="review"), ["path"])
    assert set(waiting["path"].to_pylist())
    (mixed / "new.png").write_bytes(encoded(bar(4)))
    again = read(mixed, model_file, retry_review=True)
    assert {path for path, _ in outcomes(again, run=again.run_id)} == set(
        waiting["path"].to_pylist()
    )
    assert again.unchanged == again.listed - again.files


def test_by_content_a_file_that_was_merely_touched_is_not_read_again(
    folder: Path, model_file: Path
) -> None:
    for digit in (1, 2):
        (folder / f"{digit}.png").write_bytes(encoded(bar(digit)))
    read(folder, model_file)
    facts = (folder / "2.png").stat()
    os.utime(folder / "1.png", ns=(1, 1))
    forged = encoded(bar(3)).ljust(facts.st_size, b"\0")
    (folder / "2.png").write_bytes(forged)
    os.utime(folder / "2.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    summary = read(folder, model_file, by_content=True)
    assert outcomes(summary, run=summary.run_id) == {("2.png", 0): ("ok", 3)}


def test_a_table_of_many_small_files_is_compacted_by_the_run_that_finds_it(
    folder: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.predict.MANY", 3)
    for digit in range(4):
        (folder / f"{digit}.png").write_bytes(encoded(bar(digit)))
        summary = read(folder, model_file)
        assert outcomes(summary, run=summary.run_id) == {(f"{digit}.png", 0): ("ok", digit)}
    assert len(table.open_table(summary.results).file_uris()) == 2
    assert len(outcomes(summary)) == 4


def test_a_table_that_cannot_be_compacted_is_as_good(
    folder: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.predict.MANY", 1)

    def refused(*_: Any, **__: Any) -> list[str]:
        raise DeltaError("the disk is full")

    monkeypatch.setattr(DeltaTable, "vacuum", refused)
    (folder / "5.png").write_bytes(encoded(bar(5)))
    watcher = Watcher()
    summary = read(folder, model_file, watcher)
    assert "the disk is full" in watcher.lines["Compact"]
    assert outcomes(summary) == {("5.png", 0): ("ok", 5)}


def test_the_seconds_of_the_stages_add_up_to_those_of_the_run(
    mixed: Path, model_file: Path
) -> None:
    summary = read(mixed, model_file)
    assert sum(summary.stages.values()) == pytest.approx(summary.seconds)
    assert {"list", "start", "read", "decode", "network", "check"} <= set(summary.stages)
    assert min(summary.stages.values()) >= 0


def test_the_champion_reads_unless_a_version_is_asked_for(folder: Path, home: Path) -> None:
    (folder / "one.png").write_bytes(encoded(bar(1)))
    for name in ("older", "newer"):
        onnx = save_bar_model(home.parent / f"{name}.onnx", version=name)
        register_champion(home, onnx, name)
    versions = [
        predict(PredictSettings(source=str(folder), again=True, **asked), Watcher()).model_version
        for asked in ({}, {"model": "older"})
    ]
    assert versions == ["newer", "older"]


def test_a_folder_whose_name_has_no_encoding_is_read_and_reported(
    folder: Path, model_file: Path
) -> None:
    odd = folder / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    (odd / "four.png").write_bytes(encoded(bar(4)))
    summary = read(odd, model_file, Console())
    assert (summary.read, summary.found) == (1, 1)


def test_an_empty_folder_may_be_allowed_and_gives_a_run_without_rows(
    folder: Path, tmp_path: Path, model_file: Path
) -> None:
    out = tmp_path / "out.csv"
    summary = read(folder, model_file, allow_empty=True, out=out)
    assert (summary.files, summary.found) == (0, 0)
    assert out.read_text().startswith("root,path,page,")


def test_a_folder_without_any_picture_is_read_too(folder: Path, model_file: Path) -> None:
    (folder / "notes.txt").write_text("bring milk")
    summary = read(folder, model_file)
    assert (summary.found, summary.rejected) == (1, 1)


@pytest.mark.parametrize("damage", [b"", b"not onnx at all"])
def test_a_damaged_model_is_an_error(folder: Path, tmp_path: Path, damage: bytes) -> None:
    (folder / "one.png").write_bytes(encoded(bar(1)))
    (tmp_path / "bad.onnx").write_bytes(damage)
    with pytest.raises(ModelError, match=r"bad.onnx does not load"):
        read(folder, tmp_path / "bad.onnx")


def test_a_champion_whose_file_was_changed_does_not_read(
    folder: Path, home: Path, model_file: Path
) -> None:
    (folder / "one.png").write_bytes(encoded(bar(1)))
    version = register_champion(home, model_file)
    save_bar_model(version.onnx, version="forged")
    with pytest.raises(ModelError, match="is not the file that was registered"):
        predict(PredictSettings(source=str(folder)), Watcher())


def test_a_file_that_nobody_registered_reads_under_its_hash_whatever_it_says(
    folder: Path, home: Path, model_file: Path, tmp_path: Path
) -> None:
    (folder / "one.png").write_bytes(encoded(bar(1)))
    version = register_champion(home, model_file, "good")
    forged = mutants.mutant(version.onnx, tmp_path / "f.onnx", mutants.swapped_labels, "good")
    console = Watcher()
    read(folder, forged, console)
    name = model_in(forged).name
    assert console.lines["Model"].startswith(f"{name} ({forged}), by ")
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(version.onnx.read_bytes())
    summary = read(folder, copy, console, again=True)
    assert console.lines["Model"].startswith("good, by ")
    rows = table.select(summary.results, table.Query(history=True)).to_pylist()
    assert [row["model_version"] for row in rows] == [name, "good"]


def test_a_model_of_another_canonical_form_is_an_error(folder: Path, tmp_path: Path) -> None:
    (folder / "one.png").write_bytes(encoded(bar(1)))
    model = save_bar_model(tmp_path / "other.onnx", form="0")
    with pytest.raises(ModelError, match="made for canonical form 0"):
        read(folder, model)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({}, InputError, "pictures has no files in it"),
        ({"source": "missing"}, InputError, "missing does not exist"),
        ({"model": "champion"}, ModelError, "no champion yet"),
        ({"model": "unknown"}, ModelError, "no model version 'unknown'"),
        (
            {"max_error": 1e-6},
            InputError,
            "--max-error 1e-06 is less than this model can guarantee",
        ),
        ({"out": "out.xls"}, InputError, r"out.xls: the name must end in .csv"),
    ],
)
def test_what_cannot_be_used_is_an_error_before_anything_is_written(
    folder: Path, home: Path, model_file: Path, values: Any, error: type[Exception], message: str
) -> None:
    if values:
        (folder / "one.png").write_bytes(encoded(bar(1)))
    settings = PredictSettings(**{"source": str(folder), "model": str(model_file), **values})
    with pytest.raises(error, match=message):
        predict(settings, Watcher())
    assert not (home / "results").exists()
    assert not list((home / "runs").glob("*/summary.json"))


def test_nothing_is_read_on_a_gpu_that_is_not_there(folder: Path, model_file: Path) -> None:
    if isinstance(nvidia_gpu(), Device) and cuda_provider_problem() is None:
        pytest.skip("here a GPU can read")
    with pytest.raises(DeviceError, match="--device cuda: "):
        read(folder, model_file, device="cuda")


def test_a_file_that_vanishes_between_listing_and_reading_is_rejected(
    mixed: Path, model_file: Path
) -> None:
    class Eraser(Watcher):
        """Removes a file once the folder was listed."""

        def log(self, label: str, text: str) -> None:
            if label == "Source":
                (mixed / "0" / "digit 0.png").unlink()

    summary = read(mixed, model_file, Eraser())
    assert (summary.found, summary.reasons["vanished"]) == (21, 2)
