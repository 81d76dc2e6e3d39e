"""The user's own labelled pictures, which no model passes the gate without.

A folder is copied to `acceptance/<name>/<digest>/` when it is added: the digest is that of names
and content, so a version never changes. `acceptance/history.jsonl` says which versions count.
"""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tasks.errors import InputError
from tasks.files import sha256
from tasks.history import Entry, FileHistory
from tasks.labelled_folder import checked_name, labelled_files

HISTORY_FILE = "history.jsonl"
DEFAULT_FLOOR = 0.8
SHORT = 16  # characters of a digest that name a folder


@dataclass(frozen=True)
class AcceptanceSet:
    """One registered folder, in the version that counts."""

    name: str
    folder: Path
    digest: str
    pictures: int
    floor: float  # of the share answered right, for its lower bound

    def verified(self) -> Path:
        """Return the folder, whose content is what was registered.

        Raises:
            InputError: it is missing or was changed.
        """
        found = _digest(self.folder)
        if found != self.digest:
            raise InputError(
                f"acceptance set {self.name!r}: {self.folder} is not what was registered (digest "
                f"{found[:SHORT]}, expected {self.digest[:SHORT]}): add the folder again"
            )
        return self.folder


class AcceptanceSets:
    """The sets below one folder."""

    def __init__(self, folder: Path) -> None:
        """Take the `acceptance` folder; it is made when the first set is added."""
        self.folder = folder
        self._history = FileHistory(folder / HISTORY_FILE)

    def add(self, source: Path, name: str, floor: float, reason: str) -> AcceptanceSet:
        """Copy a labelled folder; a set of the same name is replaced by this version of it.

        Raises:
            InputError: it is no labelled folder, or the name cannot be used.
        """
        checked_name(name)
        files = labelled_files(source)
        building = self.folder / f".writing-{uuid4().hex}"
        try:
            for file, _ in files:
                target = building / file.relative_to(source.expanduser().absolute())
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
            digest = _digest(building)
            kept = self.folder / name / digest[:SHORT]
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                building.rename(kept)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        facts = {"digest": digest, "pictures": len(files), "floor": floor, "reason": reason}
        self._history.append(lambda _: [{"action": "add", "name": name, **facts}])
        return AcceptanceSet(name, kept, digest, len(files), floor)

    def remove(self, name: str, reason: str) -> None:
        """Judge without a set from the next candidate on; its files and history stay.

        Raises:
            InputError: there is none of that name.
        """

        def removal(entries: list[Entry]) -> list[Entry]:
            known = self._current(entries)
            if name not in known:
                names = ", ".join(known) or "none"
                raise InputError(f"no acceptance set {name!r}; there is: {names}")
            return [{"action": "remove", "name": name, "reason": reason}]

        self._history.append(removal)

    def current(self) -> list[AcceptanceSet]:
        """Return the sets that count, by name."""
        found = self._current(self._history.entries())
        return [found[name] for name in sorted(found)]

    def _current(self, entries: list[Entry]) -> dict[str, AcceptanceSet]:
        found: dict[str, AcceptanceSet] = {}
        for entry in entries:
            name = entry["name"]
            if entry["action"] == "remove":
                found.pop(name, None)
            else:
                folder = self.folder / name / entry["digest"][:SHORT]
                facts = (entry["digest"], entry["pictures"], entry["floor"])
                found[name] = AcceptanceSet(name, folder, *facts)
        return found


def digests(sets: Iterable[AcceptanceSet]) -> dict[str, str]:
    """Return which versions of which sets these are, as a verdict keeps it."""
    return {one.name: f"{one.digest} {one.floor:g}" for one in sets}


def _digest(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of a labelled folder's files."""
    whole = hashlib.sha256()
    for file, _ in labelled_files(folder):
        whole.update(
            f"{file.relative_to(folder)}\0{sha256(file)}\n".encode(errors="surrogateescape")
        )
    return whole.hexdigest()
