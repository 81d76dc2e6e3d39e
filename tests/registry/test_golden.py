"""A version is tried with a few pictures before it serves: it answers as its card says, or not."""

from pathlib import Path

import numpy as np
import pytest

from tasks.errors import ModelError
from tasks.inference.model_file import Model, model_in
from tasks.registry.card_parts import Golden
from tasks.registry.golden import PICTURES, check_golden, golden_answers
from tests.bars import bar, save_bar_model

BARS = np.stack([bar(number % 10) for number in range(30)])


def as_v1(file: Path) -> Model:
    """Return a model file under the name of a version."""
    return Model("v1", str(file), file.read_bytes())


def test_a_model_answers_as_its_card_says(model_file: Path) -> None:
    golden = golden_answers(model_in(model_file), BARS)
    assert check_golden(as_v1(model_file), golden) == PICTURES
    few = golden_answers(model_in(model_file), BARS[:3])
    assert check_golden(as_v1(model_file), few) == 3


def test_other_answers_are_an_error(model_file: Path) -> None:
    golden = golden_answers(model_in(model_file), BARS)
    for other in (np.roll(golden.probabilities, 1, axis=1).tolist(), [[float("nan")] * 10] * 20):
        with pytest.raises(ModelError, match="v1: it does not answer as its card says"):
            check_golden(as_v1(model_file), Golden(pictures=golden.pictures, probabilities=other))


def test_a_card_without_answers_proves_nothing(model_file: Path) -> None:
    with pytest.raises(ModelError, match="holds no answers to check it with"):
        check_golden(as_v1(model_file), None)


def test_a_model_that_does_not_load_is_an_error(model_file: Path, tmp_path: Path) -> None:
    golden = golden_answers(model_in(model_file), BARS)
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="does not load"):
        check_golden(as_v1(tmp_path / "damaged.onnx"), golden)
    with pytest.raises(ModelError, match="made for canonical form 0"):
        check_golden(as_v1(save_bar_model(tmp_path / "old.onnx", form="0")), golden)
