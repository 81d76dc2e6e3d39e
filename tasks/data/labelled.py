"""What every source of labelled digits comes to, before it is split and saved as a snapshot."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.decoding.pixels import Pixels
from tasks.errors import DatasetError
from tasks.outcomes import Reason

Labels = NDArray[np.int8]
OnProgress = Callable[[str, int, int], None]  # what is done, how much of it, of how much

TRAIN, VAL, TEST = "train", "val", "test"  # parts, by the names that people give them
ALSO = {"training": TRAIN, "valid": VAL, "validation": VAL, "dev": VAL, "testing": TEST}


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
    converted: tuple[str, ...] = ()  # what was taken for what, in words


def part_named(name: str) -> str | None:
    """Return which part a name says, in any case, or None."""
    small = name.casefold()
    return ALSO.get(small, small if small in (TRAIN, VAL, TEST) else None)


def tested_part(parts: Collection[str], source: object) -> tuple[str | None, list[str]]:
    """Return which part judges, and what was decided about it, in words.

    A validation part judges where there is no test part, and is learned from where there is one: a
    calibration part is cut off what is learned from in any case. None: a test part has to be cut.

    Raises:
        DatasetError: nothing is left to learn from.
    """
    if TRAIN not in parts:
        raise DatasetError(f"data {source}: there is no {TRAIN} part beside {', '.join(parts)}")
    if TEST in parts:
        return TEST, ["the val part is learned from, too"] if VAL in parts else []
    if VAL in parts:
        return VAL, ["there is no test part: the val part is"]
    return None, ["there is no test part: one is cut off"]
