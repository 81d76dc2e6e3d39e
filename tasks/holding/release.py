"""What was decided about a batch, done: its rows go into the results, or stay where they are.

Each step may be done twice, by two programs at once, or by one that goes on where another was
killed: the commit has an id of its own, and only then the rows leave the table of held rows.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tasks.errors import DigitflowError
from tasks.holding.batches import Action, Batch, BatchLog, held_files
from tasks.holding.held_rows import has_rows, held_table, remove, rows_of, runs_held
from tasks.results.commit import WriterContext, commit_late, make_table
from tasks.results.pending import HeldFiles
from tasks.results.table import is_table
from tasks.runs import goes_on


@dataclass(frozen=True)
class Released:
    """What came of a release."""

    rows: int  # that count now
    superseded: int  # files that were read again meanwhile, whose later reading stays


def release(batch: Batch, results: str, number_offset: int | None = None) -> Released | None:
    """Bring the rows of a batch into the results, as was decided; None: somebody else did so.

    Files that were read again since the batch began are left out: the later reading counts.

    Args:
        batch: which one.
        results: folder or URL of the results.
        number_offset: that of their writers, where it is known: finding it out reads a column.

    Raises:
        DigitflowError: a table cannot be read or written.
    """
    held = held_table(results)
    if not has_rows(held, batch.runs):
        return None
    root, *more = batch.roots
    writer = WriterContext(
        *(results, root, batch.run_id, make_table(results)),
        more=tuple(more),
        number_offset=number_offset,
    )
    rows = partial(rows_of, held, batch.runs)
    done = commit_late(rows, f"{batch.run_id}/released", writer, batch.began)
    remove(held, batch.runs)
    return Released(done.rows, done.others) if done else None


def finish_decided(results: str, runs: Path) -> list[str]:
    """Do what was decided and left undone by a program that was killed; return these batches.

    Args:
        results: folder or URL of the results.
        runs: folder of the runs of this machine; those that go on do it themselves.

    Raises:
        DigitflowError: a table cannot be read or written.
    """
    left = runs_held(held_table(results))
    if not left:
        return []
    log = BatchLog(results)
    states = log.states()
    undone = [run for run, runs in states.released.items() if left.intersection(runs)]
    undone += [run for run in log.passed_batches(left - states.known) if not goes_on(runs / run)]
    for entry in log.entries(undone):
        if entry.action in (Action.PASSED, Action.RELEASED):
            release(entry.batch, results)
    return undone


def looked_aside(results: str, runs: Path, *, holds: bool) -> HeldFiles | None:
    """Do what was decided and left undone, and return what held rows say of files; None: nothing.

    Args:
        results: folder or URL of the results.
        runs: folder of the runs of this machine.
        holds: who looks holds batches; who does not may have no access to where held rows lie.

    Raises:
        DigitflowError: a table cannot be read or written.
    """
    try:
        is_table(held_table(results))
    except DigitflowError:
        if holds:
            raise
        return None
    finish_decided(results, runs)
    return held_files(results)
