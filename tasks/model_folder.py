"""Model versions in a folder: each is renamed into it whole, and out of it."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.card import read_card
from tasks.errors import DigitflowError, InputError
from tasks.files import write_text
from tasks.history import FileHistory
from tasks.model_store import HISTORY_FILE
from tasks.version import CARD_FILE

WRITING, REMOVING = ".writing-", ".removing-"


class ModelFolder:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made by the first version."""
        self._folder = folder
        self.place = str(folder)
        self.history = FileHistory(folder / HISTORY_FILE)

    def require_writable(self) -> None:
        """Make the folder.

        Raises:
            InputError: it cannot be made or written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.place} cannot be made: {error.strerror}") from error
        if not os.access(self._folder, os.W_OK):
            raise InputError(f"{self.place} cannot be written")

    def names(self) -> list[str]:
        """Return the folders that have a card, oldest first."""
        return sorted(card.parent.name for card in self._folder.glob(f"[!.]*/{CARD_FILE}"))

    def cards(self, names: list[str]) -> list[dict[str, Any]]:
        """Return the cards of versions; one that is gone is left out."""
        files = [self._folder / name / CARD_FILE for name in names]
        return [read_card(file) for file in files if file.is_file()]

    def add(self, name: str, files: Mapping[str, Path], card: str) -> None:
        """Copy the files beside the other versions, and rename their folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=self._folder, prefix=WRITING))
        try:
            for file, source in files.items():
                shutil.copyfile(source, building / file)
            write_text(building / CARD_FILE, card)
            building.chmod(0o755)
            if (self._folder / name).exists():
                raise DigitflowError(f"model version {name} is already registered")
            building.rename(self._folder / name)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def fetch(self, name: str, *, anew: bool = False) -> Path | None:
        """Return the folder of a version."""
        return self._folder / name if (self._folder / name / CARD_FILE).is_file() else None

    def delete(self, name: str) -> None:
        """Rename the folder of a version, then delete it."""
        gone = Path(tempfile.mkdtemp(dir=self._folder, prefix=REMOVING))
        if (self._folder / name).exists():
            (self._folder / name).rename(gone / name)
        shutil.rmtree(gone)

    def sweep(self, before: float) -> None:
        """Delete folders that killed programs have left."""
        for start in (WRITING, REMOVING):
            for left in self._folder.glob(f"{start}*"):
                if left.stat().st_mtime < before:
                    shutil.rmtree(left, ignore_errors=True)
