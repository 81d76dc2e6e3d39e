"""The ONNX file keeps the contract, carries its metadata, and answers as Keras does."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest

from tasks.canonical import CANONICAL_VERSION
from tasks.device import cpu
from tasks.export import OPSET, parity, to_onnx
from tasks.network import RECIPES, build, keras
from tasks.reader import Reader

METADATA = {"version": "tested", "canonical_version": CANONICAL_VERSION}
PICTURES = np.random.default_rng(1).integers(0, 256, (300, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Return an untrained network: what it answers is as hard to reproduce as any."""
    keras.utils.set_random_seed(1)
    return build(RECIPES["quick"])


@pytest.fixture(scope="module")
def exported(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the network's ONNX file."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    to_onnx(network, path, METADATA)
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
    assert Reader(exported, cpu()).metadata == METADATA


def test_both_runtimes_agree_at_two_batch_sizes(network: keras.Model, exported: Path) -> None:
    found = parity(network, exported, PICTURES)
    assert found.count == 300 and len(set(found.batch_sizes)) == 2
    assert found.same_digits and 0 < found.max_difference <= 1e-4


def test_parity_tells_another_network_from_the_exported_one(exported: Path) -> None:
    keras.utils.set_random_seed(2)
    found = parity(build(RECIPES["quick"]), exported, PICTURES)
    assert not found.same_digits and found.max_difference > 1e-4


def test_parity_of_answers_that_are_no_numbers_is_no_agreement(exported: Path) -> None:
    broken = build(RECIPES["quick"])
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    assert not parity(broken, exported, PICTURES[:10]).max_difference <= 1e-4


def test_a_model_read_back_from_disk_exports_to_the_same_answers(
    network: keras.Model, tmp_path: Path
) -> None:
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    to_onnx(again, tmp_path / "model.onnx", METADATA)
    assert parity(network, tmp_path / "model.onnx", PICTURES[:50]).max_difference <= 1e-4


def test_exporting_says_nothing_and_leaves_only_the_file(
    network: keras.Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_onnx(network, tmp_path / "model.onnx", METADATA)
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
