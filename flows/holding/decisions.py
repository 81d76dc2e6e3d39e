"""What a person decides about a batch that is held: it is released, or dropped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import InputError
from tasks.holding.batches import Action, Batch, BatchLog, Entry, waiting_batches
from tasks.holding.release import finish_decided
from tasks.holding.release import release as bring_into_results
from tasks.runs import REPORT_FILE
from tasks.settings.base import home, results_table


@dataclass(frozen=True)
class Decision:
    """What became of a batch that was held."""

    run_id: str
    action: str  # `released` or `dropped`
    reason: str
    rows: int  # that count since
    superseded: int  # files that were read again meanwhile, whose later reading stays

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows."""
        return vars(self)

    def sentence(self) -> str:
        """Return what was done in a few words."""
        if self.action == Action.DROPPED:
            return f"dropped {self.run_id}: its rows will not count, its files are left alone"
        later = f", {self.superseded:,} files read again since" if self.superseded else ""
        return f"released {self.run_id}: {self.rows:,} rows are results now{later}"


def held_batches() -> list[Entry]:
    """Return the batches that wait for a decision, the oldest first."""
    return waiting_batches(results_table())


def shown(run: str) -> list[Entry]:
    """Return all that became of the batch with the rows of a run, the oldest first.

    Raises:
        InputError: there is none.
    """
    log = BatchLog(results_table())
    batch = log.batch_with(run)
    entries = log.entries([batch]) if batch else []
    if not entries:
        raise InputError(f"no batch with rows of a run {run!r}: `digitflow held` lists the held")
    return entries


def require_released(run: str) -> None:
    """See that the rows of a run are not of a batch that waits for a decision.

    Raises:
        InputError: they are, and cannot be taken back, since they do not count.
    """
    if any(run in runs for runs in BatchLog(results_table()).states().waiting.values()):
        raise InputError(
            f"the batch of run {run} is held, and none of its rows counts: `digitflow held drop "
            f"{run} --reason ...` keeps it so"
        )


def report_of(batch: Batch) -> Path | None:
    """Return the report of a batch with its pictures, where it was read on this machine."""
    file = home() / "runs" / batch.run_id / REPORT_FILE
    return file if file.is_file() else None


def decide(run: str, action: Action, reason: str, by: str | None = None) -> Decision:
    """Release or drop a batch that is held, and return what came of it.

    Args:
        run: that read it, or that this one went on from.
        action: what is decided.
        reason: why.
        by: who decides; by default the user of this process.

    Raises:
        InputError: there is no such batch, or it was decided before.
        DigitflowError: a table cannot be read or written; the same command goes on from there.
    """
    results = results_table()
    entries = shown(run)
    batch = entries[-1].batch
    before = decision_of(entries)
    if before is None and not BatchLog(results).add(action, batch, reason, by):
        before = decision_about(run)  # somebody else was faster
    if before:
        undone = finish_decided(results, home() / "runs")
        if batch.run_id in undone and before.action == action:
            return Decision(batch.run_id, action.value, before.reason, batch.pictures, 0)
        raise InputError(_decided(before))
    if action == Action.DROPPED:
        return Decision(batch.run_id, action.value, reason, 0, 0)
    done = bring_into_results(batch, results)
    rows, superseded = (done.rows, done.superseded) if done else (batch.pictures, 0)
    return Decision(batch.run_id, action.value, reason, rows, superseded)


def decision_about(run: str) -> Entry:
    """Return the decision about a batch that is decided."""
    entry = decision_of(shown(run))
    assert entry  # noqa: S101 - it is
    return entry


def decision_of(entries: list[Entry]) -> Entry | None:
    """Return the entry by which a batch was decided, or None while it is held."""
    decided = [entry for entry in entries if entry.action != Action.HELD]
    return decided[-1] if decided else None


def _decided(entry: Entry) -> str:
    run, at = entry.batch.run_id, entry.at.isoformat(timespec="seconds")
    if entry.action == Action.PASSED:
        return f"the batch {run} was never held: its rows are results since {at}"
    said = f"the batch {run} was {entry.action} already, {at} by {entry.by}: {entry.reason}"
    if entry.action == Action.RELEASED:
        return f"{said}; `digitflow take-back {run} --reason ...` lets its rows count no more"
    return f"{said}; `digitflow predict --again` reads its files once more"
