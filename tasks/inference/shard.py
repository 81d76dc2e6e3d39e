"""One shard of a listing: read by workers, its rows committed at once, or not at all."""

import pickle
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.errors import DigitflowError
from tasks.inference.audit import with_audit
from tasks.inference.batch import ReadPlan, Seconds
from tasks.inference.worker import ChunkRows, WorkerStart
from tasks.inference.worker_deaths import WorkerDeaths
from tasks.inference.worker_pool import WorkerPool
from tasks.inputs.base import Entry
from tasks.outcomes import Status
from tasks.processes.watched_process import ProcessDied
from tasks.results.commit import WriterContext, commit
from tasks.results.originals import with_fates
from tasks.results.table_files import is_local
from tasks.task import task

FILE_BATCH = 1_024  # files that a worker is sent at once: enough for the network

OnFiles = Callable[[int, int], None]
"""Is told how many more files were read, and how many of their pages were rejected."""


@dataclass(frozen=True)
class ShardDone:
    """What became of one shard."""

    files: int
    rows: int  # committed
    rejected: int  # of all that were read
    others: int  # files that another run has read meanwhile, whose rows here were left out
    seconds: Seconds
    commit_seconds: float


def _shard_name(parameters: Mapping[str, Any]) -> str:
    return f"read shard {parameters['number'] + 1} of {parameters['plan'].shards}"


@task(name="read shard", task_run_name=_shard_name)
def read_shard(
    plan: ReadPlan,
    number: int,
    files: Callable[[], Sequence[Entry]],
    pool: WorkerPool,
    writer: WriterContext,
    on_files: OnFiles,
) -> ShardDone:
    """Read the files of a shard, a batch at a time, and commit their rows at once.

    Args:
        plan: what every shard of the run has to know.
        number: of this shard; with the run's id it names the commit.
        files: gives the files; a function, since orchestrators look through what they are passed.
        pool: its workers read them.
        writer: which run commits.
        on_files: is told after every chunk.
    """
    entries = files()
    rows, seconds = read_rows(plan, entries, pool, on_files)
    whole = with_fates(with_audit(rows, plan.audit, plan.run_id), plan.originals)
    start = perf_counter()
    committed = commit(whole, f"{plan.run_id}/{number}", writer)
    spent_committing = perf_counter() - start
    return ShardDone(
        files=len(entries),
        rows=committed.rows,
        rejected=_rejected(whole),
        others=committed.others,
        seconds=seconds,
        commit_seconds=spent_committing,
    )


def tell_nobody(files: int, rejected: int) -> None:
    """Be told of files that were read, and do nothing."""


def read_rows(
    plan: ReadPlan,
    entries: Sequence[Entry],
    pool: WorkerPool,
    on_files: OnFiles = tell_nobody,
) -> tuple[pa.Table, Seconds]:
    """Return the rows of files, which one worker at a time reads, and where the time went."""
    tables: list[pa.Table] = []
    seconds = Seconds()
    with pool.slot():
        for at in range(0, len(entries), FILE_BATCH):
            batch = entries[at : at + FILE_BATCH]
            for rows in _read_isolating(plan, batch, pool):
                seconds.add(rows.seconds)
                tables.append(rows.table)
                on_files(rows.files, _rejected(rows.table))
    return pa.concat_tables(tables), seconds


def _rejected(rows: pa.Table) -> int:
    return int(pc.sum(pc.equal(rows["status"], Status.REJECTED), min_count=0).as_py())


def pack(entries: Sequence[Entry]) -> bytes:
    """Return files as bytes, which no orchestrator looks through."""
    return pickle.dumps([tuple(entry) for entry in entries])


@task(name="read shard", task_run_name=_shard_name)
def read_shard_remotely(
    plan: ReadPlan, number: int, packed: bytes, start: WorkerStart, writer: WriterContext
) -> ShardDone:
    """Read a shard on a machine that shares the source and the results with the run, and no more.

    Its workers stay for the next shard, and end with the process of the cluster.

    Args:
        plan: what every shard of the run has to know.
        number: of this shard.
        packed: its files, by `pack`.
        start: what to load: it has the model in it.
        writer: which run commits.

    Raises:
        DigitflowError: source or results are not there on this machine.
    """
    for location in (*plan.inputs.roots.names, writer.table):
        if is_local(location) and not Path(location).exists():
            raise DigitflowError(
                f"{location} is not there on {platform.node()}: the machines of a cluster have to "
                "share source and results, as a mounted folder or a bucket"
            )
    entries = [Entry(*each) for each in pickle.loads(packed)]  # noqa: S301 - packed by this run
    return read_shard(plan, number, lambda: entries, _pool_of(start), writer, tell_nobody)


_pool_of = lru_cache(maxsize=2)(WorkerPool)


def _read_isolating(
    plan: ReadPlan, entries: Sequence[Entry], pool: WorkerPool
) -> Iterator[ChunkRows]:
    """Yield the rows of a batch; a file that ends its worker again and again costs itself alone.

    A worker marks which file it is at work on, and sends what it has read chunk by chunk. So a
    bad file is found without a search, and what was read before it is not read again.

    Raises:
        ModelError: the network does not come to an end.
        DigitflowError: workers die although they are at work on no file.
    """
    done, deaths = 0, WorkerDeaths(pool.start)
    while done < len(entries):
        at = done
        try:
            with pool.acquire() as worker:
                for rows in worker.read(plan, entries[at:], deaths.prior_attempts(at)):
                    done += rows.files
                    yield rows
        except ProcessDied as died:
            if pool.closed:
                raise
            deaths.count(died, died.item_from(at))
