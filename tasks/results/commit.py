"""Rows into the results table: each shard once, and no file twice because two runs read it at once.

The table is a Delta Lake table, whose commits are whole or not there. What two runs must not both
do is guarded by one application transaction for each root: of two commits that carry it at the same
time one fails, looks again, and leaves out what the other has read.

Each row holds the number of its commit. Readings of a file are ordered by that, since clocks are
set back and differ between machines. It is that of the table's version, or above all that are in
the table, whose rows may come from another one.
"""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from tasks.atomic import make_folder
from tasks.errors import DigitflowError
from tasks.outcomes import Reason
from tasks.results.names import NAMES, rename
from tasks.results.schema import SCHEMA
from tasks.results.table import (
    COUNTS,
    Text,
    dataset_of,
    error_text,
    of_roots,
    open_table,
    reading,
    scanner_of,
    storage_options,
)
from tasks.results.table_files import (
    append_partitioned,
    commit_files,
    discard,
    is_local,
    is_partitioned,
    storage_of,
    sync_commit,
    write_rows,
)

PATIENCE = 60.0  # seconds of conflicts with other writers
# Files are skipped by these columns alone, whatever else writes to the table: pyarrow skips a file
# of which it knows no least value, as where a column is all null, or of all but SKIPPED_BY in ours.
CONFIGURATION = {"delta.dataSkippingStatsColumns": "root,run_id,read_at"}
# metadata of our commits
ROOT, RUN, ROWS = "digitflow.root", "digitflow.run", "digitflow.rows"
MORE = "digitflow.more_roots"  # JSON, of a run that reads several
NUMBER = "digitflow.number"  # of the commit, as its rows have it
DECIDES = "digitflow.decides"  # see `WriterContext.redecides`

T = TypeVar("T")

_FILE = ["root", "path"]
_STATE = [*_FILE, "size", "mtime_ns"]
_one_at_a_time = threading.Lock()  # in this process, where waiting is cheaper than conflicts


@dataclass
class WriterContext:
    """Which run writes about which root, and what it knows of other runs that do the same."""

    table: str  # folder or URL
    root: str
    run_id: str
    version: int  # of the table up to which other runs are known
    more: tuple[str, ...] = ()  # roots, where the run reads several
    redecides: bool = False  # its rows are of pictures that were read before, and are not opened
    files_by_run: bool = False  # files are named by the run: see tasks/holding/held_rows.py
    other_runs: set[str] = field(default_factory=set)  # runs that have written about the root since
    other_commits: set[int] = field(default_factory=set)  # numbers of those commits
    number_offset: int | None = None  # by which numbers are above versions

    @property
    def roots(self) -> tuple[str, ...]:
        """Return all roots that the run reads."""
        return self.root, *self.more


@dataclass(frozen=True)
class Committed:
    """What a commit added."""

    rows: int
    others: int  # files left out, because another run has read them since this one began


def writer_of(table: str, roots: Sequence[str], run_id: str) -> WriterContext:
    """Return the context of a run that begins now; the table is made where there is none."""
    root, *more = roots
    return WriterContext(table, root, run_id, make_table(table), more=tuple(more))


