"""A few pictures with the answers that a model gave when it was registered, kept in its card.

With them a version can be tried in a second, before it serves again.
"""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.device import cpu
from tasks.errors import ModelError
from tasks.model import Model
from tasks.reader import Reader

PICTURES = 20
TOLERANCE = 1e-3  # of a probability, between machines


def golden_answers(model: Model, images: NDArray[np.uint8]) -> dict[str, Any]:
    """Return pictures (uint8 (N, 28, 28), packed) and a model's probabilities, for its card."""
    some = np.ascontiguousarray(images[:PICTURES])
    return {
        "pictures": base64.b64encode(zlib.compress(some.tobytes(), 9)).decode("ascii"),
        "probabilities": np.round(Reader(model, cpu()).answers(some).probabilities, 6).tolist(),
    }


def check_golden(model: Model, card: Mapping[str, Any]) -> int:
    """Return how many pictures a model answers as its card says: all of them.

    Raises:
        ModelError: it does not load, the card has no answers, or an answer is another one.
    """
    golden = card.get("golden")
    if not golden:
        raise ModelError(
            f"{model.name}: its card holds no answers to check it with, as those of an older "
            "digitflow: train it again"
        )
    packed = zlib.decompress(base64.b64decode(golden["pictures"]))
    images = np.frombuffer(packed, np.uint8).reshape(-1, 28, 28)
    expected = np.array(golden["probabilities"], np.float32)
    found = Reader(model, cpu()).answers(images).probabilities
    worst = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    if not worst <= TOLERANCE:
        raise ModelError(
            f"{model.name}: it does not answer as its card says (a probability differs by "
            f"{worst:.2g}, at most {TOLERANCE:g} is allowed)"
        )
    return len(images)
