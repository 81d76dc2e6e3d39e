"""Counts that add up, or an error; and some rows to show, from all over the run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import DigitflowError
from tasks.inputs.base import Roots
from tasks.metrics.promise import promise_for
from tasks.results import summary
from tasks.results.summary import (
    EVENLY_SPREAD,
    LEAST_SURE,
    MOST_REJECTS,
    OF_A_REASON,
    FileCounts,
    RunFacts,
    Summary,
    summarise,
    tally,
)
from tests.bars import BAR_CALIBRATION, bar_threshold
from tests.results.test_table import read_row, rejected_row, store


def summary_of(table: str, files: int) -> Summary:
    """Return the summary of a run that read so many files."""
    run = RunFacts(
        instead_of=None,
        run_id="run-1",
        results=table,
        out=None,
        model_version="m",
        canonical_version="1",
        max_error=0.005,
        strictness=1.0,
        promise=promise_for(0.005, BAR_CALIBRATION.curves),
        device="cpu",
        provider="CPUExecutionProvider",
        started_at="2026-01-01T00:00:00+00:00",
        stages={"read": 1.5, "network": 0.5},
    )
    found = FileCounts(Roots(("/pictures",)), files + 3, 2, 1, 0, [], None)
    return summarise(run, found, tally([table], "run-1", files))


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return the place of a results table that is not there yet."""
    return str(tmp_path / "results")


def test_every_row_is_counted_once_by_status_reason_and_digit(table: str) -> None:
    store(
        table,
        read_row("a.tif"),
        read_row("a.tif", page=1, digit=7),
        read_row("b.png", status="review", reason="low_confidence"),
        rejected_row("c.txt"),
    )
    store(table, read_row("d.png", "another run"))
    found = summary_of(table, 3)
    assert (found.files, found.found, found.listed) == (3, 4, 6)
    assert (found.read, found.review, found.rejected) == (2, 1, 1)
    assert found.reasons == {"ok": 2, "low_confidence": 1, "empty_file": 1}
    assert found.digits == [0, 0, 0, 2, 0, 0, 0, 1, 0, 0]
    assert [reject.path for reject in found.rejects] == ["c.txt"]
    assert found.to_dict()["pictures_per_second"] == 2.0


def test_rejects_are_named_up_to_a_limit_and_all_counted(table: str) -> None:
    count = MOST_REJECTS + 5
    store(table, *[rejected_row(f"{number:03}") for number in range(count)])
    found = summary_of(table, count)
    assert len(found.rejects) == MOST_REJECTS
    assert found.rejected == count


def test_some_rejects_of_each_reason_are_kept_however_rare_it_is(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = {**read_row("z.png"), "status": "rejected", "reason": "blank", "kind": "clean"}
    rows = [rejected_row(f"{number:03}") for number in range(OF_A_REASON + 5)]
    store(table, *rows, rare)
    for batch in (summary.results.ROW_BATCH, 7):
        monkeypatch.setattr(summary.results, "ROW_BATCH", batch)
        kept = tally([table], "run-1", len(rows) + 1).by_reason
        assert {reason: len(some) for reason, some in kept.items()} == {
            **{"empty_file": OF_A_REASON, "blank": 1},
        }
        assert [(row.path, row.kind) for row in kept["blank"]] == [("z.png", "clean")]


@pytest.mark.parametrize("files", [1, 3])
def test_rows_that_are_not_those_of_the_files_found_are_an_error(table: str, files: int) -> None:
    store(table, read_row("a.png"), read_row("b.png"))
    with pytest.raises(DigitflowError, match=f"{files} files were to be read, 2 have rows of run"):
        tally([table], "run-1", files)


def test_a_file_that_is_in_the_table_twice_is_an_error(table: str) -> None:
    store(table, read_row("a.png"), read_row("a.png"))
    with pytest.raises(DigitflowError, match="1 files were to be read, 2 have rows"):
        tally([table], "run-1", 1)


def test_a_run_without_files_has_no_rows_and_needs_no_table(table: str) -> None:
    found = summary_of(table, 0)
    assert (found.found, found.read, found.review, found.rejected) == (0, 0, 0, 0)
    assert (found.digits, found.rejects, tally([table], "run-1", 0).samples()) == ([0] * 10, [], [])


def many(count: int) -> list[dict[str, Any]]:
    """Return rows of which each is a little less sure than the one before; each fifth a reject."""
    return [
        rejected_row(f"{number:04}")
        if number % 5 == 4
        else read_row(f"{number:04}", confidence=1 - number / 10_000)
        for number in range(count)
    ]


def test_the_least_sure_and_some_of_the_whole_run_are_shown_each_once(table: str) -> None:
    store(table, *many(1000))
    samples = tally([table], "run-1", 1000).samples()
    shown = [int(row.path) for row in samples]
    least = [number for number in range(1000) if number % 5 != 4][-LEAST_SURE:]
    assert set(least) <= set(shown)
    assert len(set(shown)) == len(shown) <= LEAST_SURE + EVENLY_SPREAD
    assert {number // 100 for number in shown} == set(range(10))
    assert not any(row.status == "rejected" for row in samples)


def test_rows_that_come_in_pieces_are_counted_and_spread_as_in_one(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(table, *many(1000))
    whole = tally([table], "run-1", 1000)
    monkeypatch.setattr(summary.results, "ROW_BATCH", 7)
    pieces = tally([table], "run-1", 1000)
    assert vars(pieces)["statuses"] == whole.statuses
    assert (pieces.reasons, pieces.digits) == (whole.reasons, whole.digits)
    assert (pieces.files, pieces.found, pieces.rejects) == (whole.files, whole.found, whole.rejects)
    assert pieces.samples() == whole.samples()


def test_pages_of_one_file_are_shown_apart(table: str) -> None:
    store(table, read_row("a.tif"), read_row("a.tif", page=1))
    rows = tally([table], "run-1", 1).samples()
    assert sorted((row.path, row.page) for row in rows) == [("a.tif", 0), ("a.tif", 1)]


def test_a_summary_is_read_as_it_was_written(table: str) -> None:
    store(table, read_row("a.png"), rejected_row("c.txt"))
    found = summary_of(table, 2)
    written = json.loads(json.dumps(found.to_dict()))
    assert Summary.from_dict(written) == found
    assert list(written) == [*Summary.model_fields, "pictures_per_second"]
    assert found.threshold.threshold() == bar_threshold()


@pytest.mark.parametrize(
    "key", [key for key, each in Summary.model_fields.items() if each.is_required()]
)
def test_what_is_no_summary_is_an_error_that_names_the_key(table: str, key: str) -> None:
    store(table, read_row("a.png"))
    written = summary_of(table, 1).to_dict()
    with pytest.raises(ValueError, match=rf"^{key}(\.0\.\w+|\.0)?: [^\n]*$"):
        Summary.from_dict({**written, key: [{}]})
    with pytest.raises(ValueError, match=f"^{key}: Field required$"):
        Summary.from_dict({name: value for name, value in written.items() if name != key})
