"""The networks keep the contract of their inputs and outputs, and TensorFlow stays quiet."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tasks.training.network import build, keras, layers, quiet_start
from tasks.training.recipes import RECIPES

pytestmark = pytest.mark.training

PICTURES = np.random.default_rng(1).integers(0, 256, (5, 28, 28), np.uint8)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_turns_bytes_into_probabilities_that_sum_to_one(name: str) -> None:
    model = build(RECIPES[name])
    answers = np.asarray(
        keras.Model(model.inputs[0], model.get_layer("probabilities").output)(PICTURES)
    )
    assert [(i.name, i.dtype, i.shape) for i in model.inputs] == [
        ("images", "uint8", (None, 28, 28))
    ]
    assert answers.dtype == np.float32 and answers.shape == (5, 10)
    assert (answers >= 0).all() and np.allclose(answers.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_known_by_its_name(name: str) -> None:
    assert RECIPES[name].name == name


def test_a_recipe_has_the_same_float32_weights_in_every_precision() -> None:
    exact = build(RECIPES["quick"]).get_weights()
    mixed = build(RECIPES["quick"], "mixed_bfloat16").get_weights()
    assert [(w.shape, w.dtype) for w in mixed] == [(w.shape, np.float32) for w in exact]


def test_the_facts_of_the_layers_add_up_to_the_network() -> None:
    model = build(RECIPES["quick"])
    facts = layers(model)
    assert facts[0].output_shape == [28, 28] and facts[-1].output_shape == [10]
    assert sum(layer.parameters for layer in facts) == model.count_params()
    first = next(layer for layer in facts if layer.type == "Conv2D")
    assert first.multiply_adds == 12 * 12 * 16 * 5 * 5


@pytest.mark.parametrize("name", RECIPES)
def test_channels_are_as_onnx_runtime_is_fast_with(name: str) -> None:
    # 23 first channels take a third more time than 24
    assert all(one.filters % 4 == 0 for one in RECIPES[name].convolutions)


@pytest.mark.parametrize("name", RECIPES)
def test_reading_one_picture_costs_at_most_a_million_multiply_adds(name: str) -> None:
    assert sum(layer.multiply_adds for layer in layers(build(RECIPES[name]))) <= 1_000_000


def test_log_lines_are_kept_from_standard_error_and_others_are_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_start():
        os.write(2, b"I0000 00:00:17 1 port.cc:153] oneDNN is on\nfree disk: none\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "free disk: none\nafter\n"


@pytest.mark.slow
def test_loading_tensorflow_writes_nothing() -> None:
    command = [sys.executable, "-c", "import tasks.training.fit, tasks.training.export"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (loaded.returncode, loaded.stdout, loaded.stderr) == (0, "", "")
