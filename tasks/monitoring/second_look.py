"""A second look at some pictures of a batch, done by a worker, which has the model already."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.inference.decision import Thresholds
from tasks.inference.session import ModelSession
from tasks.inference.worker import SessionJob
from tasks.monitoring.batch_profile import BatchProfile
from tasks.monitoring.control_digits import with_sample
from tasks.processes.page_process import DecodedPage


@dataclass(frozen=True)
class SecondLook(SessionJob):
    """What `with_sample` takes, beside the session."""

    profile: BatchProfile
    pages: Sequence[DecodedPage]
    controls: int
    thresholds: Thresholds
    seed: int

    def run(self, session: ModelSession) -> BatchProfile:
        """Return the profile with what the look tells."""
        return with_sample(
            self.profile, self.pages, self.controls, session, self.thresholds, self.seed
        )
