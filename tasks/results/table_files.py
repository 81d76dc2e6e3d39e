"""The files of the results table: data written and on the disk before a commit names it.

`deltalake` writes data and commit in one step and syncs neither, so that a lost machine could leave
a commit whose rows are gone. On a bucket each file is there for good once it is written.
"""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import FileSystem, LocalFileSystem, PyFileSystem, SubTreeFileSystem

from tasks.atomic import sync_file, sync_folder

LOG = "_delta_log"
ROW_GROUP = 16_384  # rows of a data file that lie and are read together
SKIPPED_BY = ("root", "run_id")  # columns by which readers skip files, as the log has their bounds


class DataFile(NamedTuple):
    """A file of a version of a table."""

    path: str  # in the folder of the table, as its file system names it
    size: int  # bytes
    rows: int | None  # where the log has them


def data_files(version: DeltaTable) -> list[DataFile]:
    """Return the files of a version; in the log their paths are URL-encoded."""
    return [
        DataFile(unquote(action["path"]), action["size_bytes"], action.get("num_records"))
        for action in pa.table(version.get_add_actions(flatten=True)).to_pylist()
    ]


def is_local(table: str) -> bool:
    """Tell whether a table is a folder of this machine, or one that is mounted."""
    return "://" not in table


def storage_of(table: str, options: dict[str, str]) -> FileSystem:
    """Return the folder of a table as a file system; a local one is Arrow's own."""
    if is_local(table):
        return SubTreeFileSystem(table, LocalFileSystem())
    return PyFileSystem(DeltaStorageHandler(table, options))


def write_rows(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    storage: FileSystem,
    table: str,
    start: str = "rows",
) -> AddAction:
    """Write a Parquet file into the folder of a table and return what a commit says of it.

    The rows are counted in the file; on a local disk it stays when the machine is lost.

    Args:
        batches: the rows, which are never all held.
        schema: of the table.
        storage: of the table, as `storage_of` returns it.
        table: folder or URL of the table.
        start: of the file's name.
    """
    name = f"{start}-{uuid4().hex}.parquet"
    bounds = {column: _Bounds() for column in SKIPPED_BY}
    count = 0
    try:
        with storage.open_output_stream(name) as sink, pq.ParquetWriter(sink, schema) as writer:
            for batch in _row_groups(batches, schema):
                writer.write_table(batch)
                count += batch.num_rows
                for column, bound in bounds.items():
                    bound.add(batch[column])
        if is_local(table):
            sync_file(Path(table) / name)
            sync_folder(Path(table))
        size = storage.get_file_info(name).size
    except BaseException:
        discard(name, table)
        raise
    return AddAction(
        path=name,
        size=size,
        partition_values={},
        modification_time=_now_ms(),
        data_change=True,
        stats=json.dumps(
            {
                "numRecords": count,
                "minValues": {column: bound.least for column, bound in bounds.items()},
                "maxValues": {column: bound.most for column, bound in bounds.items()},
                "nullCount": dict.fromkeys(bounds, 0),
            }
        ),
    )


def _row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield rows ROW_GROUP at least at a time: many small groups are slow to read."""
    waiting, count = list[pa.RecordBatch](), 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        if count >= ROW_GROUP:
            yield pa.Table.from_batches(waiting, schema)
            waiting, count = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def commit_files(
    version: DeltaTable,
    table: str,
    actions: list[AddAction | RemoveAction],
    schema: pa.Schema,
    properties: CommitProperties,
) -> None:
    """Add and remove files in the one commit that follows a version; on the disk when it returns.

    Args:
        version: the newest one, as it was looked at.
        table: folder or URL of it.
        actions: what is added lies in the folder already.
        schema: of the table.
        properties: of the commit, without retries: it follows this very version or fails.

    Raises:
        CommitFailedError: another commit came between.
    """
    number = version.version() + 1
    version.create_write_transaction(actions, "append", schema, commit_properties=properties)
    sync_commit(table, number)


def is_partitioned(version: DeltaTable) -> bool:
    """Tell whether somebody has divided a table into folders; ours never are."""
    return bool(version.metadata().partition_columns)


def append_partitioned(
    version: DeltaTable, table: str, rows: pa.Table, properties: CommitProperties
) -> None:
    """Add rows to a partitioned table in the one commit that follows a version.

    Which file they go to is the library's to know, so that they are synced after the commit, but
    before this returns. For the arguments see `commit_files`.

    Raises:
        CommitFailedError: another commit came between.
    """
    number = version.version() + 1
    write_deltalake(version, rows, mode="append", schema_mode="merge", commit_properties=properties)
    sync_rows(table, number)


def removal(path: str, size: int) -> RemoveAction:
    """Return the action that takes a file out of a table whose rows another file has by then."""
    return RemoveAction(path, data_change=False, deletion_timestamp=_now_ms(), size=size)


def discard(name: str, table: str) -> None:
    """Delete a file that no commit names.

    On a bucket it stays: a commit whose answer was lost looks like one that failed.
    """
    if is_local(table):
        (Path(table) / name).unlink(missing_ok=True)


def sync_rows(table: str, number: int) -> None:
    """Return when a commit that the library wrote is on the disk, and the rows that it adds."""
    if not is_local(table):
        return
    folder = Path(table)
    for line in (folder / LOG / f"{number:020}.json").read_text(encoding="utf-8").split("\n"):
        if added := json.loads(line or "{}").get("add"):
            name = Path(unquote(added["path"]))
            sync_file(folder / name)
            for parent in name.parents:
                sync_folder(folder / parent)
    sync_commit(table, number)


def sync_commit(table: str, number: int) -> None:
    """Return when a commit is on the disk, and the checkpoint that may have come with it.

    Also one that adds no rows: those after it do not hold without it.
    """
    if not is_local(table):
        return
    log = Path(table) / LOG
    for file in (*log.glob(f"{number:020}.*"), log / "_last_checkpoint"):
        if file.is_file():
            sync_file(file)
    sync_folder(log)


class _Bounds:
    """The least and the greatest text of a column."""

    def __init__(self) -> None:
        self.least: str | None = None
        self.most: str | None = None

    def add(self, column: Any) -> None:
        """Take the texts of a batch."""
        found = pc.min_max(column).as_py()
        self.least = min(filter(None, (self.least, found["min"])), default=None)
        self.most = max(filter(None, (self.most, found["max"])), default=None)


def _now_ms() -> int:
    return int(time.time() * 1000)