def make_table(table: str) -> int:
    """Make the results table, or what it lacks of ours, and return its newest version.

    Raises:
        DigitflowError: it cannot be made.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _made(table)
        except CommitFailedError as error:  # other runs do so at the same moment
            if time.monotonic() > deadline:
                raise DigitflowError(f"{table} cannot be written: {error_text(error)}") from error
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - to get out of step
        except (OSError, DeltaError) as error:
            raise DigitflowError(f"{table} cannot be written: {error_text(error)}") from error


def _made(table: str) -> int:
    if is_local(table):
        make_folder(Path(table))
    made = DeltaTable.create(
        table,
        SCHEMA,
        mode="ignore",
        configuration=CONFIGURATION,
        storage_options=storage_options(table),
        commit_properties=CommitProperties(app_transactions=[NAMES]),
    )
    if made.version() == 0:
        sync_commit(table, 0)
    _bring_up_to_date(made, table)
    return made.version()


def _bring_up_to_date(made: DeltaTable, table: str) -> None:
    """Give a table of an earlier version, or that was copied, what it lacks of ours."""
    if not CONFIGURATION.items() <= made.metadata().configuration.items():
        made.alter.set_table_properties(CONFIGURATION)
        sync_commit(table, made.version())
    there = {field.name for field in made.schema().fields}
    lacking = [field for field in Schema.from_arrow(SCHEMA).fields if field.name not in there]
    if lacking:
        made.alter.add_columns(lacking)
        sync_commit(table, made.version())
    rename(made, table)


def commit(rows: pa.Table, transaction: str, writer: WriterContext) -> Committed:
    """Add the rows to the table, unless a commit of that transaction id is there.

    Files that another run has read since `writer` was made are left out.

    Args:
        rows: with the columns of SCHEMA, and others that somebody has added to the table.
        transaction: the run and shard these rows come from.
        writer: is brought up to date.

    Raises:
        DigitflowError: others kept writing for too long, or the table cannot be written.
    """
    return _until_there_is_room(writer.table, lambda: _commit(rows, transaction, writer))


def commit_changed(change: Callable[[], pa.Table], writer: WriterContext) -> int:
    """Add rows that are made of those that are current; return how many.

    The commit follows the very version that they were made of: where another one comes between,
    they are made anew.

    Args:
        change: makes the rows of whole files; none: nothing is committed.
        writer: which run commits.

    Raises:
        DigitflowError: others kept writing for too long, or the table cannot be read or written.
    """

    def attempt() -> int:
        latest = open_table(writer.table)
        rows = change()
        if rows.num_rows:
            _add(latest, rows.to_batches(), rows.schema, [], writer)
        return int(rows.num_rows)

    return _until_there_is_room(writer.table, attempt)


def _until_there_is_room(table: str, attempt: Callable[[], T]) -> T:
    with _one_at_a_time:
        return until_there_is_room(table, attempt)


def until_there_is_room(table: str, attempt: Callable[[], T]) -> T:
    """Return what an attempt to commit does, which is made again where others were faster.

    Args:
        table: folder or URL of any Delta table.
        attempt: raises CommitFailedError where another commit came between.

    Raises:
        DigitflowError: others kept writing for PATIENCE seconds, or the table cannot be written.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except CommitFailedError as error:
            if time.monotonic() > deadline:
                raise DigitflowError(
                    f"{table}: other writers left no room for {PATIENCE:.0f} s: {error_text(error)}"
                ) from error
            time.sleep(random.uniform(0.01, 0.2))  # noqa: S311 - to get out of step
        except (OSError, DeltaError, pa.ArrowException) as error:
            raise DigitflowError(f"{table} cannot be written: {error_text(error)}") from error


def _commit(rows: pa.Table, transaction: str, writer: WriterContext) -> Committed:
    # one handle for the questions and the commit: what others commit between is a conflict
    latest = open_table(writer.table)
    if latest.transaction_version(transaction) is not None:
        return Committed(rows.num_rows, 0)
    _note_others(latest, writer)
    fresh = _without(rows, latest, writer) if writer.other_runs else rows
    others = int(pc.sum(pc.equal(rows["page"], 0)).as_py()) - _files(fresh)
    if fresh.num_rows:
        _add(latest, fresh.to_batches(), fresh.schema, [Transaction(transaction, 1)], writer)
    return Committed(fresh.num_rows, others)


def commit_late(
    scan: Callable[[], Iterable[pa.RecordBatch]],
    transaction: str,
    writer: WriterContext,
    since: int,
) -> Committed | None:
    """Add rows that were read before other commits, however many; None: that was done before.

    Of a file that was read after a number of commits, as it is here or changed since, the later
    reading stays the current one: rows that were held must not supersede what was read after them.

    Args:
        scan: gives the rows, with the columns of SCHEMA; they are never all in memory, unless
            somebody has partitioned the table.
        transaction: of the commit.
        writer: which run commits.
        since: the number.

    Raises:
        DigitflowError: others kept writing for too long, or the table cannot be written.
    """
    return _until_there_is_room(
        writer.table, lambda: _commit_late(scan, transaction, writer, since)
    )


