"""A second look at some pictures of a batch: their light, their position, and control digits.

All of it takes a tenth of the time of reading at most, or of small batches some 40 ms.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tasks.inference.decision import Thresholds
from tasks.inference.session import ModelSession
from tasks.monitoring.batch_profile import BatchProfile, with_looks
from tasks.monitoring.control_digits import control_digits, sampled_of
from tasks.monitoring.control_reading import read_control_digits
from tasks.monitoring.turned_views import viewed
from tasks.processes.page_process import DecodedPage

LOOKED_AT, CONTROLS = 0.025, 0.012  # of the pictures of a batch: looked at; drawn like them
LEAST_LOOKED_AT, MOST_LOOKED_AT = 12, 120
LEAST_CONTROLS, MOST_CONTROLS = 4, 60
CLOSER = 60  # pictures of a batch that turned out to be odd: what is wrong is then said surely
TIME_SHARE = 0.1  # of the time of reading, that all this takes at most
LOOK_S, CONTROL_S = 3e-3, 6e-3  # seconds of one, of which few are known to take more


class SampleSize(NamedTuple):
    """How many pictures of a batch are looked at again, and how many control digits drawn."""

    pictures: int
    controls: int


def sample_size(pictures: int, seconds: float | None = None) -> SampleSize:
    """Return how much is sampled of a batch: so little that it takes a tenth of its time.

    Args:
        pictures: in the batch.
        seconds: that reading them took, all processes together; None: as pictures of some 100 px
            take. Of small pictures that are read quickly less is sampled, but never nothing.
    """
    looked_at = min(MOST_LOOKED_AT, max(LEAST_LOOKED_AT, round(LOOKED_AT * pictures)))
    controls = min(MOST_CONTROLS, max(LEAST_CONTROLS, round(CONTROLS * pictures)))
    if seconds is not None:
        share = TIME_SHARE * seconds / (looked_at * LOOK_S + controls * CONTROL_S)
        looked_at = max(LEAST_LOOKED_AT, int(min(1.0, share) * looked_at))
        controls = max(LEAST_CONTROLS, int(min(1.0, share) * controls))
    return SampleSize(min(pictures, looked_at), min(pictures, controls))


def with_sample(
    profile: BatchProfile,
    pages: Sequence[DecodedPage],
    controls: int,
    session: ModelSession,
    thresholds: Thresholds,
    seed: int,
) -> BatchProfile:
    """Return a profile with what a second look at some of its pictures tells.

    Args:
        profile: of a batch, as its rows give it.
        pages: as many of its pictures as `sample_size` says, drawn by chance from those with ink,
            with their thumbnails.
        controls: how many control digits to draw, as `sample_size` says.
        session: has the model.
        thresholds: of the run.
        seed: of what is drawn.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    random = np.random.default_rng(seed)
    sampled = [sampled_of(page) for page in pages]
    models = [each for each in sampled if each.look.ink > 0]
    drawn = list(control_digits(models, profile.digits, controls if models else 0, random))
    control = read_control_digits(drawn, session, thresholds)
    looked = with_looks(profile, [each.look for each in sampled])
    return with_views(looked.model_copy(update={"control": control}), pages, session)


def with_views(
    profile: BatchProfile, pages: Sequence[DecodedPage], session: ModelSession
) -> BatchProfile:
    """Return a profile with whether pictures show digits once they are turned.

    A batch that is odd is looked at again, CLOSER pictures of it, before its findings are kept.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    forms = [page.form for page in pages if not page.ink.blank]
    return profile.model_copy(update={"views": viewed(forms, session)})
