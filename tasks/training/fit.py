"""The fit: labelled pictures and a recipe into a float32 Keras model and its history."""

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.contracts.training import Epoch
from tasks.device import Device
from tasks.errors import DigitflowError
from tasks.metrics.calibration import NO_DIGIT
from tasks.metrics.classification import evaluate
from tasks.training.augmentation import augmented
from tasks.training.device import precision
from tasks.training.network import DIGIT_LOGIT, DIGITS, LOGITS, build, keras, tf
from tasks.training.recipes import Recipe
from tasks.training.training_set import Pairs

DIGIT_LOSS = 0.5  # weight of the loss of "is it one digit" beside that of "which"
WARM_UP = 0.2  # share of the steps in which the learning rate rises
REPORTS_PER_EPOCH = 10
ANSWER_BATCH = 1_000  # pictures answered at once in validation


class Progress(Protocol):
    """What is called while the fit runs."""

    def on_batch(self, done: int, total: int) -> None:
        """Take how many of the epoch's batches are done, about ten times in an epoch."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Take an epoch that has ended."""


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
    history = []
    with tf.device("/GPU:0" if device.kind == "cuda" else "/CPU:0"):
        model, kept = build(recipe, precision(device)), build(recipe)
        optimizer = optimizer_of(recipe, steps * recipe.epochs)
        optimizer.build(model.trainable_variables)
        learn = _learner(model, optimizer, recipe, train, seed)
        for number in range(recipe.epochs):
            start = perf_counter()
            order = np.random.default_rng([seed, number]).permutation(count).astype(np.int32)
            batches = order[: steps * batch].reshape(steps, batch)
            loss, accuracy = _one_epoch(learn, batches, number, progress)
            kept.set_weights(model.get_weights())
            optimizer.finalize_variable_values(kept.trainable_variables)  # the averages, if any
            answers = _answers(kept, validation[0])
            _require_finite(float(answers.max()), "largest validation probability", number + 1)
            metrics = evaluate(answers, validation[1])
            seconds = perf_counter() - start
            history.append(
                Epoch(
                    epoch=number + 1,
                    loss=loss,
                    accuracy=accuracy,
                    val_loss=metrics.loss,
                    val_accuracy=metrics.accuracy,
                    seconds=seconds,
                )
            )
            progress.on_epoch(history[-1])
    return kept, history


def optimizer_of(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Return Adam (Kingma and Ba, 2015) with the recipe's weight decay, schedule and average.

    Its rate rises in a line to the recipe's and falls in a cosine to 0 (Loshchilov and Hutter,
    2017); its weight decay is that of AdamW (2019); its moving average of the weights is what the
    model becomes (Polyak and Juditsky, 1992).

    Args:
        recipe: whose numbers are taken.
        steps: of the whole fit, at least 2.
    """
    rising = max(1, round(steps * WARM_UP))
    rates = keras.optimizers.schedules.CosineDecay(
        0.0, steps - rising, warmup_target=recipe.learning_rate, warmup_steps=rising
    )
    return keras.optimizers.Adam(
        rates,
        weight_decay=recipe.weight_decay or None,
        use_ema=recipe.ema_momentum > 0,
        ema_momentum=recipe.ema_momentum,
    )


Learn = Callable[[NDArray[np.int32]], tuple[Any, Any, Any]]


def _learner(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    recipe: Recipe,
    train: Pairs,
    seed: int,
) -> Learn:
    """Return a compiled function that learns one batch of picture numbers after another.

    It takes int32 (steps, batch) and gives the sum of the losses, the number of right answers, and
    that of digits. The loop over the batches and the pictures themselves live inside TensorFlow: a
    step is so short that a call from Python would be a good part of it. `Model.fit` with 40 steps
    an execution takes 1.8 times as long for `quick`; Keras' optimizer inside the loop 1.01 times
    as long as Adam's fused kernels for `quick`, 1.02 times for `standard` (medians of pairs in one
    process, two cores with AMX, bfloat16).
    """
    images, labels = tf.constant(train[0]), tf.constant(train[1].astype(np.int32))
    names = [LOGITS, DIGIT_LOGIT] if recipe.simulation else [LOGITS]
    answers_of = keras.Model(
        model.inputs[0], {name: model.get_layer(name).output for name in names}
    )
    weights = [variable.value for variable in model.trainable_variables]

    def learn(batches: Any) -> tuple[Any, Any, Any]:
        loss_sum, right, digits = 0.0, 0, 0
        for numbers in batches:
            pictures, truth = tf.gather(images, numbers), tf.gather(labels, numbers)
            step = tf.cast(optimizer.iterations.value, tf.int32)
            pictures = augmented(pictures, recipe, tf.stack([seed, step]))
            with tf.GradientTape() as tape:
                answers = answers_of(pictures, training=True)
                loss = _loss(answers, truth, recipe)
            optimizer.apply(tape.gradient(loss, weights))
            loss_sum += loss
            best = tf.argmax(answers[LOGITS], axis=1, output_type=tf.int32)
            right += tf.math.count_nonzero(best == truth, dtype=tf.int32)
            digits += tf.math.count_nonzero(truth != NO_DIGIT, dtype=tf.int32)
        return loss_sum, right, digits

    signature = [tf.TensorSpec((None, None), tf.int32)]
    compiled: Learn = tf.function(learn, input_signature=signature)
    return compiled


def _loss(answers: dict[str, Any], truth: Any, recipe: Recipe) -> Any:
    """Return the cross-entropy of which digit, over the digits, and of whether it is one.

    Smoothing spreads a share of each label over all digits (Szegedy et al., 2016).

    Args:
        answers: float32 logits (N, 10) and, where the recipe simulates, (N, 1) of "is it a digit".
        truth: int32 (N,), -1 for no digit.
        recipe: the smoothing, and whether there is a second answer.
    """
    is_digit = tf.cast(truth != NO_DIGIT, tf.float32)
    which = keras.losses.categorical_crossentropy(
        tf.one_hot(truth, DIGITS),
        answers[LOGITS],
        from_logits=True,
        label_smoothing=recipe.smoothing,
    )
    loss = tf.reduce_sum(which * is_digit) / tf.maximum(tf.reduce_sum(is_digit), 1)
    if recipe.simulation is None:
        return loss
    whether = keras.losses.binary_crossentropy(
        is_digit[:, tf.newaxis], answers[DIGIT_LOGIT], from_logits=True
    )
    return loss + DIGIT_LOSS * tf.reduce_mean(whether)


def _one_epoch(
    learn: Learn, batches: NDArray[np.int32], number: int, progress: Progress
) -> tuple[float, float]:
    """Learn all batches and return the mean loss and the accuracy while learning."""
    total, done, loss_sum, right, digits = len(batches), 0, 0.0, 0, 0
    for some in np.array_split(batches, min(total, REPORTS_PER_EPOCH)):
        loss, hits, count = learn(some)
        loss_sum, right, digits = loss_sum + float(loss), right + int(hits), digits + int(count)
        done += len(some)
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
