"""A release brings all rows of a batch into the results in one commit, once."""

import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tasks.holding.batches import Action, BatchLog
from tasks.holding.held_rows import held_table, runs_held
from tasks.holding.release import Released, finish_decided, release
from tasks.results.commit import make_table
from tasks.results.schema import SCHEMA
from tasks.results.table import Query, select
from tests.helpers import answers_at_once
from tests.holding.places import batch_of, hold
from tests.results.test_table import read_row, store

RELEASER = """
import sys
from tasks.holding.release import release
from tests.holding.places import batch_of
print("ready", flush=True)
sys.stdin.readline()
release(batch_of("run-1", pictures=9), sys.argv[1])
"""


def paths(results: str) -> list[str]:
    """Return the paths of all rows, superseded ones included."""
    return sorted(select(results, Query(history=True), ["path"])["path"].to_pylist())


def test_all_rows_come_in_one_commit_and_a_second_release_changes_nothing(results: str) -> None:
    batch = hold(results, "run-1", "a.png", "b.png", "c.png")
    hold(results, "run-2", "d.png")
    before = make_table(results)
    assert release(batch, results) == Released(rows=3, superseded=0)
    assert (paths(results), make_table(results)) == (["a.png", "b.png", "c.png"], before + 1)
    assert release(batch, results) is None
    assert (make_table(results), runs_held(held_table(results))) == (before + 1, {"run-2"})


def test_what_was_read_since_the_batch_began_stays_the_last_reading_whatever_it_is(
    results: str,
) -> None:
    make_table(results)
    store(results, read_row("a.png", "run-0"), read_row("b.png", "run-0"))
    batch = hold(results, "run-1", "a.png", "b.png", "c.png", size=7)
    store(results, read_row("b.png", "run-2", size=9), read_row("c.png", "run-2", size=7))
    assert release(batch, results) == Released(rows=1, superseded=2)
    found = select(results).to_pylist()
    assert {row["path"]: (row["run_id"], row["size"]) for row in found} == {
        "a.png": ("run-1", 7),
        "b.png": ("run-2", 9),
        "c.png": ("run-2", 7),
    }


def test_what_was_decided_anew_since_is_no_later_reading_unless_the_file_is_the_same(
    results: str,
) -> None:
    make_table(results)
    store(results, read_row("a.png", "run-0", size=5), read_row("b.png", "run-0", size=5))
    batch = hold(results, "run-1", "a.png", size=7)
    same = hold(results, "run-2", "b.png", size=5)
    anew = (read_row(name, "run-3", size=5, status="review") for name in ("a.png", "b.png"))
    store(results, *anew)
    assert release(batch, results) == Released(rows=1, superseded=0)
    assert release(same, results) == Released(rows=0, superseded=1)
    found = {row["path"]: row["run_id"] for row in select(results).to_pylist()}
    assert found == {"a.png": "run-1", "b.png": "run-3"}


@pytest.mark.processes
def test_programs_that_release_at_once_put_each_row_into_the_results_once(results: str) -> None:
    make_table(results)
    names = [f"{number}.png" for number in range(9)]
    hold(results, "run-1", *names)
    answers_at_once([[sys.executable, "-c", RELEASER, results]] * 4)
    assert (paths(results), runs_held(held_table(results))) == (names, set())


@pytest.mark.parametrize("action", [Action.RELEASED, Action.PASSED])
def test_what_was_decided_and_left_undone_is_done(
    results: str, tmp_path: Path, action: Action
) -> None:
    batch = hold(results, "run-1", "a.png")
    hold(results, "run-2", "b.png")
    log = BatchLog(results)
    assert finish_decided(results, tmp_path) == []
    log.add(action, batch, "fine")
    log.add(Action.DROPPED, batch_of("run-2"), "no")
    assert finish_decided(results, tmp_path) == ["run-1"]
    assert (paths(results), finish_decided(results, tmp_path)) == (["a.png"], [])
    assert runs_held(held_table(results)) == {"run-2"}


def test_tables_of_an_earlier_version_take_and_give_held_rows(tmp_path: Path) -> None:
    results = str(tmp_path / "results")
    earlier = pa.schema(list(SCHEMA)[:-8])
    for table in (results, held_table(results)):
        write_deltalake(table, earlier.empty_table())
    hold(results, "run-1", "a.png")
    assert release(batch_of("run-1", began=make_table(results)), results) == Released(1, 0)
    assert paths(results) == ["a.png"]


def test_results_that_somebody_has_partitioned_take_a_batch(tmp_path: Path) -> None:
    results = str(tmp_path / "results")
    first = pa.Table.from_pylist([read_row("z.png", "run-0")], SCHEMA)
    write_deltalake(results, first, partition_by=["status"])
    batch = hold(results, "run-1", "a.png", "b.png")
    assert release(batch, results) == Released(2, 0)
    assert paths(results) == ["a.png", "b.png", "z.png"]
    assert len(DeltaTable(results).metadata().partition_columns) == 1
