"""The model in the package is the one its card speaks of, and is as good as the card says."""

from pathlib import Path

import numpy as np
import pytest

import tasks.registry.registry
from tasks.atomic import sha256
from tasks.data.snapshot import MNIST_DIGEST, Part, load
from tasks.device import cpu
from tasks.imaging.form import CANONICAL_VERSION, Kind
from tasks.inference.model_file import ONNX_FILE
from tasks.inference.session import Answers, ModelSession
from tasks.metrics.calibration import calibration_error
from tasks.metrics.classification import evaluate
from tasks.metrics.promise import promise_for
from tasks.registry.registry import bundled_model
from tasks.registry.version import CARD_FILE, Version

SHIPPED = Path(tasks.registry.registry.__file__).parent / "bundled_model"
LARGEST = 2 * 2**20  # bytes of the file
MOST_MULTIPLY_ADDS = 1_000_000  # for one picture


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Version:
    monkeypatch.setattr(tasks.registry.registry, "READY", SHIPPED)
    version = bundled_model()
    assert version
    return version


@pytest.fixture
def answers(mnist_datasets: Path, shipped: Version) -> tuple[Answers, np.ndarray]:
    images, labels = load(mnist_datasets / "mnist" / MNIST_DIGEST).part(Part.TEST)
    return ModelSession(shipped.model(), cpu(), threads=2).answers(images), labels


def test_it_is_small_cheap_accepted_and_the_file_of_its_card(shipped: Version) -> None:
    assert {path.name for path in SHIPPED.iterdir()} == {ONNX_FILE, CARD_FILE}
    assert shipped.card.files == {ONNX_FILE: sha256(shipped.onnx)}
    assert shipped.accepted
    assert shipped.card.settings["recipe"] == "standard"
    assert shipped.onnx.stat().st_size <= LARGEST
    assert sum(layer.multiply_adds for layer in shipped.card.layers) <= MOST_MULTIPLY_ADDS
    metadata = ModelSession(shipped.model(), cpu()).metadata
    assert (metadata["version"], metadata["canonical_version"]) == (shipped.name, CANONICAL_VERSION)


def test_it_answers_mnists_test_part_as_its_card_says(
    shipped: Version, answers: tuple[Answers, np.ndarray]
) -> None:
    probabilities, labels = answers[0].probabilities, answers[1]
    metrics = evaluate(probabilities, labels)
    assert metrics.accuracy == pytest.approx(shipped.accuracy, abs=2e-4)
    assert metrics.accuracy > 0.995
    assert calibration_error(probabilities, labels) <= 0.005


def test_it_keeps_digits_and_promises_the_default_error(
    shipped: Version, answers: tuple[Answers, np.ndarray]
) -> None:
    calibration = ModelSession(shipped.model(), cpu()).calibration
    scores = answers[0].digit_scores
    assert scores is not None
    assert (scores >= calibration.min_digit_score).mean() > 0.998
    assert (scores >= calibration.sure_digit_score).mean() > 0.99
    assert calibration.no_digits_refused > 0.94  # Greek letters and corners of frames among them
    assert promise_for(0.005, calibration.curves).thresholds[Kind.CLEAN].coverage > 0.9
