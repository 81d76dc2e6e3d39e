"""The fit: labelled pictures and a recipe into a float32 Keras model and its history."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.device import Device, cpu, nvidia_gpu
from tasks.errors import DeviceError, DigitflowError
from tasks.metrics.calibration import NO_DIGIT
from tasks.metrics.classification import evaluate
from tasks.settings import DeviceChoice
from tasks.training.network import (
    DIGIT_LOGIT,
    DIGITS,
    LOGITS,
    SIDE,
    Recipe,
    build,
    keras,
    quiet_start,
    tf,
)

Pairs = tuple[NDArray[np.uint8], NDArray[np.int8]]  # images (N, 28, 28), labels (N,)

DIGIT_LOSS = 0.5  # weight of the loss of "is it one digit" beside that of "which"
WARM_UP = 0.2  # share of the steps in which the learning rate rises
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # of Adam (Kingma and Ba, 2015)
REPORTS_PER_EPOCH = 10
ANSWER_BATCH = 1_000  # pictures answered at once in validation
BFLOAT16_CAPABILITY = (8, 0)  # first NVIDIA compute capability whose tensor cores take bfloat16


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part, and how the model stood after it."""

    epoch: int  # from 1
    loss: float  # mean over the augmented training pictures while they were learned, nats
    accuracy: float  # share of the same
    val_loss: float
    val_accuracy: float
    seconds: float


class Progress(Protocol):
    """What is called while the fit runs."""

    def on_batch(self, done: int, total: int) -> None:
        """Take how many of the epoch's batches are done, about ten times in an epoch."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Take an epoch that has ended."""


def training_device(choice: DeviceChoice) -> Device:
    """Return the device TensorFlow will train on, having tried it.

    `auto` takes a GPU that computes and the CPU otherwise; `cpu` hides the GPUs.

    Raises:
        DeviceError: `cuda` was asked for and cannot run; the message holds the cause.
    """
    if choice != "cpu":
        gpu = _usable_gpu()
        if isinstance(gpu, Device):
            return gpu
        if choice == "cuda":
            raise DeviceError(
                f"--device cuda: {gpu}. Run `digitflow doctor` for what is missing, "
                "or use --device auto or cpu."
            )
    with suppress(RuntimeError):  # already running with a GPU: fit() places its work by name
        tf.config.set_visible_devices([], "GPU")
    return cpu()


def _usable_gpu() -> Device | str:
    """Return the first GPU after a convolution on it, or why there is none, in words."""
    gpu = nvidia_gpu()
    if isinstance(gpu, str):
        return gpu
    if not tf.test.is_built_with_cuda():
        return f"{gpu.name} is there, but this TensorFlow was built without CUDA"
    with quiet_start():
        visible = tf.config.list_physical_devices("GPU")
        if not visible:
            return (
                f"{gpu.name} is there, but TensorFlow cannot load its CUDA libraries "
                "(pip install 'digitflow[gpu]')"
            )
        try:
            for each in visible:
                tf.config.experimental.set_memory_growth(each, True)
            with tf.device("/GPU:0"):
                tf.nn.conv2d(tf.ones((1, 8, 8, 1)), tf.ones((3, 3, 1, 1)), 1, "VALID").numpy()
        except (tf.errors.OpError, RuntimeError) as error:
            return f"{gpu.name} is there, but TensorFlow cannot compute on it ({error})"
    return gpu


