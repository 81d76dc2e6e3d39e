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

__all__ = [
    "DIGIT_LOGIT",
    "LOGITS",
    "RECIPES",
    "Convolution",
    "Recipe",
    "build",
    "keras",
    "layers",
    "tf",
]

SIDE, DIGITS = 28, 10
WHITE = 255  # the value of full ink
LOGITS = "logits"  # name of the layer before the softmax, where training takes its loss
DIGIT_LOGIT = "digit_logit"  # of the layer that says how sure it is one digit, before the sigmoid


@dataclass(frozen=True)
class Convolution:
    """One convolution and its ReLU, followed by max pooling where `pool` > 1."""

    filters: int  # in fours: ONNX Runtime's fast convolutions take no other inputs
    kernel: int  # pixels, square
    stride: int = 1  # pixels
    pool: int = 1  # pixels, square
    padding: str = "valid"


@dataclass(frozen=True)
class Simulation:
    """What is drawn for training beside the data: see tasks/synthesis/generate.py."""

    bent: int  # bent copies of each picture of the training part
    digits: int  # digits in simulated scans and photos
    no_digits: int  # simulated pictures that are no digit


@dataclass(frozen=True)
class Recipe:
    """A network and how it is fitted; an entry in RECIPES is all that another recipe takes."""

    name: str
    convolutions: tuple[Convolution, ...]
    dropout: float  # share of the last convolution's outputs
    epochs: int
    batch_size: int
    learning_rate: float  # the peak of the one cycle
    turn: float = 0.0  # augmentation, each up to so much either way: degrees,
    stretch: float = 0.0  # share of the side; also of the slant,
    shift: float = 0.0  # pixels
    units: int = 0  # of a dense layer between the convolutions and the answers
    smoothing: float = 0.0  # share of each label that is spread over all ten digits
    weight_decay: float = 0.0  # per step, times the learning rate (AdamW)
    average: float = 0.0  # momentum of the moving average of the weights, which is the model
    simulation: Simulation | None = None  # with one, the network also says if it is one digit


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
    "standard": Recipe(
        name="standard",
        convolutions=(
            Convolution(24, 5, 2),
            Convolution(48, 3, 2, padding="same"),
            Convolution(64, 3),
        ),
        dropout=0.15,
        units=88,
        epochs=24,
        batch_size=256,
        learning_rate=0.0025,
        shift=1,
        smoothing=0.03,
        weight_decay=0.02,
        average=0.999,
        simulation=Simulation(bent=2, digits=160_000, no_digits=48_000),
    ),
}


def build(recipe: Recipe, precision: str = "float32") -> keras.Model:
    """Return the recipe's untrained network: uint8 (N, 28, 28) `images` to float32 (N, 10).

    The answer is `probabilities`, whose rows sum to 1; with a simulation a second answer is
    `digit_score`, (N, 1), how sure it is that there is one digit. Weights are float32 always.

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
            convolution.padding,
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
    if recipe.units:
        x = keras.layers.Dense(recipe.units, activation="relu", dtype=policy, name="dense")(x)
    # From here on float32 always: bfloat16 keeps three decimal places of a logit.
    logits = keras.layers.Dense(DIGITS, dtype="float32", name=LOGITS)(x)
    answers = [keras.layers.Softmax(dtype="float32", name="probabilities")(logits)]
    if recipe.simulation:
        digit = keras.layers.Dense(1, dtype="float32", name=DIGIT_LOGIT)(x)
        answers.append(
            keras.layers.Activation("sigmoid", dtype="float32", name="digit_score")(digit)
        )
    return keras.Model(images, answers if recipe.simulation else answers[0], name=recipe.name)


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
