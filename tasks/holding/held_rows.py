"""The table of held rows, beside the results: here lies what runs have read until it counts.

It has the columns of the results, and is written by the same code. Each of its files has rows of
one run, so that what is released leaves it as whole files. No query of the results sees it.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from tasks.results.commit import WriterContext, until_there_is_room, writer_of
from tasks.results.schema import SCHEMA
from tasks.results.table import (
    Condition,
    is_table,
    open_table,
    reading,
    scan,
)
from tasks.results.table_files import DataFile, commit_files, data_files

HELD = "held"
RUN = "run_id"


def beside(table: str, name: str) -> str:
    """Return folder or URL of a table beside the results; in them, where they are a whole bucket.

    Readers pass over what begins with an underscore.
    """
    bare = table.rstrip("/")
    scheme, _, place = bare.rpartition("://")
    return f"{bare}/_{name}" if scheme and "/" not in place else f"{bare}-{name}"


def held_table(results: str) -> str:
    """Return where the held rows of a results table lie."""
    return beside(results, HELD)


def held_writer(results: str, roots: Sequence[str], run_id: str) -> WriterContext:
    """Return the context of a run that holds its rows; the table is made where there is none."""
    return replace(writer_of(held_table(results), roots, run_id), files_by_run=True)


def of_runs(runs: Collection[str]) -> Condition:
    """Return what holds for the rows of some runs."""
    wanted = pa.array(sorted(runs), pa.string())
    return lambda text: text(RUN).isin(wanted)


def runs_held(held: str) -> set[str]:
    """Return the runs that have rows here; no row is read.

    Raises:
        DigitflowError: the table cannot be read.
    """
    if not is_table(held):
        return set()
    with reading(held):
        return {run for _, run in _files_by_run(open_table(held))}


def has_rows(held: str, runs: Collection[str]) -> bool:
    """Tell whether some runs have rows here, whoever has written their files by now.

    Raises:
        DigitflowError: the table cannot be read.
    """
    return is_table(held) and any(batch.num_rows for batch in scan(held, [RUN], of_runs(runs)))


def rows_of(held: str, runs: Collection[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some runs, a few at a time.

    Raises:
        DigitflowError: the table cannot be read.
    """
    return scan(held, SCHEMA.names, of_runs(runs))


def remove(held: str, runs: Collection[str]) -> None:
    """Take the rows of some runs out of the table; what others have taken out is no trouble.

    The files stay until a maintenance deletes them, a week later.

    Raises:
        DigitflowError: the table cannot be read or written.
    """
    until_there_is_room(held, lambda: _remove(held, runs))


def _remove(held: str, runs: Collection[str]) -> None:
    version, now = open_table(held), int(time.time() * 1000)
    removals: list[AddAction | RemoveAction] = [
        RemoveAction(file.path, True, now, size=file.size)
        for file, run in _files_by_run(version)
        if run in runs
    ]
    if removals:
        properties = CommitProperties(max_commit_retries=0)
        commit_files(version, held, removals, SCHEMA, properties)


def _files_by_run(version: DeltaTable) -> Iterator[tuple[DataFile, str]]:
    """Yield each file, and the run whose rows it has: its name says so, and nothing is opened.

    What deltalake 1.6.6 tells of the log has no bounds of `run_id`, which is no longer among the
    first 32 columns.
    """
    for file in data_files(version):
        run, _, _ = PurePosixPath(file.path).name.rpartition("-")
        yield file, run
