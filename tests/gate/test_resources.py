"""What a file needs is measured where nothing else runs; batches must not change the answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.device import cpu
from tasks.errors import ModelError
from tasks.gate import resources as resources_file
from tasks.gate.resources import batches, resources
from tasks.inference.model_file import Model, model_in
from tests import mutants
from tests.bars import bar

pytestmark = pytest.mark.processes

BARS = np.stack([bar(number % 10) for number in range(40)])


def test_a_file_needs_some_memory_and_answers_with_some_speed(model_file: Path) -> None:
    found = resources(model_in(model_file), BARS)
    assert found.file_bytes == model_file.stat().st_size
    assert found.input_bytes == 784
    assert 0 < found.memory_mib < 200
    assert found.pictures_per_second > 100


def test_memory_that_a_file_takes_is_seen(model_file: Path, tmp_path: Path) -> None:
    large = mutants.mutant(model_file, tmp_path / "large.onnx", mutants.too_large)
    more = (
        resources(model_in(large), BARS).memory_mib
        - resources(model_in(model_file), BARS).memory_mib
    )
    assert more > 4  # of nine MiB


def test_batches_of_any_size_get_the_same_digits(model_file: Path) -> None:
    found = batches(model_in(model_file), cpu(), BARS, (1, 7, 1000))
    assert (found.count, found.same) == (40, {1: True, 7: True, 1000: True})


def test_a_model_that_looks_at_the_whole_batch_is_found_out(
    model_file: Path, tmp_path: Path
) -> None:
    mutant = mutants.mutant(model_file, tmp_path / "batch.onnx", mutants.answers_by_the_batch)
    assert batches(model_in(mutant), cpu(), BARS, (1, 7)).same == {1: True, 7: False}


@pytest.mark.parametrize(
    "measure", [lambda m: resources(m, BARS), lambda m: batches(m, cpu(), BARS, (1,))]
)
def test_a_network_that_never_ends_is_an_error(
    measure: Callable[[Model], object],
    model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resources_file, "LONGEST_S", 3.0)
    endless = mutants.mutant(model_file, tmp_path / "endless.onnx", mutants.never_ends(1))
    with pytest.raises(ModelError, match=r"endless.onnx does not come to an end within 3 s"):
        measure(model_in(endless))
