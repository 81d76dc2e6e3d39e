"""Model versions in a folder: each is renamed into it whole, and out of it."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tasks.atomic import make_folder, new_folder, sync_folder, sync_tree, write_text
from tasks.errors import DigitflowError, InputError
from tasks.registry.events import MODELS
from tasks.registry.store import HISTORY_FILE
from tasks.registry.version import CARD_FILE
from tasks.storage.journal import FileHistory

WRITING, REMOVING = ".writing-", ".removing-"


class ModelFolder:
    """A folder of this machine, or one that is mounted."""

    unseen = timedelta(0)  # the lock of a run (version_lock.py) is seen on every machine

    def __init__(self, folder: Path, machine: Path | None = None) -> None:
        """Take the folder; it is made by the first version.

        Args:
            folder: of the versions.
            machine: folder in which this machine notes what it has seen of histories.
        """
        self._folder = folder
        self.place = str(folder)
        self.history = FileHistory(folder / HISTORY_FILE, MODELS, machine)

    def require_writable(self) -> None:
        """Make the folder.

        Raises:
            InputError: it cannot be made or written.
        """
        try:
            make_folder(self._folder)
        except OSError as error:
            raise InputError(f"{self.place} cannot be made: {error.strerror}") from error
        if not os.access(self._folder, os.W_OK):
            raise InputError(f"{self.place} cannot be written")

    def names(self) -> list[str]:
        """Return the folders that have a card, by name."""
        return sorted(card.parent.name for card in self._folder.glob(f"[!.]*/{CARD_FILE}"))

    def cards(self, names: list[str]) -> dict[str, bytes]:
        """Return the cards of versions; one that is gone is left out."""
        files = {name: self._folder / name / CARD_FILE for name in names}
        return {name: file.read_bytes() for name, file in files.items() if file.is_file()}

    def add(self, name: str, files: Mapping[str, Path], card: str) -> None:
        """Copy the files beside the other versions, and rename their folder.

        All of it is on the disk when this returns, before the history says so.
        """
        make_folder(self._folder)
        building = new_folder(self._folder, WRITING)
        try:
            for file, source in files.items():
                shutil.copyfile(source, building / file)
            write_text(building / CARD_FILE, card)
            if (self._folder / name).exists():
                raise DigitflowError(f"model version {name} is already registered")
            sync_tree(building)
            building.rename(self._folder / name)
            sync_folder(self._folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def fetch(self, name: str, *, anew: bool = False) -> Path | None:
        """Return the folder of a version."""
        return self._folder / name if (self._folder / name / CARD_FILE).is_file() else None

    def copies(self, name: str) -> list[Path]:
        """Return that folder, from which every run reads."""
        return [self._folder / name]

    def delete(self, name: str) -> None:
        """Rename the folder of a version, then delete it."""
        gone = Path(tempfile.mkdtemp(dir=self._folder, prefix=REMOVING))
        if (self._folder / name).exists():
            (self._folder / name).rename(gone / name)
            sync_folder(self._folder)
        shutil.rmtree(gone)

    def sweep(self, before: float) -> None:
        """Delete folders that killed programs have left."""
        for start in (WRITING, REMOVING):
            for left in self._folder.glob(f"{start}*"):
                if left.stat().st_mtime < before:
                    shutil.rmtree(left, ignore_errors=True)
