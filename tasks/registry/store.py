"""Where model versions and their history are kept: what every such place can do.

registry.py has the rules; a place only keeps files. A version is there once its card is.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from tasks.storage.journal import History

HISTORY_FILE = "history.jsonl"


class ModelStore(Protocol):
    """A folder, or what several machines share in its place."""

    @property
    def place(self) -> str:
        """Return folder or URL."""

    @property
    def unseen(self) -> timedelta:
        """Return for how long a machine may read with a version before others can see that."""

    @property
    def history(self) -> History:
        """Return what was done to the versions."""

    def require_writable(self) -> None:
        """Find out before any work whether versions can be added.

        Raises:
            InputError: they cannot.
        """

    def names(self) -> list[str]:
        """Return the versions that are there, by name."""

    def cards(self, names: list[str]) -> dict[str, bytes]:
        """Return the cards of versions as they are; one that is gone is left out."""

    def add(self, name: str, files: Mapping[str, Path], card: str) -> None:
        """Keep a version, whole or not at all.

        Args:
            name: of the version.
            files: those beside the card, by their names there.
            card: its text.

        Raises:
            DigitflowError: the version is there already.
        """

    def fetch(self, name: str, *, anew: bool = False) -> Path | None:
        """Return a folder of this machine with a version as it is kept, or None without one.

        Args:
            name: of the version.
            anew: what was fetched before counts for nothing.
        """

    def copies(self, name: str) -> list[Path]:
        """Return the folders of this machine that a run may read a version from."""

    def delete(self, name: str) -> None:
        """Delete a version; it is not there any more before its first file is gone."""

    def sweep(self, before: float) -> None:
        """Delete what killed programs have left, if it is older than a time (seconds)."""
