"""A folder is a version only if each of its files is what its card says, and was judged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.atomic import sha256
from tasks.contracts.verdict import Verdict
from tasks.errors import ModelError
from tasks.registry.card import CardContent, sealed
from tasks.registry.version import Known, Version, require_judged, verified

CONTENT = CardContent(version="v1", verdict=Verdict(accepted=False, checks=[]))


def put(folder: Path, content: CardContent, names: tuple[str, ...]) -> Path:
    """Write a folder with files of these names, and the card that says so."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode())
    card = sealed(content, {name: sha256(folder / name) for name in names})
    (folder / "card.json").write_text(card.to_json())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a version."""
    return put(tmp_path / "v1", CONTENT, ("model.onnx", "model.keras"))


def test_a_whole_folder_is_a_version_whose_model_is_what_was_hashed(folder: Path) -> None:
    version = verified(folder)
    assert (version.name, version.accepted, version.accuracy) == ("v1", False, None)
    model = version.model()
    assert (model.onnx, model.sha256) == (b"model.onnx", sha256(folder / "model.onnx"))
    assert model.registered


def replaced_by_a_folder(file: Path) -> None:
    """Put a folder in the place of a file."""
    file.unlink()
    file.mkdir()


HARMS: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "a folder": replaced_by_a_folder,
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["model.onnx", "model.keras"])
def test_a_file_that_is_not_as_it_was_is_named_with_the_place_that_it_is_from(
    folder: Path, harm: str, name: str
) -> None:
    HARMS[harm](folder / name)
    with pytest.raises(ModelError, match=rf"^s3://bucket/v1/{name} is not the file that was reg"):
        verified(folder, "s3://bucket/v1")


@pytest.mark.parametrize("harm", HARMS)
def test_what_changes_between_the_check_and_the_reading_does_not_read(
    folder: Path, harm: str
) -> None:
    version = verified(folder)
    HARMS[harm](version.onnx)
    with pytest.raises(ModelError, match=r"v1/model.onnx is not the file that was registered"):
        version.model()


def test_a_copy_of_the_folder_under_another_name_is_the_same_version(folder: Path) -> None:
    copy = Path(shutil.copytree(folder, folder.with_name("other")))
    assert verified(copy).name == "v1"
    assert verified(copy).onnx == copy / "model.onnx"


def test_a_card_without_a_model_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^v1: its card names no model.onnx"):
        verified(put(tmp_path / "v1", CONTENT, ("model.keras",)))


def test_a_verdict_on_another_file_counts_for_nothing_and_one_without_a_file_for_this(
    tmp_path: Path, folder: Path
) -> None:
    verdict = Verdict(accepted=True, checks=[], sha256="0" * 64)
    other = CardContent(version="v2", verdict=verdict)
    with pytest.raises(ModelError, match=r"^v2: the gate judged another file \(SHA-256 0{64}\)"):
        verified(put(tmp_path / "v2", other, ("model.onnx",)))
    require_judged(verified(folder).card)


def test_what_is_only_known_has_no_files() -> None:
    known = Known(sealed(CONTENT, {"model.onnx": "0" * 64}))
    assert not isinstance(known, Version)
    assert (known.name, known.accepted) == ("v1", False)
