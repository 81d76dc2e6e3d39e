"""Drawn pictures, kind by kind, written as PNG files and read as `digitflow predict` reads them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.device import cpu
from tasks.inference.evaluate_files import answers_of_files
from tasks.inference.model_file import model_in
from tasks.inputs.open import open_inputs

Pixels = NDArray[np.uint8]  # (h, w) or (h, w, 3) BGR

MAX_ERROR = 0.005


@dataclass(frozen=True)
class Readings:
    """What became of the N pictures of one kind, in the order in which they were drawn."""

    digits: NDArray[np.int8]  # (N,), -1 where rejected
    read: NDArray[np.bool_]  # (N,): neither in review nor rejected
    reasons: list[str]  # (N,)

    def why_not(self, most: int = 3) -> str:
        """Return the commonest reasons of what was not read, and how often each came."""
        left = Counter(
            reason for reason, read in zip(self.reasons, self.read, strict=True) if not read
        )
        return ", ".join(f"{reason} {count}" for reason, count in left.most_common(most))


def read_kinds(
    model: Path, kinds: Mapping[str, Iterable[Pixels]], folder: Path
) -> dict[str, Readings]:
    """Write the pictures of each kind into a folder of its own below `folder`, and read them all.

    Raises:
        FileExistsError: a kind's folder is there already: what lies in it would be read too.
        OSError: a picture could not be written.
        ModelError: the model cannot be used.
    """
    names = {kind: kind.replace(" ", "_") for kind in kinds}
    order: list[tuple[str, str]] = []
    for kind, pictures in kinds.items():
        (folder / names[kind]).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            path = f"{names[kind]}/{number:05}.png"
            if not cv2.imwrite(str(folder / path), picture):
                raise OSError(f"{folder / path} could not be written")
            order.append((kind, path))
    paths = [path.encode() for _, path in order]
    found = answers_of_files(model_in(model), cpu(), open_inputs(str(folder)), paths, MAX_ERROR)
    at = {path: number for number, path in enumerate(found.paths)}
    numbers = {kind: [at[path] for of_kind, path in order if of_kind == kind] for kind in kinds}
    return {
        kind: Readings(found.digits[some], found.read[some], [found.reasons[k] for k in some])
        for kind, some in numbers.items()
    }
