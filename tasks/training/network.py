"""The Keras networks of the recipes; TensorFlow and Keras are imported here alone."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

from tasks.contracts.training import Layer
from tasks.training.recipes import Recipe

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

__all__ = ["DIGIT_LOGIT", "LOGITS", "build", "keras", "layers", "tf"]

SIDE, DIGITS = 28, 10  # pixels; classes
WHITE = 255  # the value of full ink
LOGITS = "logits"  # name of the layer before the softmax, where training takes its loss
DIGIT_LOGIT = "digit_logit"  # of the layer that says how sure it is one digit, before the sigmoid


def build(recipe: Recipe, precision: str = "float32") -> keras.Model:
    """Return the recipe's untrained network: uint8 (N, 28, 28) `images` to float32 (N, 10).

    The answer is `probabilities`, whose rows sum to 1; with a simulation a second answer is
    `digit_score`, float32 (N, 1), how sure it is that there is one digit. Weights are float32
    always; those before a ReLU begin as in He et al. (2015).

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
    if recipe.dense_units:
        x = keras.layers.Dense(recipe.dense_units, activation="relu", dtype=policy, name="dense")(x)
    # From here on float32 always: bfloat16 keeps three decimal places of a logit.
    logits = keras.layers.Dense(DIGITS, dtype="float32", name=LOGITS)(x)
    answers = [keras.layers.Softmax(dtype="float32", name="probabilities")(logits)]
    if recipe.simulation:
        digit = keras.layers.Dense(1, dtype="float32", name=DIGIT_LOGIT)(x)
        answers.append(
            keras.layers.Activation("sigmoid", dtype="float32", name="digit_score")(digit)
        )
    return keras.Model(images, answers if recipe.simulation else answers[0], name=recipe.name)


def layers(model: keras.Model) -> list[Layer]:
    """Return what a drawing of the network needs, from input to output."""
    return [
        Layer(
            name=layer.name,
            type=type(layer).__name__,
            output_shape=list(layer.output.shape[1:]),
            parameters=layer.count_params(),
            multiply_adds=_multiply_adds(layer),
        )
        for layer in model.layers
    ]


def _multiply_adds(layer: keras.layers.Layer) -> int:
    """Return how often a picture meets the layer's kernel: once per place it is applied to."""
    if not hasattr(layer, "kernel"):
        return 0
    places = prod(layer.output.shape[1:-1])  # 1 for a dense layer
    return int(places * prod(layer.kernel.shape))