def fit(
    train: Pairs, validation: Pairs, recipe: Recipe, seed: int, device: Device, progress: Progress
) -> tuple[keras.Model, list[Epoch]]:
    """Return a float32 model fitted by the recipe, and its history.

    The same seed on the same device gives the same weights, bit for bit; for that, Python's,
    numpy's and TensorFlow's random state is set, and TensorFlow is kept to deterministic kernels.

    Args:
        train: uint8 (N, 28, 28) canonical pictures and their int8 (N,) digits, -1 for no digit.
        validation: the same, of pictures that are not learned.
        recipe: the network and how to fit it.
        seed: of the first weights, the order and the augmentation.
        device: where to train, as `training_device` gives it.
        progress: told of batches and epochs.

    Raises:
        DigitflowError: the loss or an answer stopped being a finite number.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    count = len(train[1])
    batch = min(recipe.batch_size, count)
    steps = count // batch
    rates = one_cycle(recipe.learning_rate, steps * recipe.epochs).reshape(recipe.epochs, steps)
    history = []
    with tf.device("/GPU:0" if device.kind == "cuda" else "/CPU:0"):
        model, kept = build(recipe, _precision(device)), build(recipe)
        kept.set_weights(model.get_weights())
        learn = _learner(model, kept, recipe, train, seed)
        for number in range(recipe.epochs):
            start = perf_counter()
            order = np.random.default_rng([seed, number]).permutation(count).astype(np.int32)
            batches = order[: steps * batch].reshape(steps, batch)
            loss, accuracy = _one_epoch(learn, batches, rates[number], number, progress)
            answers = _answers(kept, validation[0])
            _require_finite(float(answers.max()), "largest validation probability", number + 1)
            metrics = evaluate(answers, validation[1])
            seconds = perf_counter() - start
            history.append(
                Epoch(number + 1, loss, accuracy, metrics.loss, metrics.accuracy, seconds)
            )
            progress.on_epoch(history[-1])
    return kept, history


def one_cycle(peak: float, steps: int) -> NDArray[np.float32]:
    """Return the learning rate of every step: up to the peak in a line, down to 0 in a cosine."""
    rising = max(1, round(steps * WARM_UP))
    up = np.arange(1, rising + 1) / rising
    down = (1 + np.cos(np.pi * np.arange(1, steps - rising + 1) / (steps - rising + 1))) / 2
    return (peak * np.concatenate([up, down])).astype(np.float32)


def augmented(images: Any, recipe: Recipe, seed: Any) -> Any:
    """Return the pictures turned, stretched, slanted and shifted, each by its own small amounts.

    Where a recipe only shifts, all are shifted alike and by whole pixels, which costs nothing.

    Args:
        images: uint8 tensor (N, 28, 28).
        recipe: says how much at most.
        seed: int32 tensor (2,); the same seed gives the same pictures.
    """
    if not recipe.turn and not recipe.stretch:
        most = round(recipe.shift)
        by = tf.random.stateless_uniform([2], seed, -most, most + 1, tf.int32)
        return tf.roll(images, by, axis=[1, 2])
    amounts = tf.random.stateless_uniform([6, tf.shape(images)[0]], seed, -1, 1)
    turn, wide, high, slant, right, down = tf.unstack(amounts)
    angle = turn * math.radians(recipe.turn)
    wide, high = 1 + wide * recipe.stretch, 1 + high * recipe.stretch
    xx, xy = tf.cos(angle) * wide, slant * recipe.stretch - tf.sin(angle) * high
    yx, yy = tf.sin(angle) * wide, tf.cos(angle) * high
    centre = (SIDE - 1) / 2  # stays where it is but for the shift
    x0 = centre * (1 - xx - xy) + right * recipe.shift
    y0 = centre * (1 - yx - yy) + down * recipe.shift
    none = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images[..., tf.newaxis],
        transforms=tf.stack([xx, xy, x0, yx, yy, y0, none, none], axis=1),
        output_shape=[SIDE, SIDE],
        fill_value=0.0,
        interpolation="BILINEAR",
    )[..., 0]


Learn = Callable[[NDArray[np.int32], NDArray[np.float32], int], tuple[Any, Any, Any]]


def _learner(
    model: keras.Model, kept: keras.Model, recipe: Recipe, train: Pairs, seed: int
) -> Learn:
    """Return a compiled function that learns one batch of picture numbers after another.

    It takes int32 (steps, batch), the learning rate of each step, and how many steps were before;
    it gives the sum of the losses, the number of right answers, and that of digits. The loop over
    the batches and the pictures themselves live inside TensorFlow: a step is so short that a call
    from Python, or an optimizer of many small operations, would be a good part of it.

    `kept`, the same network in float32, follows the weights of `model` as their moving average.
    """
    images, labels = tf.constant(train[0]), tf.constant(train[1].astype(np.int32))
    names = [LOGITS, DIGIT_LOGIT] if recipe.simulation else [LOGITS]
    answers_of = keras.Model(
        model.inputs[0], {name: model.get_layer(name).output for name in names}
    )
    weights = [variable.value for variable in model.trainable_variables]
    averages = [variable.value for variable in kept.trainable_variables]
    moments = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in weights]

    def learn(batches: Any, rates: Any, before: Any) -> tuple[Any, Any, Any]:
        loss_sum, right, digits = 0.0, 0, 0
        for step in tf.range(tf.shape(batches)[0]):
            pictures, truth = tf.gather(images, batches[step]), tf.gather(labels, batches[step])
            count = before + step + 1
            pictures = augmented(pictures, recipe, tf.stack([seed, count]))
            with tf.GradientTape() as tape:
                answers = answers_of(pictures, training=True)
                loss = _loss(answers, truth, recipe)
            gradients = tape.gradient(loss, weights)
            passed = tf.cast(count, tf.float32)
            _adam(weights, moments, gradients, rates[step], passed)
            if recipe.weight_decay:
                for weight in weights:
                    weight.assign_sub(rates[step] * recipe.weight_decay * weight)
            # slower only once there is something to average
            momentum = tf.minimum(recipe.average, (1 + passed) / (10 + passed))
            for average, weight in zip(averages, weights, strict=True):
                average.assign_add((1 - momentum) * (weight - average))
            loss_sum += loss
            best = tf.argmax(answers[LOGITS], axis=1, output_type=tf.int32)
            right += tf.math.count_nonzero(best == truth, dtype=tf.int32)
            digits += tf.math.count_nonzero(truth != NO_DIGIT, dtype=tf.int32)
        return loss_sum, right, digits

    signature = [
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((), tf.int32),
    ]
    compiled: Learn = tf.function(learn, input_signature=signature)
    return compiled


def _loss(answers: dict[str, Any], truth: Any, recipe: Recipe) -> Any:
    """Return the cross-entropy of which digit, over the digits, and of whether it is one.

    Smoothing spreads a share of each label over all digits (Szegedy et al. 2016).
    """
    is_digit = tf.cast(truth != NO_DIGIT, tf.float32)
    spread = recipe.smoothing / DIGITS
    target = tf.one_hot(truth, DIGITS, on_value=1 - recipe.smoothing + spread, off_value=spread)
    which = tf.nn.softmax_cross_entropy_with_logits(target, answers[LOGITS])
    loss = tf.reduce_sum(which * is_digit) / tf.maximum(tf.reduce_sum(is_digit), 1)
    if recipe.simulation is None:
        return loss
    whether = tf.nn.sigmoid_cross_entropy_with_logits(is_digit, answers[DIGIT_LOGIT][:, 0])
    return loss + DIGIT_LOSS * tf.reduce_mean(whether)


def _adam(weights: Any, moments: Any, gradients: Any, rate: Any, count: Any) -> None:
    """Move the weights by Adam's fused kernel: one operation per weight, Keras's has fifteen."""
    powers = {"beta1_power": BETA_1**count, "beta2_power": BETA_2**count}
    for weight, (mean, square), gradient in zip(weights, moments, gradients, strict=True):
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=mean.handle,
            v=square.handle,
            lr=rate,
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=EPSILON,
            grad=gradient,
            **powers,
        )


def _one_epoch(
    learn: Learn,
    batches: NDArray[np.int32],
    rates: NDArray[np.float32],
    number: int,
    progress: Progress,
) -> tuple[float, float]:
    """Learn all batches and return the mean loss and the accuracy while learning."""
    total, done, loss_sum, right, digits = len(batches), 0, 0.0, 0, 0
    for stretch in np.array_split(np.arange(total), min(total, REPORTS_PER_EPOCH)):
        loss, hits, count = learn(batches[stretch], rates[stretch], number * total + done)
        loss_sum, right, digits = loss_sum + float(loss), right + int(hits), digits + int(count)
        done += len(stretch)
        _require_finite(loss_sum, "training loss", number + 1)
        progress.on_batch(done, total)
    return loss_sum / total, right / digits


def _require_finite(value: float, what: str, epoch: int) -> None:
    if not math.isfinite(value):
        raise DigitflowError(
            f"the {what} became {value} in epoch {epoch}: no model was made. "
            "Lower the recipe's learning rate, or look at the data"
        )


def _answers(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the model's float32 (N, 10) probabilities."""
    only = keras.Model(model.inputs[0], model.get_layer("probabilities").output)
    starts = range(0, len(images), ANSWER_BATCH)
    return np.concatenate([only(images[at : at + ANSWER_BATCH], training=False) for at in starts])


def _precision(device: Device) -> str:
    """Return bfloat16 for devices with instructions for it, which make a step cheaper."""
    if device.kind == "cpu":
        gains = any(feature in device.detail for feature in ("bfloat16", "AMX"))
    else:
        gpu = tf.config.list_physical_devices("GPU")[0]
        details = tf.config.experimental.get_device_details(gpu)
        gains = details.get("compute_capability", (0, 0)) >= BFLOAT16_CAPABILITY
    return "mixed_bfloat16" if gains else "float32"
