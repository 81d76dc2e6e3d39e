"""The fit learns, repeats itself bit for bit, tells how far it is, and never returns nonsense."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.contracts.training import Epoch
from tasks.device import Device
from tasks.errors import DigitflowError
from tasks.metrics.calibration import NO_DIGIT
from tasks.training.fit import fit, optimizer_of
from tasks.training.network import keras
from tasks.training.recipes import RECIPES, Simulation
from tasks.training.training_set import Pairs
from tests.bars import bar

pytestmark = pytest.mark.training

CPU = Device("cpu", "any", "no bfloat16")
SHORT = replace(RECIPES["quick"], epochs=2, batch_size=32, rotation_degrees=3, zoom=0.02)


class Record:
    """Keeps what the fit reports."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.batches: list[tuple[int, int]] = []
        self.epochs: list[Epoch] = []

    def on_batch(self, done: int, total: int) -> None:
        self.batches.append((done, total))

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


def bars(count: int) -> Pairs:
    labels = (np.arange(count) % 10).astype(np.int8)
    return np.stack([bar(int(label)) for label in labels]), labels


def fitted(seed: int = 1, device: Device = CPU) -> keras.Model:
    return fit(bars(320), bars(20), SHORT, seed, device, Record())[0]


@pytest.fixture(scope="module")
def weights() -> list[NDArray[np.float32]]:
    """Return what seed 1 gives."""
    found: list[NDArray[np.float32]] = fitted().get_weights()
    return found


def test_the_same_seed_gives_the_same_weights_bit_for_bit(
    weights: list[NDArray[np.float32]],
) -> None:
    again = fitted().get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(weights, again, strict=True))


def test_another_seed_gives_other_weights(weights: list[NDArray[np.float32]]) -> None:
    other = fitted(seed=2).get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(weights, other, strict=True))


def test_bars_are_learned_and_every_epoch_is_reported_from_start_to_end() -> None:
    record = Record()
    recipe = replace(SHORT, epochs=5)
    model, history = fit(bars(800), bars(20), recipe, 1, CPU, record)
    assert np.asarray(model(bars(10)[0])).argmax(1).tolist() == list(range(10))
    assert history == record.epochs and [epoch.epoch for epoch in history] == [1, 2, 3, 4, 5]
    assert history[-1].val_accuracy == 1 and history[-1].loss < history[0].loss
    first = record.batches[:10]
    assert record.batches == first * 5 and first[-1] == (25, 25)
    assert [done for done, _ in first] == sorted({done for done, _ in first})


def test_fewer_pictures_than_a_batch_are_learned_as_one() -> None:
    record = Record()
    fit(bars(20), bars(10), SHORT, 1, CPU, record)
    assert record.batches == [(1, 1), (1, 1)]


def test_a_fit_in_bfloat16_returns_a_float32_model() -> None:
    model = fitted(device=Device("cpu", "any", "2 cores, bfloat16"))
    assert {layer.compute_dtype for layer in model.layers} <= {"float32", "uint8"}


def test_a_fit_that_leaves_the_numbers_ends_with_the_epoch_and_what_to_do() -> None:
    recipe = replace(SHORT, learning_rate=1e30)
    with pytest.raises(DigitflowError, match=r"became (nan|inf) in epoch 1.*learning rate"):
        fit(bars(320), bars(10), recipe, 1, CPU, Record())


@pytest.mark.parametrize("steps", [2, 11, 60])
def test_the_rate_rises_to_its_peak_once_and_falls_to_almost_nothing(steps: int) -> None:
    optimizer = optimizer_of(RECIPES["quick"], steps)
    rates = []
    for step in range(steps):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    top = max(1, round(steps / 5))
    assert rates[0] == 0 and rates[top] == np.float32(RECIPES["quick"].learning_rate)
    assert (np.diff(rates[: top + 1]) > 0).all() and (np.diff(rates[top:]) < 0).all()


@pytest.mark.slow
def test_no_digits_teach_the_score_and_not_the_digit() -> None:
    images, labels = bars(320)
    noise = np.random.default_rng(1).integers(0, 255, (160, 28, 28), np.uint8)
    train = (
        np.concatenate([images, noise]),
        np.concatenate([labels, np.full(160, NO_DIGIT, np.int8)]),
    )
    tiny = Simulation(elastic_copies=0, digits=0, no_digits=160)
    recipe = replace(
        SHORT, simulation=tiny, ema_momentum=0.9, smoothing=0.02, dense_units=16, epochs=10
    )
    model, history = fit(train, bars(20), recipe, 1, CPU, Record())
    probabilities, score = (np.asarray(answer) for answer in model(train[0]))
    assert (probabilities[:320].argmax(1) == labels).mean() > 0.9
    assert score[:320].min() > score[320:].max()
    assert history[-1].val_accuracy > 0.9
