"""A model answers the same however its pictures are batched, and is refused if it is not ours."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.device import Device, cpu, nvidia_gpu
from tasks.errors import DeviceError, ModelError
from tasks.inference.model_file import Model, model_in
from tasks.inference.session import NETWORK_BATCH, ModelSession
from tests import mutants
from tests.bars import BAR_CALIBRATION, bar, save_bar_model


@pytest.fixture(scope="module")
def session(model_file: Path) -> ModelSession:
    """Return the reader of bars."""
    return ModelSession(model_in(model_file), cpu())


@pytest.mark.parametrize(
    "count", [0, 1, NETWORK_BATCH - 1, NETWORK_BATCH, NETWORK_BATCH + 1, 2 * NETWORK_BATCH]
)
def test_every_picture_has_its_answer_in_order(session: ModelSession, count: int) -> None:
    digits = np.arange(count) % 10
    images = np.stack([bar(digit) for digit in range(10)])[digits]
    probabilities = session.answers(images).probabilities
    assert (probabilities.shape, probabilities.dtype) == ((count, 10), np.float32)
    assert np.array_equal(probabilities.argmax(1), digits)


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_rows_sum_to_one_and_do_not_depend_on_the_batch(
    session: ModelSession, seed: int, count: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    together = session.answers(images).probabilities
    alone = np.concatenate([session.answers(image[None]).probabilities for image in images])
    assert np.allclose(together.sum(1), 1, atol=1e-5)
    assert np.allclose(together, alone, atol=1e-5)


def test_a_digit_score_is_given_by_a_model_that_has_one(
    session: ModelSession, tmp_path: Path
) -> None:
    images = np.stack([bar(3), np.roll(bar(3), 12, axis=1)])
    assert session.answers(images).digit_scores is None
    scored = ModelSession(model_in(save_bar_model(tmp_path / "scored.onnx", scored=True)), cpu())
    for count in (1, 2):
        scores = scored.answers(images[:count]).digit_scores
        assert scores is not None
        assert scores.tolist() == pytest.approx([1, 0][:count])


def test_the_file_says_what_it_promises(model_file: Path) -> None:
    assert ModelSession(model_in(model_file), cpu()).calibration == BAR_CALIBRATION


def test_who_reads_and_by_what_is_known(session: ModelSession) -> None:
    assert (session.version[:7], session.provider) == ("sha256:", "CPUExecutionProvider")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "does not load"), (b"no onnx" * 99, "does not load")]
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=f"bad.onnx {message}"):
        ModelSession(model_in(tmp_path / "bad.onnx"), cpu())


def test_a_cut_off_file_is_refused(tmp_path: Path, model_file: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(model_file.read_bytes()[:-300])
    with pytest.raises(ModelError, match="does not load"):
        ModelSession(model_in(tmp_path / "cut.onnx"), cpu())


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"side": 14}, r"takes .*14, 14.*expected uint8 \(N, 28, 28\)"),
        ({"form": "another"}, "made for canonical form another, this digitflow has"),
        ({"form": None}, "made for canonical form unknown"),
        ({"calibration": None}, "carries no risk curve"),
        ({"calibration": "{}"}, "carries a damaged risk curve .*'curve'"),
        ({"calibration": "no json"}, "carries a damaged risk curve"),
    ],
)
def test_a_model_of_another_contract_is_refused(
    tmp_path: Path, facts: dict[str, object], message: str
) -> None:
    model = save_bar_model(tmp_path / "other.onnx", **facts)
    with pytest.raises(ModelError, match=message):
        ModelSession(model_in(model), cpu())


def test_a_model_that_gives_one_row_for_all_pictures_is_refused(
    tmp_path: Path, model_file: Path
) -> None:
    model = mutants.mutant(model_file, tmp_path / "one.onnx", mutants.one_answer_for_all)
    with pytest.raises(ModelError, match=r"one.onnx gives .*\(1, 10\)} for 2 pictures"):
        ModelSession(model_in(model), cpu())


def test_a_model_that_answers_with_no_numbers_is_refused(tmp_path: Path) -> None:
    model = save_bar_model(tmp_path / "nan.onnx", nan=True)
    with pytest.raises(ModelError, match=r"nan.onnx answers with what are no probabilities.*nan"):
        ModelSession(model_in(model), cpu())


def test_a_model_whose_weights_lie_in_another_file_is_refused(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"save_as_external_data": True, "location": "weights", "size_threshold": 0}
    onnx.save(onnx.load(model_file), tmp_path / "model.onnx", **facts)
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for them
    with pytest.raises(ModelError, match=r"model.onnx does not load .*weights"):
        ModelSession(model_in(tmp_path / "model.onnx"), cpu())


def test_a_registered_model_says_the_name_it_is_registered_under(model_file: Path) -> None:
    data = model_file.read_bytes()
    assert ModelSession(Model("bars", "m.onnx", data, registered=True), cpu()).version == "bars"
    with pytest.raises(ModelError, match=r"m.onnx is registered as v1, but says that it is bars"):
        ModelSession(Model("v1", "m.onnx", data, registered=True), cpu())


@pytest.mark.skipif(isinstance(nvidia_gpu(), Device), reason="here a GPU can run it")
def test_a_gpu_that_is_not_there_is_an_error_and_not_the_cpu(model_file: Path) -> None:
    with pytest.raises(DeviceError, match=r"cuda: ghost .* runs on CPUExecutionProvider"):
        ModelSession(model_in(model_file), Device("cuda", "ghost", "none"))
