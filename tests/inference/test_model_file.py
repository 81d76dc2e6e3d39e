"""A model is the bytes that were read, under the name of what they are."""

import hashlib
import pickle
from pathlib import Path

import pytest

from tasks.errors import ModelError
from tasks.inference.model_file import Model, model_in


def test_the_content_alone_names_a_file_that_nobody_registered(tmp_path: Path) -> None:
    names = ["champion.onnx", "v1.onnx", "caf\udce9.onnx"]
    for name in names:
        (tmp_path / name).write_bytes(b"one model")
    models = [model_in(tmp_path / name) for name in names]
    digest = hashlib.sha256(b"one model").hexdigest()
    assert {model.name for model in models} == {f"sha256:{digest[:16]}"}
    assert {model.sha256 for model in models} == {digest}
    (tmp_path / "other").write_bytes(b"one model\0")
    assert model_in(tmp_path / "other").name not in {model.name for model in models}


def test_a_model_stays_what_was_read_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"first")
    model = model_in(file)
    before = model.sha256
    file.write_bytes(b"second")
    assert (model.onnx, model.sha256) == (b"first", before)
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301 - our own


def test_a_model_is_shown_without_its_bytes_and_with_its_place_unless_it_is_registered() -> None:
    model = Model("v1", "/models/v1/model.onnx", b"secret weights" * 99, registered=True)
    assert "weights" not in repr(model)
    assert str(model) == "v1"
    assert str(Model("sha256:0", "/tmp/x.onnx", b"")) == "sha256:0 (/tmp/x.onnx)"  # noqa: S108


@pytest.mark.parametrize("name", ["missing.onnx", "folder", "file/x"])
def test_a_file_that_cannot_be_read_is_an_error_of_one_line_that_names_it(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=f"{name} cannot be read: ") as refused:
        model_in(tmp_path / name)
    assert "\n" not in str(refused.value)
