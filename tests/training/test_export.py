"""The ONNX file keeps the contract, carries its metadata, and answers as Keras does."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest

from tasks.device import cpu
from tasks.imaging.form import CANONICAL_VERSION
from tasks.inference.model_file import model_in
from tasks.inference.session import CALIBRATION, ModelSession
from tasks.metrics.calibration import sigmoid, softmax
from tasks.training.export import OPSET, parity, raw_answers, to_onnx
from tasks.training.network import build, keras
from tasks.training.recipes import RECIPES
from tests.bars import BAR_CALIBRATION

pytestmark = pytest.mark.training

METADATA = {
    "version": "tested",
    "canonical_version": CANONICAL_VERSION,
    CALIBRATION: BAR_CALIBRATION.to_json(),
}
TEMPERATURE = 1.5
PICTURES = np.random.default_rng(1).integers(0, 256, (300, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Return an untrained network: what it answers is as hard to reproduce as any."""
    keras.utils.set_random_seed(1)
    return build(RECIPES["quick"])


def with_digit_logit(network: keras.Model) -> keras.Model:
    """Return the network with a digit logit of new random weights beside its answer."""
    logit = keras.layers.Dense(1, name="digit_logit")(network.get_layer("flat").output)
    return keras.Model(network.inputs, [network.output, logit])


@pytest.fixture(scope="module")
def exported(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the network's ONNX file."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    to_onnx(network, path, METADATA, TEMPERATURE)
    return path


def test_the_file_takes_any_number_of_pictures_by_the_names_of_the_contract(
    exported: Path,
) -> None:
    graph = onnx.load(exported).graph
    (images,), (probabilities,) = graph.input, graph.output
    found = [
        (
            value.name,
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in (images, probabilities)
    ]
    assert found == [
        ("images", onnx.TensorProto.UINT8, ["N", 28, 28]),
        ("probabilities", onnx.TensorProto.FLOAT, ["N", 10]),
    ]


def test_the_file_states_its_opset_and_carries_its_metadata(exported: Path) -> None:
    versions = {opset.domain: opset.version for opset in onnx.load(exported).opset_import}
    assert versions[""] == OPSET
    assert ModelSession(model_in(exported), cpu()).metadata == METADATA


def test_both_runtimes_agree_at_two_batch_sizes(network: keras.Model, exported: Path) -> None:
    found = parity(network, exported, PICTURES, TEMPERATURE)
    assert found.count == 300 and len(set(found.batch_sizes)) == 2
    assert found.same_digits and 0 < found.max_difference <= 1e-4


def test_the_file_divides_the_logits_by_the_temperature(
    network: keras.Model, exported: Path
) -> None:
    logits, digit_logits = raw_answers(network, PICTURES)
    assert digit_logits is None
    found = ModelSession(model_in(exported), cpu()).answers(PICTURES)
    assert found.digit_scores is None
    assert np.allclose(found.probabilities, softmax(logits / TEMPERATURE), atol=1e-5)
    assert not np.allclose(found.probabilities, softmax(logits), atol=1e-3)


def test_a_network_with_a_digit_logit_exports_a_digit_score(
    network: keras.Model, tmp_path: Path
) -> None:
    scored = with_digit_logit(network)
    to_onnx(scored, tmp_path / "model.onnx", METADATA, TEMPERATURE)
    logits, digit_logits = raw_answers(scored, PICTURES)
    assert digit_logits is not None
    found = ModelSession(model_in(tmp_path / "model.onnx"), cpu()).answers(PICTURES)
    assert found.digit_scores is not None
    assert found.digit_scores.shape == (len(PICTURES),)
    assert np.allclose(found.probabilities, softmax(logits / TEMPERATURE), atol=1e-5)
    assert np.allclose(found.digit_scores, sigmoid(digit_logits), atol=1e-5)
    assert parity(scored, tmp_path / "model.onnx", PICTURES, TEMPERATURE).max_difference <= 1e-4
    other = parity(with_digit_logit(network), tmp_path / "model.onnx", PICTURES, TEMPERATURE)
    assert other.same_digits and other.max_difference > 1e-4


def test_parity_tells_another_network_from_the_exported_one(exported: Path) -> None:
    keras.utils.set_random_seed(2)
    found = parity(build(RECIPES["quick"]), exported, PICTURES, TEMPERATURE)
    assert not found.same_digits and found.max_difference > 1e-4


def test_parity_of_answers_that_are_no_numbers_is_no_agreement(exported: Path) -> None:
    broken = build(RECIPES["quick"])
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    assert not parity(broken, exported, PICTURES[:10], TEMPERATURE).max_difference <= 1e-4


def test_a_model_read_back_from_disk_exports_to_the_same_answers(
    network: keras.Model, tmp_path: Path
) -> None:
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    to_onnx(again, tmp_path / "model.onnx", METADATA, TEMPERATURE)
    assert (
        parity(network, tmp_path / "model.onnx", PICTURES[:50], TEMPERATURE).max_difference <= 1e-4
    )


def test_exporting_says_nothing_and_leaves_only_the_file(
    network: keras.Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_onnx(network, tmp_path / "model.onnx", METADATA, TEMPERATURE)
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
