"""How pictures may lie in the data, and what brings each of them upright."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tasks.data.labelled import Labelled
from tasks.decoding.pixels import Pixels
from tasks.settings.training import Orientation

# uint8 (N, 28, 28) to the same; keys are what `--orientation` takes
UPRIGHT: Mapping[Orientation, Callable[[Pixels], Pixels]] = {
    "transposed": lambda images: images.swapaxes(1, 2),
    "turned-left": lambda images: np.rot90(images, -1, axes=(1, 2)),
    "turned-right": lambda images: np.rot90(images, 1, axes=(1, 2)),
    "upside-down": lambda images: images[:, ::-1, ::-1],
    "mirrored": lambda images: images[:, :, ::-1],
    "flipped": lambda images: images[:, ::-1],
    "anti-transposed": lambda images: images.swapaxes(1, 2)[:, ::-1, ::-1],
}


def upright(labelled: Labelled, orientation: Orientation) -> Labelled:
    """Return labelled digits whose pictures were brought upright from how they lie."""
    if orientation not in UPRIGHT:
        return labelled
    return replace(
        labelled,
        images=np.ascontiguousarray(UPRIGHT[orientation](labelled.images)),
        converted=(*labelled.converted, f"pictures that are {orientation}: brought upright"),
    )
