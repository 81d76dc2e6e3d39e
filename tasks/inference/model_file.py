"""A model that is to be loaded: the bytes of its ONNX file, read once, and their name.

What was hashed, what is judged, what every process loads and what rows are recorded under are one
thing, whatever becomes of the file. Never loads ONNX Runtime.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import ModelError

HASH_DIGITS = 16  # of a SHA-256, in a name


ONNX_FILE, KERAS_FILE = "model.onnx", "model.keras"  # in the folder of a run or of a version


@dataclass(frozen=True)
class Unreadable:
    """A version that should read, and cannot with this digitflow."""

    version: str
    why: str


@dataclass(frozen=True)
class Model:
    """An ONNX file as it was when it was read."""

    name: str  # under which its rows are recorded
    location: str  # where it was read, for people
    onnx: bytes = field(repr=False)
    registered: bool = False  # under this name, which its own metadata have to say, too
    instead_of: Unreadable | None = None  # the champion that it stands in for

    def __str__(self) -> str:
        """Return the name, and where the file lies if it is none that was registered."""
        return self.name if self.registered else f"{self.name} ({self.location})"

    @property
    def sha256(self) -> str:
        """Return the digest of the bytes, in hexadecimal."""
        return hashlib.sha256(self.onnx).hexdigest()


def model_in(file: Path) -> Model:
    """Return the model in a file that nobody registered: its name is the hash of what it is.

    What its metadata say of its version proves nothing.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        onnx = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}") from None
    digest = hashlib.sha256(onnx).hexdigest()
    return Model(f"sha256:{digest[:HASH_DIGITS]}", str(file), onnx)
