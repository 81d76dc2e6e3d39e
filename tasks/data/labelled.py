"""What every source of labelled digits comes to, before it is split and saved as a snapshot."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.imaging.pixels import Pixels
from tasks.outcomes import Reason

Labels = NDArray[np.int8]
OnProgress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class SkippedFile:
    """A file that should have been a picture of a digit, and why it is none."""

    path: str  # below the data folder
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Skipped:
    """Files of a data folder that gave no picture."""

    ignored: int = 0  # hidden, left behind by a system, or beside the sub-folders
    files: tuple[SkippedFile, ...] = ()


@dataclass(frozen=True)
class Labelled:
    """Labelled digits in their source's own order, not split yet where the source does not."""

    name: str
    source: str
    licence: str
    images: Pixels  # uint8 (N, 28, 28), ink bright on 0
    labels: Labels  # int8 (N,), 0 to 9
    test: NDArray[np.bool_] | None  # (N,): the source's own test part, None: it has none
    skipped: Skipped = field(default_factory=Skipped)
