"""A run that is taken back counts no more: earlier readings do again, or files are as unread."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tasks.errors import InputError
from tasks.results import take_back as take_back_file
from tasks.results.commit import WriterContext, commit, make_table
from tasks.results.compact import compact
from tasks.results.table import Query, select
from tasks.results.take_back import TakenBack, take_back
from tasks.runs import run_lock
from tests.helpers import do_once_before
from tests.results.test_table import read_row, table_of


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return a table in which one run has read a and b, and a later one b and c, otherwise."""
    place = str(tmp_path / "results")
    add(place, "first", "a.png", "b.png", digit=1)
    add(place, "wrong", "b.png", "c.png", digit=2)
    return place


def add(table: str, run: str, *paths: str, **columns: Any) -> None:
    rows = table_of(*(read_row(path, run, **columns) for path in paths))
    commit(rows, f"{run}/0", WriterContext(table, "/pictures", run, make_table(table)))


def taken(table: str, tmp_path: Path, run: str = "wrong") -> TakenBack:
    return take_back(table, tmp_path / "runs", run, "the wrong folder: 'o'brien'")


def runs_of(table: str, **query: Any) -> dict[str, str]:
    rows = select(table, Query(**query)).to_pylist()
    return {row["path"]: row["run_id"] for row in rows}


def test_earlier_readings_count_again_and_files_without_one_are_unread(
    table: str, tmp_path: Path
) -> None:
    assert runs_of(table) == {"a.png": "first", "b.png": "wrong", "c.png": "wrong"}
    done = taken(table, tmp_path)
    assert (done.rows, done.files, done.current_again, done.unread) == (2, 2, 1, 1)
    assert (done.later, done.gone) == ({}, 0)
    assert runs_of(table) == {"a.png": "first", "b.png": "first"}
    assert select(table)["digit"].to_pylist() == [1, 1]


def test_the_history_is_kept_with_who_when_and_why_in_rows_and_commit(
    table: str, tmp_path: Path
) -> None:
    before = select(table, Query(history=True))
    taken(table, tmp_path)
    after = select(table, Query(history=True))
    place = after.column_names.index("taken_back")
    assert after.set_column(place, before.field(place), before["taken_back"]) == before
    said = {row["run_id"]: row["taken_back"] for row in after.to_pylist()}
    assert said["first"] is None
    assert said["wrong"].endswith(": the wrong folder: 'o'brien'")
    assert runs_of(table, run="wrong") == {"b.png": "wrong", "c.png": "wrong"}
    [last] = DeltaTable(table).history(1)
    assert last["digitflow.taken_back"] == "wrong"
    assert last["digitflow.reason"] == "the wrong folder: 'o'brien'"
    assert last["digitflow.by"]


def test_what_a_later_run_has_read_stays_and_is_named(table: str, tmp_path: Path) -> None:
    add(table, "later", "c.png", "d.png")
    done = taken(table, tmp_path)
    assert (done.current_again, done.unread, done.later) == (1, 0, {"later": 1})
    assert runs_of(table)["c.png"] == "later"


def test_a_run_that_is_unknown_goes_on_or_was_taken_back_is_refused(
    table: str, tmp_path: Path
) -> None:
    for unknown in ("other", "", "' OR '1' = '1"):
        with pytest.raises(InputError, match=r"no rows of a run .*digitflow results"):
            taken(table, tmp_path, unknown)
    folder = tmp_path / "runs" / "wrong"
    folder.mkdir(parents=True)
    with run_lock(folder, {}, 0), pytest.raises(InputError, match="run wrong goes on: stop it"):
        taken(table, tmp_path)
    assert len(runs_of(table)) == 3
    taken(table, tmp_path)
    with pytest.raises(InputError, match=r"taken back already: 2.*: the wrong folder"):
        taken(table, tmp_path)


def test_a_table_that_is_not_there_is_an_error_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results in"):
        taken(str(tmp_path / "none"), tmp_path)
    assert not (tmp_path / "none").exists()


def test_another_commit_at_the_same_moment_is_neither_lost_nor_taken_back(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_once_before(
        monkeypatch, take_back_file, "CommitProperties", lambda: add(table, "later", "e.png")
    )
    taken(table, tmp_path)
    assert runs_of(table) == {"a.png": "first", "b.png": "first", "e.png": "later"}


def test_compacting_before_and_after_changes_nothing(table: str, tmp_path: Path) -> None:
    assert compact(table)
    taken(table, tmp_path)
    add(table, "more", "f.png")
    assert compact(table)
    assert runs_of(table) == {"a.png": "first", "b.png": "first", "f.png": "more"}
    assert select(table, Query(history=True)).num_rows == 5


def test_rows_of_a_table_without_the_column_count_and_can_be_taken_back(
    table: str, tmp_path: Path
) -> None:
    rows: pa.Table = select(table, Query(history=True))
    old = str(tmp_path / "old")
    write_deltalake(old, rows.drop_columns(["taken_back", "instead_of"]))
    assert len(runs_of(old)) == 3
    assert taken(old, tmp_path).rows == 2
    assert runs_of(old) == {"a.png": "first", "b.png": "first"}


def test_a_table_that_somebody_has_partitioned_is_left_to_them(table: str, tmp_path: Path) -> None:
    place = str(tmp_path / "partitioned")
    write_deltalake(place, select(table, Query(history=True)), partition_by=["status"])
    with pytest.raises(InputError, match="was partitioned by another program"):
        taken(place, tmp_path)
