"""What became of each batch: a Delta table beside the results, to which entries are only added.

A batch is what a run has read, and what the interrupted runs had before it that it went on from. It
passes, or is held until a person releases or drops it. That is decided here once, before it is
done: who comes second is told so, and what a killed program has left undone is known.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from pydantic import Field

from tasks.atomic import make_folder
from tasks.contracts.base import Contract
from tasks.contracts.held import HeldFor
from tasks.holding.held_rows import beside, held_table
from tasks.results.commit import until_there_is_room
from tasks.results.pending import HeldFiles
from tasks.results.table import as_written, is_table, reading, storage_options
from tasks.results.table_files import (
    SKIPPED_BY,
    commit_files,
    discard,
    is_local,
    storage_of,
    sync_commit,
    write_rows,
)
from tasks.storage.journal import actor
from tasks.visible import encodable

BATCHES = "batches"
FEW = 1_024  # entries in memory at once
SCHEMA = pa.schema(
    [
        pa.field("root", pa.string(), nullable=False),  # all roots, as a person reads them
        pa.field("run_id", pa.string(), nullable=False),  # by which the batch is known
        pa.field("runs", pa.string(), nullable=False),  # whose rows it has, with blanks between
        pa.field("action", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("by", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("facts", pa.string(), nullable=False),  # JSON: `Batch`
    ]
)
# readers skip files by these columns alone; see the same of the results
CONFIGURATION = {"delta.dataSkippingStatsColumns": ",".join(SKIPPED_BY)}
INDEX = ["root", "run_id", "runs", "action"]


class Action(StrEnum):
    """What became of a batch."""

    PASSED = "passed"  # nothing was odd: it counts since it was read
    HELD = "held"
    RELEASED = "released"  # by a person, as the next
    DROPPED = "dropped"


DECIDED = (Action.PASSED, Action.RELEASED, Action.DROPPED)
DECISION = "decided"  # of these there is one
BY_DIGITFLOW = "digitflow"


class Batch(Contract):
    """What a run has read, as it was when it was looked at."""

    run_id: str
    runs: list[str]  # whose rows it has: its own, and those that it went on from
    roots: list[str]
    source: str  # all of them, as a person reads them
    model_version: str
    began: int  # number of the last commit of the results before it
    started_at: str
    files: int
    pictures: int
    read: int
    review: int
    rejected: int
    findings: list[HeldFor] = Field(default_factory=list)
    profile: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """What somebody decided about a batch, or that it is held."""

    batch: Batch
    action: Action
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True)
class States:
    """Where the batches stand that were ever held; each by its run, with the runs of its rows."""

    waiting: dict[str, list[str]]
    released: dict[str, list[str]]
    dropped: dict[str, list[str]]

    @property
    def known(self) -> set[str]:
        """Return all runs whose rows are of such a batch."""
        parts = (self.waiting, self.released, self.dropped)
        return {run for part in parts for runs in part.values() for run in runs}


class BatchLog:
    """The table of a results table's batches, which is made by its first entry."""

    def __init__(self, results: str) -> None:
        """Take folder or URL of the results."""
        self.table = beside(results, BATCHES)

    def add(self, action: Action, batch: Batch, reason: str, by: str | None = None) -> bool:
        """Write down what becomes of a batch; False: it was held or decided before.

        Args:
            action: what becomes of it.
            batch: which one.
            reason: why.
            by: who says so; the user of this process, if not given.

        Raises:
            DigitflowError: it cannot be written.
        """
        values = {
            "root": batch.source,
            "run_id": batch.run_id,
            "runs": " ".join(batch.runs),
            "action": action.value,
            "at": datetime.now(UTC),
            "by": by or actor(),
            "reason": encodable(reason),
            "facts": json.dumps(batch.to_dict()),
        }
        kind = DECISION if action in DECIDED else action.value
        rows = pa.Table.from_pylist([values], SCHEMA)
        return until_there_is_room(self.table, lambda: self._add(rows, kind, batch.run_id))

    def _add(self, rows: pa.Table, kind: str, run_id: str) -> bool:
        """Commit rows unless that was done; they follow the version that was looked at."""
        if is_local(self.table):
            make_folder(Path(self.table))
        options = storage_options(self.table)
        version = DeltaTable.create(
            *(self.table, SCHEMA),
            mode="ignore",
            configuration=CONFIGURATION,
            storage_options=options,
        )
        if version.version() == 0:
            sync_commit(self.table, 0)
        transaction = f"{kind}/{run_id}"
        if version.transaction_version(transaction) is not None:
            if self._has(kind, run_id):
                return False
            # a lost machine has damaged the entry, and it was repaired away
            transaction = f"{transaction}/{version.version()}"
        properties = CommitProperties(
            app_transactions=[Transaction(transaction, 1)], max_commit_retries=0
        )
        storage = storage_of(self.table, options)
        added = write_rows(rows.to_batches(), SCHEMA, storage, self.table)
        try:
            commit_files(version, self.table, [added], SCHEMA, properties)
        except CommitFailedError:
            discard(added.path, self.table)
            raise
        return True

    def _has(self, kind: str, run_id: str) -> bool:
        actions = {entry.action for entry in self.entries([run_id])}
        return bool(actions.intersection(DECIDED if kind == DECISION else [Action.HELD]))

    def states(self) -> States:
        """Return where the batches stand that were ever held."""
        states = States({}, {}, {})
        by_action = {Action.HELD: {}, Action.RELEASED: states.released} | {
            Action.DROPPED: states.dropped
        }
        passed = Action.PASSED.value
        for row in self._rows(INDEX, pc.field("action") != passed):
            by_action[Action(row["action"])][row["run_id"]] = row["runs"].split()
        for run, runs in by_action[Action.HELD].items():
            if run not in states.released and run not in states.dropped:
                states.waiting[run] = runs
        return states

    def entries(self, runs: Sequence[str]) -> list[Entry]:
        """Return all about some batches, the oldest first."""
        wanted = pc.field("run_id").isin(pa.array(runs, pa.string()))
        rows = self._rows(SCHEMA.names, wanted) if runs else ()
        found = [
            Entry(
                Batch.from_dict(json.loads(row["facts"])),
                Action(row["action"]),
                row["at"],
                row["by"],
                row["reason"],
            )
            for row in rows
        ]
        return sorted(found, key=lambda entry: entry.at)

    def last(self, source: str, most: int) -> list[Batch]:
        """Return the last batches of a source that count, the oldest first."""
        counts = pa.array([Action.PASSED.value, Action.RELEASED.value], pa.string())
        wanted = (pc.field("root") == source) & pc.field("action").isin(counts)
        rows = sorted(self._rows(["run_id", "at"], wanted), key=lambda row: row["at"])
        entries = self.entries([row["run_id"] for row in rows[-most:]])
        decided = {entry.batch.run_id: entry.batch for entry in entries}
        return [decided[row["run_id"]] for row in rows[-most:]]

    def counting(self, since: datetime) -> Iterator[Batch]:
        """Yield the batches that count by a decision since a time, in no order, one at a time."""
        counts = pa.array([Action.PASSED.value, Action.RELEASED.value], pa.string())
        wanted = pc.field("action").isin(counts) & (pc.field("at") >= pa.scalar(since))
        for row in self._rows(["facts"], wanted):
            yield Batch.from_dict(json.loads(row["facts"]))

    def passed_batches(self, runs: Collection[str]) -> list[str]:
        """Return the batches with rows of these runs that nothing was odd about."""
        return [row["run_id"] for row in self._passed(runs)]

    def passed(self, runs: Collection[str]) -> set[str]:
        """Return all runs whose rows are of such a batch."""
        return {run for row in self._passed(runs) for run in row["runs"].split()}

    def _passed(self, runs: Collection[str]) -> Iterator[dict[str, Any]]:
        """Yield the entries of these; not all, which are ever more."""
        if runs:
            has = reduce(or_, (pc.match_substring(pc.field("runs"), run) for run in sorted(runs)))
            yield from self._rows(INDEX, has & (pc.field("action") == Action.PASSED.value))

    def batch_with(self, run: str) -> str | None:
        """Return the batch that has the rows of a run, or None."""
        has = pc.match_substring(pc.field("runs"), run)
        for row in self._rows(INDEX, has):
            if run in row["runs"].split():
                return str(row["run_id"])
        return None

    def _rows(self, columns: list[str], wanted: pc.Expression) -> Iterator[dict[str, Any]]:
        if not is_table(self.table):
            return
        with reading(self.table):
            version = DeltaTable(self.table, storage_options=storage_options(self.table))
            dataset = as_written(version, self.table)
            for batch in dataset.to_batches(columns=columns, filter=wanted, batch_size=FEW):
                yield from batch.to_pylist()


def held_files(results: str) -> HeldFiles | None:
    """Return which held rows say of files that they were read; None: nothing was ever held.

    Raises:
        DigitflowError: what became of the batches cannot be read.
    """
    held = held_table(results)
    if not is_table(held):
        return None
    states = BatchLog(results).states()
    waiting, dropped = (
        tuple(run for runs in part.values() for run in runs)
        for part in (states.waiting, states.dropped)
    )
    return HeldFiles(held, waiting, dropped) if waiting or dropped else HeldFiles(held)


def waiting_batches(results: str) -> list[Entry]:
    """Return by which entry each batch is held that waits for a decision, the oldest first.

    Raises:
        DigitflowError: they cannot be read.
    """
    log = BatchLog(results)
    return [
        entry for entry in log.entries(list(log.states().waiting)) if entry.action == Action.HELD
    ]
