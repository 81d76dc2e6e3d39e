"""What a run read is taken back: its rows stay as history, and count no more.

Earlier readings of its files are current again; files without one are as unread, so that the next
run reads them. Who did so, when and why stands in each row and in the commit.
"""

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.dataset import dataset

from tasks.errors import InputError
from tasks.results.commit import make_table, until_there_is_room
from tasks.results.table import (
    ROW_BATCH,
    current_rows,
    dataset_of,
    of_run,
    open_table,
    reading,
    scanner_of,
    storage_options,
)
from tasks.results.table_files import (
    commit_files,
    data_files,
    discard,
    is_partitioned,
    storage_of,
    write_rows,
)
from tasks.runs import goes_on
from tasks.storage.journal import actor
from tasks.visible import encodable

RUN, REASON, BY = "digitflow.taken_back", "digitflow.reason", "digitflow.by"  # of the commit
FILE = ["root", "path"]


@dataclass(frozen=True)
class TakenBack:
    """What became of the pictures of a run that was taken back."""

    run: str
    reason: str
    rows: int  # that count no more
    files: int
    current_again: int  # of these: an earlier reading counts
    unread: int  # the next run reads them
    later: dict[str, int]  # files of it that later runs have read or decided anew, by run
    gone: int  # files that were moved or deleted after they had been read

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def take_back(table: str, runs: Path, run: str, reason: str) -> TakenBack:
    """Let the rows of a run count no more.

    Args:
        table: folder or URL of the results.
        runs: folder of the runs of this machine.
        run: its id.
        reason: why, for those who look at the rows later.

    Raises:
        InputError: there is no such run, it goes on, or it was taken back before.
        DigitflowError: the table cannot be written.
    """
    run, reason, by = encodable(run), encodable(reason), actor()
    open_table(table)
    make_table(table)  # with all columns of today
    rows, number = _rows_of(table, run, runs)
    said = f"{datetime.now(UTC).isoformat(timespec='seconds')} {by}: {reason}"
    properties = {RUN: run, REASON: reason, BY: by}
    until_there_is_room(table, lambda: _mark(table, run, said, properties))
    files = rows.group_by(FILE).aggregate([])
    left = current_rows(table, files, columns=[*FILE, "page", "run_id", "commit_version"])
    left = left.group_by([*FILE, "run_id"]).aggregate([("commit_version", "max")])
    later = left.filter(pc.greater(pc.fill_null(left["commit_version_max"], -1), number))
    return TakenBack(
        run=run,
        reason=reason,
        rows=rows.num_rows,
        files=files.num_rows,
        current_again=left.num_rows - later.num_rows,
        unread=files.num_rows - left.num_rows,
        later={
            pair["values"]: pair["counts"] for pair in later["run_id"].value_counts().to_pylist()
        },
        gone=rows.filter(rows["original"].is_valid()).group_by(FILE).aggregate([]).num_rows,
    )


def _rows_of(table: str, run: str, runs: Path) -> tuple[pa.Table, int]:
    """Return the rows of a run, and the number of its last commit.

    Raises:
        InputError: there are none, or they may not be taken back.
    """
    if goes_on(runs / run):
        raise InputError(f"run {run} goes on: stop it, or wait for its end, and take it back then")
    columns = [*FILE, "original", "taken_back", "commit_version"]
    all_rows = dataset_of(open_table(table), table)
    with reading(table):
        wanted = scanner_of(all_rows, of_run(run), columns)
        rows: pa.Table = wanted.to_table()
    if not rows.num_rows:
        raise InputError(
            f"no rows of a run {run!r} in {table}: `digitflow results` shows the run of each row"
        )
    if rows["taken_back"].null_count == 0:
        raise InputError(f"run {run} was taken back already: {rows['taken_back'][0].as_py()}")
    return rows, pc.max(rows["commit_version"]).as_py() or 0


def _mark(table: str, run: str, said: str, properties: dict[str, str]) -> None:
    """Write the files anew that have rows of a run, in one commit that follows what was looked at.

    Raises:
        CommitFailedError: another commit came between.
    """
    version = open_table(table)
    commit_properties = CommitProperties(custom_metadata=properties, max_commit_retries=0)
    if is_partitioned(version):
        raise InputError(
            f"{table} was partitioned by another program, which may mark the rows, too: set "
            "taken_back where run_id is that of the run"
        )
    schema, storage = (
        dataset_of(version, table).schema,
        storage_of(table, storage_options(table)),
    )
    actions = list[AddAction | RemoveAction]()
    try:
        for file in data_files(version):
            rows = dataset([file.path], schema, format="parquet", filesystem=storage)
            if scanner_of(rows, of_run(run)).count_rows():
                batches = rows.to_batches(batch_size=ROW_BATCH, batch_readahead=1)
                changed = (_marked(batch, run, said) for batch in batches)
                gone = RemoveAction(file.path, True, int(time.time() * 1000), size=file.size)
                actions += [write_rows(changed, schema, storage, table), gone]
        commit_files(version, table, actions, schema, commit_properties)
    except BaseException:
        for added in actions:
            if isinstance(added, AddAction):
                discard(added.path, table)
        raise


def _marked(batch: pa.RecordBatch, run: str, said: str) -> pa.RecordBatch:
    place = batch.schema.get_field_index("taken_back")
    of_run = pc.equal(batch["run_id"], run)
    column = pc.if_else(of_run, pa.scalar(said), batch["taken_back"])
    return batch.set_column(place, batch.schema.field(place), column)
