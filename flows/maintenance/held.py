"""Rows that were held: away with what nothing needs any more of them."""

from datetime import UTC, datetime, timedelta

from flows.maintenance.tidied import Tidied
from tasks.holding.batches import BatchLog
from tasks.holding.held_rows import held_table, remove, runs_held
from tasks.results.compact import MANY, compact, delete_replaced, replaced_files, small_files
from tasks.results.repair import require_sound
from tasks.results.table import is_table
from tasks.runs import goes_on, made_at, needed_runs
from tasks.settings.base import MaintainSettings, home, results_table

PART = "held rows"


def tidy_held(settings: MaintainSettings) -> Tidied:
    """Take rows of dead runs out of the table, and delete the files of those that have left it.

    Raises:
        DigitflowError: a table cannot be read or written.
    """
    done, held, log = Tidied(PART), held_table(results_table()), BatchLog(results_table())
    if not is_table(held):
        return done
    require_sound(held)
    dead = _dead(held, log, settings)
    done.removed += sorted(dead)
    if settings.dry_run:
        done.removed += replaced_files(held)
        return done
    if dead:
        remove(held, dead)
    delete_replaced(held)
    if is_table(log.table) and small_files(log.table) >= MANY:
        compact(log.table)
    return done


def _dead(held: str, log: BatchLog, settings: MaintainSettings) -> set[str]:
    """Return the runs of no batch that are old, and of which none of this machine is needed."""
    since = datetime.now(UTC) - timedelta(days=settings.keep_days)
    runs = {run for run in runs_held(held) if made_at(run) < since}
    runs -= log.states().known
    runs -= log.passed(runs)
    folders = [home() / "runs" / run for run in runs]
    needed = {folder.name for folder in needed_runs(folders)}
    return {run for run in runs - needed if not goes_on(home() / "runs" / run)}
