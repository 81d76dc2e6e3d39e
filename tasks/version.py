"""One model version: its files in a folder, and the card that says what they have to be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.card import CARD_DIGEST, read_card, sealed
from tasks.errors import ModelError
from tasks.files import sha256
from tasks.model import Model

ONNX_FILE = "model.onnx"
KERAS_FILE = "model.keras"
CARD_FILE = "card.json"


@dataclass(frozen=True)
class Known:
    """What the card of a version says, whether or not that is true."""

    card: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the name of the version."""
        return str(self.card["version"])

    @property
    def accepted(self) -> bool:
        """Tell whether the gate accepted it."""
        return bool(self.card["verdict"]["accepted"])


@dataclass(frozen=True)
class Version(Known):
    """A version whose files are what its card says."""

    folder: Path  # on this machine

    @property
    def onnx(self) -> Path:
        """Return the file that serves."""
        return self.folder / ONNX_FILE

    def model(self) -> Model:
        """Return that file, read once, and what was read is what was hashed.

        Raises:
            ModelError: it is missing, or not what was registered.
        """
        expected = self.card["files"].get(ONNX_FILE)
        model = Model(self.name, str(self.onnx), _read(self.onnx, expected), registered=True)
        if model.sha256 != expected:
            raise _changed(str(self.onnx), expected)
        return model


def _read(file: Path, expected: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise _changed(str(file), expected) from None


def _changed(file: str, expected: str) -> ModelError:
    return ModelError(
        f"{file} is not the file that was registered (its SHA-256 should be {expected}): restore "
        "it, or train and promote another version"
    )


def verified(folder: Path, place: str | None = None) -> Version:
    """Return the version in a folder, whose files are what its card says.

    Args:
        folder: has the files.
        place: where they are from, for errors; the folder itself, if not given.

    Raises:
        ModelError: a file is missing or was changed.
    """
    place = place or str(folder)
    version = Version(read_card(folder / CARD_FILE), folder)
    seal = version.card.get(CARD_DIGEST)
    if seal and sealed(version.card)[CARD_DIGEST] != seal:
        raise ModelError(
            f"{place}/{CARD_FILE} is not the card that was registered (its content has another "
            f"SHA-256 than {seal}): restore it, or train and promote another version"
        )
    for file, expected in version.card["files"].items():
        if not (folder / file).is_file() or sha256(folder / file) != expected:
            raise _changed(f"{place}/{file}", expected)
    return version
