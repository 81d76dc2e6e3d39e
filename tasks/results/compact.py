"""Many small files of the results table into few: what keeps an hourly schedule quick for years.

Each commit adds a file, and whoever asks the table opens them all. Compacting changes no row: a
reader sees the files before or after, and a commit at the same moment makes one of the two wait.
"""

import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction
from pyarrow.dataset import dataset

from tasks.errors import DigitflowError
from tasks.results.table import (
    ROW_BATCH,
    as_written,
    error_text,
    open_table,
    reading,
    storage_options,
)
from tasks.results.table_files import (
    DataFile,
    commit_files,
    data_files,
    discard,
    is_partitioned,
    removal,
    storage_of,
    sync_commit,
    write_rows,
)
from tasks.task import task

MANY = 100  # small files: as many are worth a second
SMALL, LARGE = 2**20, 2**24  # bytes: what counts as small, and what files grow to
PATIENCE = 20.0  # seconds of other commits, until another run may try
TRANSACTION = "digitflow/compact"  # two commits that carry it at the same time exclude each other


def small_files(table: str) -> int:
    """Return how many files of the table are small."""
    return sum(file.size < SMALL for file in _joinable(table))


@task(name="compact the results", stage="compact")
def compact(table: str) -> bool:
    """Rewrite the small files as few; False if another run did so meanwhile, or kept writing.

    Files that earlier compacting has replaced are deleted once that is a week ago.

    Raises:
        DigitflowError: the table cannot be written.
    """
    try:
        done = all(_join(files, table) for files in _groups(_joinable(table)))
        delete_replaced(table)
    except (OSError, DeltaError, pa.ArrowException) as error:
        raise DigitflowError(f"{table} cannot be compacted: {error_text(error)}") from error
    return done


def replaced_files(table: str) -> list[str]:
    """Return the files that were replaced a week ago, or when the table says; they may go.

    Raises:
        DigitflowError: the table cannot be read.
    """
    version = open_table(table)
    with reading(table):
        return list(version.vacuum(dry_run=True, full=False))


def delete_replaced(table: str) -> None:
    """Delete files that were replaced or removed a week ago, or when the table says.

    By then nobody reads by an old version of it. How it went are commits of their own.
    """
    version = open_table(table)
    before = version.version()
    # by the table's own log: other files in its folder are somebody else's, pictures perhaps
    if version.vacuum(dry_run=False, full=False):
        for number in range(before + 1, open_table(table).version() + 1):
            sync_commit(table, number)


def _joinable(table: str) -> list[DataFile]:
    """Return the files of a table; none of one that somebody has partitioned, who compacts it."""
    version = open_table(table)
    return [] if is_partitioned(version) else data_files(version)


def _groups(files: list[DataFile]) -> Iterator[list[DataFile]]:
    """Yield files that one file can hold, two at least; those of half its size stay as they are."""
    group, size = list[DataFile](), 0
    for file in files:
        if file.size >= LARGE // 2:
            continue
        if size + file.size > LARGE:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    if len(group) > 1:
        yield group


def _join(files: list[DataFile], table: str) -> bool:
    """Put one file in the place of several; False if another writer was faster.

    `optimize.compact` is not for two runs at once: deltalake 1.6.6 lets a commit pass whose
    removals change no data, even those of files that are removed by then (delta-rs, issue 3982),
    and every row is there twice; it drops the transaction ids that it is given. So the commit is
    made here.
    """
    storage, paths = storage_of(table, storage_options(table)), [file.path for file in files]
    schema = as_written(open_table(table), table).schema
    rows = dataset(paths, schema, format="parquet", filesystem=storage)
    batches = rows.to_batches(batch_size=ROW_BATCH, batch_readahead=1, fragment_readahead=1)
    added = write_rows(batches, schema, storage, table)
    added.data_change = False
    written = pq.read_metadata(added.path, filesystem=storage).num_rows
    if written == rows.count_rows() and _replace(files, added, schema, table):
        return True
    discard(added.path, table)
    if written != rows.count_rows():
        raise DigitflowError(f"{table} is not compacted: the rows of its files are not all written")
    return False


def _replace(files: list[DataFile], added: AddAction, schema: pa.Schema, table: str) -> bool:
    """Commit that a file takes the place of others, as long as all of them are there."""
    removed = [removal(file.path, file.size) for file in files]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        latest = open_table(table)
        if not set(files) <= set(data_files(latest)):
            return False
        properties = CommitProperties(
            app_transactions=[Transaction(TRANSACTION, latest.version() + 1)], max_commit_retries=0
        )
        try:
            # it follows the version that was looked at, or fails
            commit_files(latest, table, [added, *removed], schema, properties)
        except CommitFailedError:
            continue
        return True
    return False
