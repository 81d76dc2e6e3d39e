"""Some pictures of a batch are read again, and digits in their look, before it is judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from flows.holding.look_jobs import CloserLook, SecondLook
from tasks.errors import DigitflowError
from tasks.inference.decision import Thresholds
from tasks.inference.worker import SessionJob
from tasks.inference.worker_pool import WorkerPool
from tasks.inputs.base import Inputs
from tasks.monitoring.batch_profile import BatchProfile
from tasks.monitoring.row_sample import RowSample
from tasks.monitoring.second_look import CLOSER, sample_size
from tasks.processes.page_process import DecodedPage
from tasks.processes.watched_process import ProcessDied
from tasks.progress import ProgressLog
from tasks.reporting.samples import pages_at


def seed_of(run_id: str) -> int:
    """Return what decides by chance in a run: always the same, and another one in the next."""
    return crc32(run_id.encode())


@dataclass(frozen=True)
class BatchReader:
    """What the pictures of a batch were read with, to look at some of them again.

    A look that fails is said, and the batch is judged without: its rows are whole all the same.
    """

    inputs: Inputs
    workers: WorkerPool
    thresholds: Thresholds
    seconds: float  # on the clock, that reading them took
    log: ProgressLog

    def second_look(self, profile: BatchProfile, sample: RowSample, seed: int) -> BatchProfile:
        """Return a profile with what some pictures tell, and control digits drawn like them."""
        size = sample_size(profile.pictures, self.seconds)
        pages = self._pages(sample, size.pictures)
        return self._looked(
            profile, SecondLook(profile, pages, size.controls, self.thresholds, seed)
        )

    def closer_look(self, profile: BatchProfile, sample: RowSample) -> BatchProfile:
        """Return the profile of a batch that is odd with what more of its pictures tell."""
        return self._looked(profile, CloserLook(profile, self._pages(sample, CLOSER)))

    def _pages(self, sample: RowSample, count: int) -> Sequence[DecodedPage]:
        roots = self.inputs.roots
        places = [(roots.path(at.root, at.path), at.page) for at in sample.places(count)]
        found = pages_at(self.inputs, places, acquire=self.workers.acquire, thumbnails=True)
        return [page for page in found if isinstance(page, DecodedPage)]

    def _looked(self, profile: BatchProfile, job: SessionJob) -> BatchProfile:
        try:
            with self.workers.acquire() as worker:
                looked: BatchProfile = worker.do(job)
                return looked
        except (ProcessDied, DigitflowError) as error:
            self.log.log("Second look", f"none, the batch is checked without: {error}")
            return profile
