"""The Keras networks and the recipes they are trained by; the one place that imports TensorFlow."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

LOG_LINE = re.compile(rb"[IWE]\d{4} |WARNING: All log messages before absl::InitializeLog")


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep TensorFlow's own log lines from standard error; anything else there is passed on.

    Its libraries log to file descriptor 2 while they load, before any setting of theirs counts.
    """
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not LOG_LINE.match(line)))


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
with quiet_start():
    import keras
    import tensorflow as tf

__all__ = ["LOGITS", "RECIPES", "Convolution", "Recipe", "build", "keras", "layers", "tf"]

SIDE, DIGITS = 28, 10
WHITE = 255  # the value of full ink
LOGITS = "logits"  # name of the layer before the softmax, where training takes its loss


@dataclass(frozen=True)
class Convolution:
    """One convolution without padding and its ReLU, followed by max pooling where `pool` > 1."""

    filters: int
    kernel: int  # pixels, square
    stride: int = 1  # pixels
    pool: int = 1  # pixels, square


@dataclass(frozen=True)
class Recipe:
    """A network and how it is fitted; an entry in RECIPES is all that another recipe takes."""

    name: str
    convolutions: tuple[Convolution, ...]
    dropout: float  # share of the last convolution's outputs
    epochs: int
    batch_size: int
    learning_rate: float  # the peak of the one cycle
    turn: float  # augmentation, each up to so much either way: degrees,
    stretch: float  # share of the side; also of the slant,
    shift: float  # pixels


RECIPES = {
    "quick": Recipe(
        name="quick",
        convolutions=(Convolution(16, 5, 2), Convolution(32, 3, pool=2), Convolution(64, 3)),
        dropout=0.25,
        epochs=8,
        batch_size=128,
        learning_rate=0.004,
        turn=9,
        stretch=0.1,
        shift=1,
    ),
}


def build(recipe: Recipe, precision: str = "float32") -> keras.Model:
    """Return the recipe's untrained network: uint8 (N, 28, 28) `images` to float32 (N, 10).

    The answer is `probabilities`, whose rows sum to 1. Weights are float32 in every precision.

    Args:
        recipe: the network.
        precision: a Keras dtype policy; only a float32 network can be exported.
    """
    policy = keras.DTypePolicy(precision)
    images = keras.Input((SIDE, SIDE), dtype="uint8", name="images")
    x = keras.layers.Rescaling(1 / WHITE, dtype=policy, name="scale")(images)
    x = keras.layers.Reshape((SIDE, SIDE, 1), dtype=policy, name="channel")(x)
    for number, convolution in enumerate(recipe.convolutions, 1):
        x = keras.layers.Conv2D(
            convolution.filters,
            convolution.kernel,
            convolution.stride,
            activation="relu",
            kernel_initializer="he_normal",
            dtype=policy,
            name=f"convolution_{number}",
        )(x)
        if convolution.pool > 1:
            x = keras.layers.MaxPooling2D(convolution.pool, dtype=policy, name=f"pooling_{number}")(
                x
            )
    x = keras.layers.Flatten(dtype=policy, name="flat")(x)
    x = keras.layers.Dropout(recipe.dropout, dtype=policy, name="dropout")(x)
    # From here on float32 always: bfloat16 keeps three decimal places of a logit.
    x = keras.layers.Dense(DIGITS, dtype="float32", name=LOGITS)(x)
    x = keras.layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(images, x, name=recipe.name)


def layers(model: keras.Model) -> list[dict[str, Any]]:
    """Return what a drawing of the network needs, from input to output.

    Per layer: `name`, `type`, `output_shape` without the batch, `parameters`, and the
    `multiply_adds` that one picture costs.
    """
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": list(layer.output.shape[1:]),
            "parameters": layer.count_params(),
            "multiply_adds": _multiply_adds(layer),
        }
        for layer in model.layers
    ]


def _multiply_adds(layer: keras.layers.Layer) -> int:
    """Return how often a picture meets the layer's kernel: once per place it is applied to."""
    if not hasattr(layer, "kernel"):
        return 0
    places = prod(layer.output.shape[1:-1])  # 1 for a dense layer
    return int(places * prod(layer.kernel.shape))
