"""Second looks at pictures of a batch, as jobs of a worker, which has the model already."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.inference.decision import Thresholds
from tasks.inference.session import ModelSession
from tasks.inference.worker import SessionJob
from tasks.monitoring.batch_profile import BatchProfile
from tasks.monitoring.second_look import with_sample, with_views
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


@dataclass(frozen=True)
class CloserLook(SessionJob):
    """What `with_views` takes, beside the session."""

    profile: BatchProfile
    pages: Sequence[DecodedPage]

    def run(self, session: ModelSession) -> BatchProfile:
        """Return the profile with what the look tells."""
        return with_views(self.profile, self.pages, session)
