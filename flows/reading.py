"""All pending shards, read beside each other: by processes of this machine, or on a cluster."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from flows.engine import LOCAL, AdvanceBy, Crew, Engine
from tasks.inference.batch import ReadPlan, Seconds
from tasks.inference.shard import ShardDone, pack, read_shard, read_shard_remotely
from tasks.inference.worker_pool import WorkerPool, workers_for
from tasks.inputs.base import Entry
from tasks.inputs.listing import Listing, Shard, entries_of, shards
from tasks.reporting.document import plural
from tasks.results.commit import Origin
from tasks.settings import PredictSettings
from tasks.timing import Stages

WORTH_A_TASK = 500  # files; a cluster's task run costs what reading so many does


def read_all(
    plan: ReadPlan,
    pending: Listing,
    processes: WorkerPool,
    origin: Origin,
    settings: PredictSettings,
    stages: Stages,
    engine: Engine,
) -> int:
    """Read all shards and commit their rows; return how many files another run has read.

    Args:
        plan: what every shard has to know.
        pending: the files to read.
        processes: read here; a cluster's machines start their own.
        origin: which run commits.
        settings: how many processes, and on which runner.
        stages: is told where the time went.
        engine: runs the shards.

    Raises:
        DigitflowError: a shard could not be read; those that were stay.
    """
    began = time.perf_counter()
    done: list[ShardDone] = []
    with (
        telling_how_to_go_on(plan, pending, done, engine),
        engine.reading(pending.count) as advance,
    ):
        lanes = lanes_for(pending, settings)
        if settings.runner == LOCAL:
            done.extend(_here(plan, pending, processes, origin, lanes, advance, engine))
        else:
            for shard_done in _on_cluster(plan, pending, processes, origin, settings, engine):
                done.append(shard_done)
                advance(shard_done.files, shard_done.rejected)
    spent = Seconds()
    for shard_done in done:
        spent.add(shard_done.seconds)
    committing = sum(shard_done.commit_seconds for shard_done in done)
    stages.beside(time.perf_counter() - began, vars(spent) | {"commit": committing}, lanes)
    return sum(shard_done.others for shard_done in done)


def lanes_for(listing: Listing, settings: PredictSettings) -> int:
    """Return how many processes of this machine are to read so many files."""
    return settings.workers or workers_for(listing.count, listing.size)


def _here(
    plan: ReadPlan,
    pending: Listing,
    processes: WorkerPool,
    origin: Origin,
    workers: int,
    advance: AdvanceBy,
    engine: Engine,
) -> Iterator[ShardDone]:
    processes.resize(workers)
    jobs = (
        (plan, shard.number, _files_of(pending, shard), processes, origin, advance)
        for shard in shards(pending, workers)
    )
    # one more than processes: its shard is committed while the others read
    return engine.spread(read_shard, jobs, Crew(workers + 1), processes.close)


def _on_cluster(
    plan: ReadPlan,
    pending: Listing,
    processes: WorkerPool,
    origin: Origin,
    settings: PredictSettings,
    engine: Engine,
) -> Iterator[ShardDone]:
    """Hand the shards to a cluster whose machines share source and results, and nothing else."""
    stretches = shards(pending, max(1, pending.count // WORTH_A_TASK))
    jobs = (
        (plan, shard.number, pack(_files_of(pending, shard)()), processes.start, origin)
        for shard in stretches
    )
    crew = Crew(len(stretches), settings.runner, settings.address)
    return engine.spread(read_shard_remotely, jobs, crew, processes.close)


def _files_of(listing: Listing, shard: Shard) -> Callable[[], list[Entry]]:
    """Return what gives the files of a shard when it is read."""
    return partial(entries_of, listing.file, shard.start, shard.stop)


@contextmanager
def telling_how_to_go_on(
    plan: ReadPlan, pending: Listing, done: list[ShardDone], engine: Engine
) -> Iterator[None]:
    """Say what is safe when reading is stopped, whatever stops it."""
    try:
        yield
    except BaseException:
        files = sum(shard_done.files for shard_done in done)
        engine.say(
            "Interrupted",
            f"run {plan.run_id} has read and kept {files:,} of {plural(pending.count, 'file')}; "
            "the same command goes on from there",
        )
        raise
