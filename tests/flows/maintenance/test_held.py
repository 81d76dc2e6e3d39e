"""Rows that were held go with what needs them: released ones a week later, dead ones when old."""

from pathlib import Path

from deltalake import DeltaTable

from flows.maintenance.held import tidy_held
from flows.maintenance.run_folders import tidy_run_folders
from tasks.holding.batches import Action, BatchLog
from tasks.holding.held_rows import held_table, runs_held
from tasks.holding.release import release
from tasks.results.repair import repair, require_sound
from tasks.results.table import select
from tasks.settings.base import MaintainSettings, results_table
from tests.flows.maintenance.test_run_folders import a_run
from tests.holding.places import hold

OLD, YOUNG = "predict-20260101-000000-0001", "predict-29990101-000000-0002"
SETTINGS = MaintainSettings(keep_days=30, keep_runs=0)


def parquet_files(table: str) -> int:
    return len(list(Path(table).glob("*.parquet")))


def test_where_nothing_was_held_nothing_is_made(home: Path) -> None:
    assert tidy_held(SETTINGS).removed == []
    assert not home.exists()


def test_rows_of_old_dead_runs_go_and_those_of_batches_and_of_young_runs_stay(home: Path) -> None:
    results = results_table()
    held, log = held_table(results), BatchLog(results)
    for number, action in enumerate((Action.HELD, Action.DROPPED), start=3):
        log.add(action, hold(results, f"predict-20260101-000000-000{number}", "a.png"), "why")
    hold(results, OLD, "b.png")
    hold(results, YOUNG, "c.png")
    told = tidy_held(SETTINGS.model_copy(update={"dry_run": True}))
    assert (told.removed, len(runs_held(held))) == ([OLD], 4)
    assert tidy_held(SETTINGS).removed == [OLD]
    assert runs_held(held) == {YOUNG, *(f"predict-20260101-000000-000{n}" for n in (3, 4))}


def test_files_of_released_rows_are_deleted_a_week_later(home: Path) -> None:
    results = results_table()
    held, batch = held_table(results), hold(results, OLD, "a.png")
    BatchLog(results).add(Action.PASSED, batch, "nothing was odd")
    release(batch, results)
    tidy_held(SETTINGS)
    assert parquet_files(held) == 1
    week_over = {"delta.deletedFileRetentionDuration": "interval 0 hours"}
    DeltaTable(held).alter.set_table_properties(week_over)
    tidy_held(SETTINGS)
    assert (parquet_files(held), select(results).num_rows) == (0, 1)


def test_the_folder_of_a_run_stays_while_its_batch_is_held(home: Path) -> None:
    results = results_table()
    folder = a_run(home, OLD, 99)
    log, batch = BatchLog(results), hold(results, OLD, "a.png")
    log.add(Action.HELD, batch, "turned")
    assert tidy_run_folders(SETTINGS).removed == []
    log.add(Action.DROPPED, batch, "no")
    assert tidy_run_folders(SETTINGS).removed == [folder.name]


def test_what_a_lost_machine_left_damaged_is_stepped_back_from(home: Path) -> None:
    results = results_table()
    held, log = held_table(results), BatchLog(results)
    batch = hold(results, OLD, "a.png", "b.png")
    log.add(Action.HELD, batch, "turned")
    next(Path(held).glob("*.parquet")).write_bytes(b"")
    log.add(Action.DROPPED, batch, "no")
    newest = max(Path(log.table).glob("*.parquet"), key=lambda file: file.stat().st_mtime_ns)
    newest.write_bytes(b"")
    for table in (held, log.table):
        assert repair(table)
        require_sound(table)
    assert log.states().waiting == {OLD: [OLD]}
    assert log.add(Action.RELEASED, batch, "fine")
    assert not log.add(Action.DROPPED, batch, "no")
    done = release(batch, results)
    assert done
    assert done.rows == 1
