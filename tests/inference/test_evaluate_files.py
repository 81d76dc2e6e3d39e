"""A model is judged by the code that reads folders, and by nothing that it answers otherwise."""

import math
from pathlib import Path

import numpy as np
import pytest

from tasks.device import cpu
from tasks.errors import InputError, ModelError
from tasks.gate.evidence import SliceAnswers, by_slice
from tasks.gate.slices import SliceFiles
from tasks.inference.evaluate_files import NO_ANSWER, FileAnswers, answers_of_files
from tasks.inference.model_file import model_in
from tasks.inputs.open import open_inputs
from tasks.metrics.calibration import NO_DIGIT
from tasks.not_measured import NotMeasured, fails_closed
from tests import mutants
from tests.bars import bar, encoded, save_bar_model

pytestmark = pytest.mark.processes


def files(root: Path) -> list[str]:
    """Write two digits, an unsure one, and a file that is no picture."""
    for name, value in (("3.png", 3), ("8.png", 8), ("unsure.png", 6.5)):
        (root / name).write_bytes(encoded(bar(value)))
    (root / "broken.png").write_bytes(b"")
    return ["3.png", "8.png", "unsure.png", "broken.png"]


def answers_to(model: Path, root: Path, names: list[str], max_error: float) -> FileAnswers:
    """Return a model's answers to files of a folder."""
    paths = [name.encode() for name in names]
    return answers_of_files(model_in(model), cpu(), open_inputs(str(root)), paths, max_error)


def test_answers_come_file_by_file_with_what_was_read_and_what_rejected(
    tmp_path: Path, model_file: Path
) -> None:
    found = answers_to(model_file, tmp_path, files(tmp_path), max_error=0.005)
    assert found.paths == ["3.png", "8.png", "unsure.png", "broken.png"]
    assert found.digits.tolist()[:2] == [3, 8]
    assert found.digits[2] in (6, 7)
    assert found.digits[3] == NO_ANSWER
    assert found.read.tolist() == [True, True, False, False]
    assert (found.confidences[:2] > 0.9).all()
    assert math.isnan(found.confidences[3])


def test_a_model_that_cannot_promise_the_error_reads_nothing_but_still_answers(
    tmp_path: Path, model_file: Path
) -> None:
    found = answers_to(model_file, tmp_path, files(tmp_path), max_error=1e-6)
    assert found.digits.tolist()[:2] == [3, 8]
    assert not found.read.any()


def test_answers_are_sorted_by_slice_and_a_rejected_picture_is_never_right(
    tmp_path: Path, model_file: Path
) -> None:
    names = files(tmp_path)
    found = answers_to(model_file, tmp_path, names, max_error=0.005)
    labels, sources = np.array([3, 1], np.int8), np.array([5, 6])
    slices = [
        SliceFiles("digits", names[:2], labels, sources),
        SliceFiles("none", names[2:], np.full(2, NO_DIGIT, np.int8), np.full(2, -1)),
        SliceFiles("lost", ["lost.png"], labels[:1], sources[:1]),
    ]
    answers = by_slice(slices, found)
    digits, none = answers["digits"], answers["none"]
    assert isinstance(digits, SliceAnswers)
    assert isinstance(none, SliceAnswers)
    assert digits.right.tolist() == [True, False]
    assert digits.sources.tolist() == [5, 6]
    assert none.right.tolist() == [False, False]
    assert answers["lost"] == NotMeasured("KeyError: 'lost.png'")


def test_a_model_with_an_answer_that_is_no_probability_is_not_measured(
    tmp_path: Path, model_file: Path
) -> None:
    names = files(tmp_path)
    nan = save_bar_model(tmp_path / "nan.onnx", nan=True)
    with pytest.raises(ModelError, match=r"nan.onnx answers with what are no probabilities"):
        answers_to(nan, tmp_path, names, max_error=0.005)
    once = mutants.mutant(
        model_file, tmp_path / "once.onnx", mutants.odd_answers(bar(8), float("nan"))
    )
    with pytest.raises(ModelError, match=r"once.onnx answers 1 of 4 pictures with something"):
        answers_to(once, tmp_path, names, max_error=0.005)


def test_what_fails_is_a_trouble_with_its_reason() -> None:
    @fails_closed
    def divide(by: float) -> float:
        if by < 0:
            raise InputError("by has to be positive")
        return 1 / by

    assert divide(2) == 0.5
    assert divide(0.0) == NotMeasured("ZeroDivisionError: float division by zero")
    assert divide(-1) == NotMeasured("by has to be positive")


def test_a_model_that_does_not_load_is_an_error(tmp_path: Path) -> None:
    names = files(tmp_path)
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="does not load"):
        answers_to(tmp_path / "damaged.onnx", tmp_path, names, max_error=0.005)
