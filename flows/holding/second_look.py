"""Some pictures of a batch are read again, and digits in their look, before it is judged."""

from dataclasses import dataclass
from zlib import crc32

from tasks.errors import DigitflowError
from tasks.inference.decision import Thresholds
from tasks.inference.worker_pool import WorkerPool
from tasks.inputs.base import Inputs
from tasks.monitoring.batch_profile import BatchProfile
from tasks.monitoring.control_digits import sample_size
from tasks.monitoring.row_sample import RowSample
from tasks.monitoring.second_look import SecondLook
from tasks.processes.page_process import DecodedPage
from tasks.processes.watched_process import ProcessDied
from tasks.progress import ProgressLog
from tasks.reporting.samples import pages_at


@dataclass(frozen=True)
class BatchReader:
    """What the pictures of a batch were read with."""

    inputs: Inputs
    workers: WorkerPool
    thresholds: Thresholds
    seconds: float  # on the clock, that reading them took
    log: ProgressLog


def seed_of(run_id: str) -> int:
    """Return what decides by chance in a run: always the same, and another one in the next."""
    return crc32(run_id.encode())


def with_second_look(
    profile: BatchProfile, sample: RowSample, reader: BatchReader, seed: int
) -> BatchProfile:
    """Return a profile with what some of its pictures tell, and digits drawn like them.

    It goes without where that fails, which is said: the rows are whole all the same, and are held
    against those before them.
    """
    size = sample_size(profile.pictures, reader.seconds)
    roots = reader.inputs.roots
    places = [(roots.path(at.root, at.path), at.page) for at in sample.places(size.pictures)]
    found = pages_at(reader.inputs, places, acquire=reader.workers.acquire, thumbnails=True)
    pages = [page for page in found if isinstance(page, DecodedPage)]
    try:
        with reader.workers.acquire() as worker:
            looked: BatchProfile = worker.do(
                SecondLook(profile, pages, size.controls, reader.thresholds, seed)
            )
            return looked
    except (ProcessDied, DigitflowError) as error:
        reader.log.log("Control digits", f"none, the batch is checked without: {error}")
        return profile
