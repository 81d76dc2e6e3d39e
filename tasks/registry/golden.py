"""A few pictures with the answers that a model gave when it was registered, kept in its card.

With them a version can be tried in a second, before it serves again.
"""

import base64
import zlib

import numpy as np
from numpy.typing import NDArray

from tasks.device import cpu
from tasks.errors import ModelError
from tasks.inference.model_file import Model
from tasks.inference.session import ModelSession
from tasks.registry.card_parts import Golden

PICTURES = 20
PIXELS = 28 * 28  # of a picture, a byte each
TOLERANCE = 1e-3  # of a probability, between machines


def golden_answers(model: Model, images: NDArray[np.uint8]) -> Golden:
    """Return pictures (uint8 (N, 28, 28), packed) and a model's probabilities, for its card."""
    some = np.ascontiguousarray(images[:PICTURES])
    probabilities = ModelSession(model, cpu()).answers(some).probabilities
    return Golden(
        pictures=base64.b64encode(zlib.compress(some.tobytes(), 9)).decode("ascii"),
        probabilities=np.round(probabilities, 6).tolist(),
    )


def check_golden(model: Model, golden: Golden | None) -> int:
    """Return how many pictures a model answers as its card says: all of them.

    Raises:
        ModelError: it does not load, the card has no answers or damaged ones, or one is another.
    """
    if not golden:
        raise ModelError(
            f"{model.name}: its card holds no answers to check it with, as those of an older "
            "digitflow: train it again"
        )
    try:
        expected = np.array(golden.probabilities, np.float32)
        images = _unpacked(golden.pictures, len(expected))
    except (ValueError, zlib.error) as error:
        raise ModelError(
            f"{model.name}: the answers in its card are damaged ({type(error).__name__}: {error}): "
            "restore the card, or train another version"
        ) from error
    found = ModelSession(model, cpu()).answers(images).probabilities
    worst = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    if not worst <= TOLERANCE:
        raise ModelError(
            f"{model.name}: it does not answer as its card says (a probability differs by "
            f"{worst:.2g}, at most {TOLERANCE:g} is allowed)"
        )
    return len(images)


def _unpacked(packed: str, count: int) -> NDArray[np.uint8]:
    """Return so many pictures, at least one, of what `golden_answers` packed."""
    size = count * PIXELS
    whole = zlib.decompressobj().decompress(base64.b64decode(packed), max(1, size + 1))
    if count == 0 or len(whole) != size:
        raise ValueError(f"{len(whole):,} bytes are not {count} pictures")
    return np.frombuffer(whole, np.uint8).reshape(count, 28, 28)