def _commit_late(
    scan: Callable[[], Iterable[pa.RecordBatch]],
    transaction: str,
    writer: WriterContext,
    since: int,
) -> Committed | None:
    latest = open_table(writer.table)
    if latest.transaction_version(transaction) is not None:
        return None
    superseding = _Later(latest, writer, since)
    rows = others = 0

    def fresh() -> Iterator[pa.RecordBatch]:
        nonlocal rows, others
        for batch in scan():
            stays = (not superseding.has(*key) for key in _keys(batch, _STATE))
            kept = batch.filter(pa.array(stays, pa.bool_()))
            rows += kept.num_rows
            others += _files(batch) - _files(kept)
            yield kept

    _add(latest, fresh(), SCHEMA, [Transaction(transaction, 1)], writer)
    return Committed(rows, others)


class _Later:
    """The files that commits after a number have rows of, and what they were then."""

    def __init__(self, latest: DeltaTable, writer: WriterContext, since: int) -> None:
        """Look at the rows of the writer's roots."""
        number, dataset = pc.field("commit_version"), dataset_of(latest, writer.table)

        def after(text: Text) -> pc.Expression:
            return of_roots(writer.roots, text) & COUNTS & (number > since)

        self._after = _states(scanner_of(dataset, after, _STATE).to_table())
        paths = pa.array({path for _, path in self._after}, pa.string())

        def before(text: Text) -> pc.Expression:
            found = of_roots(writer.roots, text) & text("path").isin(paths)
            return found & (number.is_null() | (number <= since))

        known = scanner_of(dataset, before, _STATE).to_table() if self._after else None
        self._before = _states(known) if known else {}

    def has(self, root: str, path: str, size: int | None, mtime_ns: int | None) -> bool:
        """Tell whether a file was read later than as it is here.

        What it was before is none of that: such a row was only decided anew, or answered.
        """
        before = self._before.get((root, path), set())
        after = self._after.get((root, path), set())
        return any(state == (size, mtime_ns) or state not in before for state in after)


def _states(rows: pa.Table) -> dict[tuple[str, str], set[tuple[int | None, int | None]]]:
    """Return sizes and times of each file, by root and path."""
    states: dict[tuple[str, str], set[tuple[int | None, int | None]]] = {}
    for root, path, *state in _keys(rows, _STATE):
        states.setdefault((root, path), set()).add((state[0], state[1]))
    return states


def _add(
    latest: DeltaTable,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    transactions: list[Transaction],
    writer: WriterContext,
) -> None:
    """Add rows, if there are any, in the one commit that follows a version."""
    number = _number(latest, writer)
    numbered = _Numbered(batches, number)
    if is_partitioned(latest):
        rows = pa.Table.from_batches(numbered, schema)
        if rows.num_rows:
            properties = _properties(writer, number, rows.num_rows, transactions)
            append_partitioned(latest, writer.table, rows, properties)
        return
    table = writer.table
    storage = storage_of(table, storage_options(table))
    start = writer.run_id if writer.files_by_run else "rows"
    added = write_rows(numbered, schema, storage, table, start)
    if not numbered.rows:
        discard(added.path, table)
        return
    try:
        properties = _properties(writer, number, numbered.rows, transactions)
        commit_files(latest, table, [added], schema, properties)
    except CommitFailedError:  # the next attempt has another number
        discard(added.path, table)
        raise


