"""Are the pictures of the data upright? A model that knows upright digits reads some in each way.

A network learns pictures that lie on their side as well as others, and its test part lies as they
do: nothing that follows would notice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.data.orientation import UPRIGHT
from tasks.data.snapshot import Part, Snapshot
from tasks.device import cpu, usable_cores
from tasks.errors import DatasetError
from tasks.inference.model_file import Model
from tasks.inference.session import ModelSession
from tasks.metrics.paired_test import paired
from tasks.not_measured import fails_closed
from tasks.settings.training import Orientation

Pictures = NDArray[np.uint8]

SAMPLE = 500  # pictures of each part, evenly spread over it
PARTS = (Part.TEST, Part.TRAIN)  # the first judges, the second is learned
READ_WELL = 0.6  # share right; digits that the model does not know are read in no way so well
CLEARLY = 0.2  # share right more than as given, 95 % sure


@dataclass(frozen=True)
class Way:
    """How pictures may be, beside upright and bright ink on 0."""

    lie: Orientation | None = None  # None: upright
    inverted: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        words = [self.lie or "", "inverted" if self.inverted else ""]
        return " and ".join(filter(None, words)) or "upright"

    def undone(self, images: Pictures) -> Pictures:
        """Return pictures that are so as they should be."""
        turned = np.ascontiguousarray(UPRIGHT[self.lie](images) if self.lie else images)
        return 255 - turned if self.inverted else turned

    def undoing(self) -> str:
        """Return in words what a user does about it."""
        inversion = "save 255 - x" if self.inverted else ""
        turning = f"--orientation {self.lie} brings them upright, for this training alone"
        return ", and ".join(filter(None, (inversion, turning if self.lie else "")))


GIVEN = Way()
WAYS = [Way(lie, inverted) for inverted in (False, True) for lie in (None, *UPRIGHT)]


@dataclass(frozen=True)
class Readings:
    """How a model that knows upright digits reads a sample of one part."""

    part: str
    count: int  # pictures
    given: float  # share right as they are
    way: Way  # that pictures are in by what is read: undone, most of them are right
    best: float  # share right once it is undone
    clearly: bool  # another way than as given, and clearly better


@fails_closed
def read_in_every_way(model: Model, snapshot: Snapshot) -> list[Readings]:
    """Read a sample of the test part and of the training part in the eight ways, and inverted.

    Args:
        model: that knows upright digits.
        snapshot: the data.

    Raises:
        ModelError: the model cannot be used.
    """
    session = ModelSession(model, cpu(), usable_cores())
    return [_readings(session, part.key, *_sample(snapshot, part)) for part in PARTS]


def _sample(snapshot: Snapshot, part: Part) -> tuple[Pictures, NDArray[np.int8]]:
    of_part = np.flatnonzero(snapshot.splits == part)
    chosen = of_part[np.unique(np.linspace(0, len(of_part) - 1, SAMPLE).astype(np.intp))]
    return snapshot.images[chosen], snapshot.labels[chosen]


def _readings(
    session: ModelSession, part: str, images: Pictures, labels: NDArray[np.int8]
) -> Readings:
    right = {
        way: session.answers(way.undone(images)).probabilities.argmax(1) == labels for way in WAYS
    }
    best = max(right, key=lambda way: int(right[way].sum()))  # the first of equals
    share = float(right[best].mean())
    better = paired(right[best], right[GIVEN]).lower_bound > CLEARLY
    return Readings(
        part=part,
        count=len(labels),
        given=float(right[GIVEN].mean()),
        way=best,
        best=share,
        clearly=better and share >= READ_WELL,
    )


def require_upright(readings: list[Readings], source: str, orientation: Orientation) -> None:
    """Refuse data that is clearly read better in another way than it is given in.

    Args:
        readings: of each part.
        source: what the data is called.
        orientation: from which the pictures were brought upright, by what the user says.

    Raises:
        DatasetError: it is; the way that fits is named, and what to do.
    """
    for found in readings:
        if not found.clearly:
            continue
        shares = (
            f"of {found.count:,} pictures of the {found.part} part the shipped model reads "
            f"{found.given:.1%} right"
        )
        if orientation in UPRIGHT:
            raise DatasetError(
                f"data {source}: --orientation {orientation} does not fit: {shares}, and "
                f"{found.best:.1%} once they are turned further: leave it out to be told what fits"
            )
        raise DatasetError(
            f"data {source}: its pictures are {found.way}: {shares} as given, and {found.best:.1%} "
            f"once that is undone: {found.way.undoing()}; --orientation as-given trains on them as "
            "they are"
        )
