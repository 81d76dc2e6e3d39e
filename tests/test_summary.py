"""Counts that add up, or an error."""

from pathlib import Path

import pytest

from tasks import results
from tasks.calibrate import threshold_for
from tasks.discover import Listing
from tasks.errors import DigitflowError
from tasks.summary import MOST_REJECTS, Summary, summarise
from tests.bars import PROMISED
from tests.test_results import read_row, rejected_row, table_of


def summary_of(table: Path, files: int) -> Summary:
    """Return the summary of a run that found so many files."""
    return summarise(
        table,
        Listing("/pictures", Path("listing"), files),
        "run-1",
        model_version="m",
        canonical_version="1",
        threshold=threshold_for(0.005, PROMISED.curve),
        device="cpu",
        provider="CPUExecutionProvider",
        started_at="2026-01-01T00:00:00+00:00",
        seconds=2.0,
    )


def test_every_row_is_counted_once_by_status_reason_and_digit(tmp_path: Path) -> None:
    rows = table_of(
        read_row("a.tif"),
        read_row("a.tif", page=1, digit=7),
        read_row("b.png", status="review", reason="low_confidence"),
        rejected_row("c.txt"),
    )
    results.commit(tmp_path, rows, "run-1/0")
    results.commit(tmp_path, table_of(read_row("d.png", "another run")), "another/0")
    summary = summary_of(tmp_path, 3)
    assert (summary.files, summary.found) == (3, 4)
    assert (summary.read, summary.review, summary.rejected) == (2, 1, 1)
    assert summary.reasons == {"ok": 2, "low_confidence": 1, "empty_file": 1}
    assert summary.digits == [0, 0, 0, 2, 0, 0, 0, 1, 0, 0]
    assert [reject["path"] for reject in summary.rejects] == ["c.txt"]
    assert summary.facts()["pictures_per_second"] == 2.0


def test_rejects_are_named_up_to_a_limit_and_all_counted(tmp_path: Path) -> None:
    count = MOST_REJECTS + 5
    rows = table_of(*[rejected_row(f"{number:03}") for number in range(count)])
    results.commit(tmp_path, rows, "run-1/0")
    summary = summary_of(tmp_path, count)
    assert len(summary.rejects) == MOST_REJECTS
    assert summary.rejected == count


@pytest.mark.parametrize("files", [1, 3])
def test_rows_that_are_not_those_of_the_files_found_are_an_error(
    tmp_path: Path, files: int
) -> None:
    results.commit(tmp_path, table_of(read_row("a.png"), read_row("b.png")), "run-1/0")
    with pytest.raises(DigitflowError, match=f"{files} files were found, 2 have rows of run run-1"):
        summary_of(tmp_path, files)


def test_a_file_that_is_in_the_table_twice_is_an_error(tmp_path: Path) -> None:
    results.commit(tmp_path, table_of(read_row("a.png"), read_row("a.png")), "run-1/0")
    with pytest.raises(DigitflowError, match="1 files were found, 2"):
        summary_of(tmp_path, 1)


def test_names_that_look_alike_in_escapes_are_two_files(tmp_path: Path) -> None:
    results.commit(tmp_path, table_of(read_row(r"\xff"), read_row(r"\xff")), "run-1/0")
    assert summary_of(tmp_path, 2).found == 2


def test_a_run_without_files_has_no_rows_and_needs_no_table(tmp_path: Path) -> None:
    summary = summary_of(tmp_path / "none", 0)
    assert (summary.found, summary.read, summary.review, summary.rejected) == (0, 0, 0, 0)
