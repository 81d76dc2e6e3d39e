"""Compacting makes few files of many and changes no row, whoever else writes at the same time."""

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, Field, write_deltalake

from tasks.errors import DigitflowError
from tasks.results import compact as compact_file
from tasks.results import table as results
from tasks.results import table_files
from tasks.results.commit import Committed, WriterContext, commit, make_table
from tasks.results.compact import LARGE, compact, small_files
from tests.helpers import answers_at_once
from tests.results.test_table import read_row, rejected_row, table_of

ROOT = Path(__file__).parents[2]
RUNS = 12


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return a table of several runs, each with a commit of its own; every third only rejects."""
    place = str(tmp_path / "results")
    for number in range(RUNS):
        add(place, f"run-{number}")
    return place


def add(table: str, run: str) -> Committed:
    """Commit a row of a run."""
    row = rejected_row if int(run.split("-")[1]) % 3 == 0 else read_row
    writer = WriterContext(table, "/pictures", run, make_table(table))
    return commit(table_of(row(f"{run}.png", run)), f"{run}/0", writer)


def rows_of(table: str, **conditions: str) -> pa.Table:
    """Return all rows, those of superseded readings, too."""
    return results.select(table, results.Query(history=True, **conditions))


def files_of(table: str) -> int:
    """Return how many files the table consists of."""
    return len(DeltaTable(table).file_uris())


def test_few_files_hold_the_same_rows(table: str) -> None:
    before = rows_of(table)
    assert small_files(table) == files_of(table) == RUNS
    assert compact(table)
    assert small_files(table) == files_of(table) == 1
    assert rows_of(table).equals(before)


def test_every_row_is_found_by_every_column_of_a_compacted_table(table: str) -> None:
    compact(table)
    rows = rows_of(table)
    dataset = results.dataset_of(results.open_table(table), table)
    for name in set(rows.column_names) - {"ink"}:
        for value in rows[name].unique():
            same = pc.field(name) == value if value.is_valid else pc.field(name).is_null()
            expected = rows.filter(same).num_rows
            assert dataset.count_rows(filter=same) == expected, (name, value)
    assert rows_of(table, run="run-3")["path"].to_pylist() == ["run-3.png"]


def test_a_shard_that_was_committed_before_is_not_committed_again(table: str) -> None:
    compact(table)
    assert add(table, "run-4").rows == 1
    assert rows_of(table)["path"].to_pylist().count("run-4.png") == 1


def test_commits_at_the_same_time_are_neither_lost_nor_doubled(table: str) -> None:
    over, outcomes = threading.Event(), list[bool]()

    def keep_compacting() -> None:
        while not over.is_set():
            outcomes.append(compact(table))

    compacting = threading.Thread(target=keep_compacting)
    compacting.start()
    for number in range(RUNS, 2 * RUNS):
        add(table, f"run-{number}")
    over.set()
    compacting.join()
    assert any(outcomes)
    expected = sorted(f"run-{number}.png" for number in range(2 * RUNS))
    assert sorted(rows_of(table)["path"].to_pylist()) == expected


def test_a_reader_of_the_table_as_it_was_goes_on(table: str) -> None:
    reader = DeltaTable(table).to_pyarrow_dataset()
    compact(table)
    assert reader.count_rows() == RUNS


def test_files_in_its_folder_that_are_not_the_tables_own_stay_however_old(table: str) -> None:
    others = [Path(table) / name for name in ("scan.png", "other.parquet", "scans/7.png")]
    year_ago = time.time() - 365 * 86_400
    for other in others:
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(b"somebody else's")
        os.utime(other, (year_ago, year_ago))
    compact(table)
    assert all(other.exists() for other in others)


def test_replaced_files_stay_for_a_week(table: str) -> None:
    replaced = set(Path(table).glob("*.parquet"))
    compact(table)
    assert replaced < set(Path(table).glob("*.parquet"))
    later = DeltaTable(table)
    assert later.vacuum(7 * 24, dry_run=True) == []
    gone = later.vacuum(0, dry_run=True, enforce_retention_duration=False)
    assert set(gone) == {file.name for file in replaced}


def test_replaced_files_stay_as_long_as_somebody_has_told_the_table(table: str) -> None:
    month = {"delta.deletedFileRetentionDuration": "interval 30 days"}
    DeltaTable(table).alter.set_table_properties(month)
    assert compact(table)
    assert files_of(table) == 1


def test_large_files_are_left_alone(table: str) -> None:
    noise = os.urandom(2 * LARGE).hex()
    rows = [read_row(noise[at : at + 2**20], "run-99") for at in range(0, len(noise), 2**20)]
    commit(
        table_of(*rows), "run-99/0", WriterContext(table, "/pictures", "run-99", make_table(table))
    )
    assert small_files(table) == RUNS
    large = max(Path(table).glob("*.parquet"), key=lambda file: file.stat().st_size)
    compact(table)
    assert files_of(table) == 2
    assert any(uri.endswith(large.name) for uri in DeltaTable(table).file_uris())


# compacts a table when it is told to begin
COMPACTER = """
import sys
from tasks.results.compact import compact
from tasks.results.table import open_table
open_table(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(compact(sys.argv[1]))
"""


def compacted_at_once(table: str, count: int) -> list[str]:
    """Let processes compact a table at the same moment; return what each said."""
    command = [sys.executable, "-c", COMPACTER, table]
    return [answer.strip() for answer in answers_at_once([command] * count)]


@pytest.mark.processes
def test_processes_that_compact_at_once_change_no_row(table: str, tmp_path: Path) -> None:
    before = rows_of(table)
    for number in range(2):
        copied = str(tmp_path / f"copy-{number}")
        shutil.copytree(table, copied)
        assert "True" in compacted_at_once(copied, 3)
        assert rows_of(copied).equals(before)
        assert files_of(copied) == 1


def test_of_two_that_have_joined_the_same_files_the_second_leaves_the_table_as_it_is(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(table)
    commit_files = table_files.commit_files

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(compact_file, "commit_files", commit_files)
        assert compact(table)
        commit_files(*arguments)

    monkeypatch.setattr(compact_file, "commit_files", overtaken)
    assert not compact(table)
    assert rows_of(table).equals(before)
    # the file of the second is gone: what is there are the replaced ones and the one of the first
    assert len(list(Path(table).glob("*.parquet"))) == RUNS + 1


def test_a_commit_that_comes_between_does_not_cost_the_work(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_files = table_files.commit_files

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(compact_file, "commit_files", commit_files)
        add(table, f"run-{RUNS}")
        commit_files(*arguments)

    monkeypatch.setattr(compact_file, "commit_files", overtaken)
    assert compact(table)
    assert files_of(table) == 2
    expected = sorted(f"run-{number}.png" for number in range(RUNS + 1))
    assert sorted(rows_of(table)["path"].to_pylist()) == expected


def test_rows_that_are_not_all_written_are_not_committed(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(table)

    def lossy(batches: Any, *arguments: Any) -> Any:
        return table_files.write_rows((batch.slice(1) for batch in batches), *arguments)

    monkeypatch.setattr(compact_file, "write_rows", lossy)
    with pytest.raises(DigitflowError, match="not all written"):
        compact(table)
    assert rows_of(table).equals(before)


def test_columns_that_somebody_has_added_stay(table: str) -> None:
    DeltaTable(table).alter.add_columns([Field("checked_by", "string")])
    opened = DeltaTable(table)
    row = table_of(read_row("checked.png", "run-99")).append_column("checked_by", pa.array(["Ada"]))
    write_deltalake(opened, row, mode="append")
    compact(table)
    assert files_of(table) == 1
    checked = rows_of(table).filter(pc.field("checked_by").is_valid())
    assert checked.select(["path", "checked_by"]).to_pylist() == [
        {"path": "checked.png", "checked_by": "Ada"}
    ]
