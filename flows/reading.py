"""All pending shards, read in parallel: by processes of this machine, or on a cluster."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from flows.runner import LOCAL, ClusterConfig, Runner
from flows.terminal.console import AdvanceBy, Console
from tasks.inference.batch import ReadPlan, Seconds
from tasks.inference.shard import ShardDone, pack, read_shard, read_shard_remotely
from tasks.inference.worker_pool import WorkerPool, workers_for
from tasks.inputs.base import Entry
from tasks.inputs.listing import Listing, Shard, entries_of, shards
from tasks.reporting.document import plural
from tasks.results.commit import WriterContext
from tasks.settings.reading import PredictSettings
from tasks.timing import Stages

WORTH_A_TASK = 500  # files; a cluster's task run costs what reading so many does


@dataclass(frozen=True)
class Reading:
    """What is read, by whom, and where its rows go."""

    plan: ReadPlan
    pending: Listing
    processes: WorkerPool  # of this machine; a cluster's machines start their own
    writer: WriterContext
    settings: PredictSettings


def read_all(reading: Reading, stages: Stages, console: Console, runner: Runner) -> int:
    """Read all shards and commit their rows; return how many files another run has read.

    Args:
        reading: what is read.
        stages: is told where the time went.
        console: shows how far it is.
        runner: runs the shards.

    Raises:
        DigitflowError: a shard could not be read; those that were stay.
    """
    began = time.perf_counter()
    done: list[ShardDone] = []
    workers = workers_of(reading.pending, reading.settings)
    with (
        logging_how_to_go_on(reading, done, console),
        console.reading(reading.pending.count) as advance,
    ):
        if reading.settings.runner == LOCAL:
            done.extend(_here(reading, workers, advance, runner))
        else:
            for shard_done in _on_cluster(reading, runner):
                done.append(shard_done)
                advance(shard_done.files, shard_done.rejected)
    spent = Seconds()
    for shard_done in done:
        spent.add(shard_done.seconds)
    committing = sum(shard_done.commit_seconds for shard_done in done)
    stages.add_parallel(time.perf_counter() - began, vars(spent) | {"commit": committing}, workers)
    return sum(shard_done.others for shard_done in done)


def cluster_of(settings: PredictSettings) -> ClusterConfig:
    """Return where the shards are read."""
    return ClusterConfig(settings.runner, settings.address)


def workers_of(listing: Listing, settings: PredictSettings) -> int:
    """Return how many processes of this machine are to read so many files."""
    return settings.workers or workers_for(listing.count, listing.size)


def _here(
    reading: Reading, workers: int, advance: AdvanceBy, runner: Runner
) -> Iterator[ShardDone]:
    reading.processes.resize(workers)
    parts = shards(reading.pending, workers)
    plan = replace(reading.plan, shards=len(parts))
    jobs = (
        (plan, part.number, _files_of(reading, part), reading.processes, reading.writer, advance)
        for part in parts
    )
    # one more than processes: its shard is committed while the others read
    here, stop = cluster_of(reading.settings), reading.processes.close
    return runner.map(read_shard, jobs, workers + 1, here, stop)


def _on_cluster(reading: Reading, runner: Runner) -> Iterator[ShardDone]:
    """Hand the shards to a cluster whose machines share source and results, and nothing else."""
    parts = shards(reading.pending, max(1, reading.pending.count // WORTH_A_TASK))
    plan, start = replace(reading.plan, shards=len(parts)), reading.processes.start
    jobs = (
        (plan, part.number, pack(_files_of(reading, part)()), start, reading.writer)
        for part in parts
    )
    cluster, stop = cluster_of(reading.settings), reading.processes.close
    return runner.map(read_shard_remotely, jobs, len(parts), cluster, stop)


def _files_of(reading: Reading, shard: Shard) -> Callable[[], list[Entry]]:
    """Return what gives the files of a shard when it is read."""
    return partial(entries_of, reading.pending.file, shard.start, shard.stop)


@contextmanager
def logging_how_to_go_on(
    reading: Reading, done: list[ShardDone], console: Console
) -> Iterator[None]:
    """Say what is safe when reading is stopped, whatever stops it."""
    try:
        yield
    except BaseException:
        files = sum(shard_done.files for shard_done in done)
        console.log(
            "Interrupted",
            f"run {reading.plan.run_id} has read and kept {files:,} of "
            f"{plural(reading.pending.count, 'file')}; the same command goes on from there",
        )
        raise
