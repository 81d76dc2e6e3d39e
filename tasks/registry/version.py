"""One model version: its files in a folder, and the card that says what they have to be."""

from dataclasses import dataclass
from pathlib import Path

from tasks.atomic import sha256
from tasks.errors import ModelError
from tasks.inference.model_file import ONNX_FILE, Model
from tasks.registry.card import Card, read_card

CARD_FILE = "card.json"


@dataclass(frozen=True)
class Known:
    """What the card of a version says, whether or not that is true."""

    card: Card

    @property
    def name(self) -> str:
        """Return the name of the version."""
        return self.card.version

    @property
    def accepted(self) -> bool:
        """Tell whether the gate accepted it."""
        return self.card.verdict.accepted

    @property
    def accuracy(self) -> float | None:
        """Return the accuracy on the test part; None: it could not be measured."""
        return self.card.metrics.accuracy if self.card.metrics else None


@dataclass(frozen=True)
class Unusable:
    """A folder among the versions that is none, or not the one that was registered."""

    name: str
    trouble: str


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
        expected = self.card.files[ONNX_FILE]
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
        ModelError: a file is missing or was changed, or the gate judged another one.
    """
    place = place or str(folder)
    version = Version(read_card(folder / CARD_FILE, f"{place}/{CARD_FILE}"), folder)
    require_judged(version.card)
    for file, expected in version.card.files.items():
        if not (folder / file).is_file() or sha256(folder / file) != expected:
            raise _changed(f"{place}/{file}", expected)
    return version


def require_judged(card: Card) -> None:
    """Refuse a card that names no model, or whose verdict is on another one.

    Cards of digitflow before it noted the file have the verdict and the file under one seal.

    Raises:
        ModelError: it does.
    """
    judged, kept = card.verdict.sha256, card.files.get(ONNX_FILE)
    if kept is None:
        raise ModelError(f"{card.version}: its card names no {ONNX_FILE}: train again")
    if judged not in (None, kept):
        raise ModelError(
            f"{card.version}: the gate judged another file (SHA-256 {judged}) than this one "
            f"({kept}): train again"
        )