class _Numbered:
    """Gives rows the number of their commit, and counts them, as they pass."""

    def __init__(self, batches: Iterable[pa.RecordBatch], number: int) -> None:
        """Take the rows, and the number."""
        self._batches, self._number = batches, number
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield them."""
        for batch in self._batches:
            column = batch.schema.get_field_index("commit_version")
            number = pa.repeat(pa.scalar(self._number, pa.int64()), batch.num_rows)
            self.rows += batch.num_rows
            yield batch.set_column(column, batch.schema.field(column), number)


def _properties(
    writer: WriterContext, number: int, rows: int, transactions: list[Transaction]
) -> CommitProperties:
    guards = (hashlib.sha256(root.encode()).hexdigest() for root in dict.fromkeys(writer.roots))
    return CommitProperties(
        custom_metadata={
            **{ROOT: writer.root, RUN: writer.run_id, ROWS: rows},
            **({MORE: json.dumps(writer.more)} if writer.more else {}),
            NUMBER: number,
            **({DECIDES: "yes"} if writer.redecides else {}),
        },
        app_transactions=[*transactions, *(Transaction(f"root/{guard}", 1) for guard in guards)],
        max_commit_retries=0,
    )


def _number(latest: DeltaTable, writer: WriterContext) -> int:
    """Return the number of the commit that follows a version."""
    if writer.number_offset is None:
        writer.number_offset = max(0, _highest_number(latest, writer.table) - latest.version())
    return latest.version() + 1 + writer.number_offset


def _highest_number(latest: DeltaTable, table: str) -> int:
    numbers = dataset_of(latest, table).to_batches(columns=["commit_version"])
    return max((pc.max(batch["commit_version"]).as_py() or 0 for batch in numbers), default=0)


def _files(rows: pa.Table) -> int:
    return int(pc.sum(pc.equal(rows["page"], 0), min_count=0).as_py())


def _note_others(latest: DeltaTable, writer: WriterContext) -> None:
    """Look at the commits since the last look for other runs that write about the same root."""
    unseen = latest.version() - writer.version
    if unseen > 0:
        for entry in latest.history(unseen):
            # a picture that is read stays so, whatever is made of its earlier reading meanwhile
            counts = writer.redecides or not entry.get(DECIDES)
            theirs = {entry.get(ROOT), *json.loads(entry.get(MORE, "[]"))}
            same = not theirs.isdisjoint(writer.roots)
            if counts and same and entry.get(RUN) != writer.run_id:
                writer.other_runs.add(str(entry[RUN]))
                writer.other_commits.add(int(entry.get(NUMBER, entry["version"])))
        writer.version = latest.version()


def _without(rows: pa.Table, latest: DeltaTable, writer: WriterContext) -> pa.Table:
    """Return the rows of files that no other run has read as they are.

    What another run has read and taken away has not vanished.
    """
    key = _STATE

    def wanted(text: Text) -> pc.Expression:
        return (
            of_roots(writer.roots, text)
            & COUNTS
            & text("run_id").isin(sorted(writer.other_runs))
            & pc.field("commit_version").isin(sorted(writer.other_commits))
            & text("path").isin(rows["path"].combine_chunks())
        )

    latest_rows = dataset_of(latest, writer.table)
    theirs = scanner_of(latest_rows, wanted, [*key, "original"]).to_table()
    known = set(_keys(theirs, key))
    taken = set(_keys(theirs.filter(theirs["original"].is_valid()), _FILE))
    gone = pc.equal(rows["reason"], Reason.VANISHED).to_pylist()
    fresh = (
        each not in known and not (vanished and each[: len(_FILE)] in taken)
        for each, vanished in zip(_keys(rows, key), gone, strict=True)
    )
    return rows.filter(pa.array(fresh, pa.bool_()))


def last_number(writer: WriterContext) -> int:
    """Return the number of the last commit of a writer's table.

    Raises:
        DigitflowError: the table cannot be read.
    """
    with reading(writer.table):
        return _number(open_table(writer.table), writer) - 1


def _keys(rows: pa.Table, names: list[str]) -> Any:
    return zip(*(rows[name].to_pylist() for name in names), strict=True)
