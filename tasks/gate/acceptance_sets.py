"""The user's own labelled pictures, which no model passes the gate without.

A folder is copied to `acceptance/<name>/<digest>/` when it is added: the digest is that of names
and content, so a version never changes. `acceptance/history.jsonl` says which versions count.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tasks.atomic import absolute, make_folder, sha256, sync_folder, sync_tree
from tasks.data.labelled_folder import checked_name, copy_file, evaluation_folder
from tasks.errors import InputError
from tasks.settings.base import SEEN, home
from tasks.storage.journal import Entry, FileHistory, Kind, damaged

HISTORY_FILE = "history.jsonl"
REGISTERED = "acceptance "  # what the names of their slices begin with
CORRECTIONS = "corrections"  # a set of its own: see tasks/corrections
SETS = Kind(
    keys=("action", "name"),
    risk="a model could pass that these folders would refuse",
    command="digitflow acceptance accept-history",
)
SHORT = 16  # characters of a digest that name a folder


@dataclass(frozen=True)
class AcceptanceSet:
    """One registered folder, in the version that counts."""

    name: str
    folder: Path
    digest: str
    pictures: int
    floor: float  # of the share answered right, for its lower bound
    ignored: int  # files and folders that were not copied: hidden, or left behind by systems

    def verified(self) -> Path:
        """Return the folder, whose content is what was registered.

        Raises:
            InputError: it is missing or was changed.
        """
        found = _digest(self.folder)
        if found != self.digest and _earlier_digest(self.folder) != self.digest:
            raise InputError(
                f"acceptance set {self.name!r}: {self.folder} is not what was registered (digest "
                f"{found[:SHORT]}, expected {self.digest[:SHORT]}): add the folder again"
            )
        return self.folder


class AcceptanceSets:
    """The sets below one folder."""

    def __init__(self, folder: Path, machine: Path | None = None) -> None:
        """Take the `acceptance` folder; it is made when the first set is added.

        Args:
            folder: of the sets.
            machine: folder in which this machine notes what it has seen of histories.
        """
        self.folder = folder
        self._history = FileHistory(folder / HISTORY_FILE, SETS, machine)

    def add(self, source: Path, name: str, floor: float, reason: str) -> AcceptanceSet:
        """Copy a labelled folder; a set of the same name is replaced by this version of it.

        Raises:
            InputError: it is no labelled folder, or the name cannot be used.
        """
        if checked_name(name) == CORRECTIONS:
            raise InputError(
                f"{CORRECTIONS!r} is the name of what people corrected (`digitflow corrections`), "
                "on which every verdict tells how it is read: give another name"
            )
        source = absolute(source)
        found = evaluation_folder(source)
        building = self.folder / f".writing-{uuid4().hex}"
        try:
            for file in found.files:
                copy_file(file.path, building / file.path.relative_to(source))
            digest = _digest(building)
            kept = self.folder / name / digest[:SHORT]
            if kept.exists() and not _holds(kept, digest):
                shutil.rmtree(kept)  # damaged since, which is why it is added again
            if not kept.exists():
                make_folder(kept.parent)
                sync_tree(building)
                building.rename(kept)
                sync_folder(kept.parent)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        facts = {
            "digest": digest,
            "pictures": len(found.files),
            "ignored": found.ignored,
            "floor": floor,
            "reason": reason,
        }
        self._history.append(lambda _: [{"action": "add", "name": name, **facts}])
        return AcceptanceSet(name, kept, digest, len(found.files), floor, found.ignored)

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

    def accept_history(self, reason: str) -> str:
        """Go on with a history that was shortened or changed; return in words how it was.

        Raises:
            InputError: it is what it was, or a line is damaged.
        """
        facts = {"action": "accept-history", "name": "", "reason": reason}
        return str(self._history.accept(facts)["change"])

    def current(self) -> list[AcceptanceSet]:
        """Return the sets that count, by name."""
        found = self._current(self._history.entries())
        return [found[name] for name in sorted(found)]

    def _current(self, entries: list[Entry]) -> dict[str, AcceptanceSet]:
        found: dict[str, AcceptanceSet] = {}
        for number, entry in enumerate(entries, start=1):
            if entry["action"] == "remove":
                found.pop(entry["name"], None)
            elif entry["action"] == "add":
                try:
                    found[entry["name"]] = self._set_of(entry)
                except (KeyError, TypeError, ValueError, InputError) as error:
                    where = f"{self.folder / HISTORY_FILE}, line {number}"
                    raise damaged(where, f"{type(error).__name__}: {error}") from error
        return found

    def _set_of(self, entry: Entry) -> AcceptanceSet:
        digest, name = str(entry["digest"]), checked_name(entry["name"])
        return AcceptanceSet(
            name=name,
            folder=self.folder / name / digest[:SHORT],
            digest=digest,
            pictures=int(entry["pictures"]),
            floor=float(entry["floor"]),
            ignored=int(entry.get("ignored", 0)),
        )


def acceptance_sets() -> AcceptanceSets:
    """Return the sets of this home."""
    return AcceptanceSets(home() / "acceptance", home() / SEEN)


def digests(sets: Iterable[AcceptanceSet]) -> dict[str, str]:
    """Return which versions of which sets these are, as a verdict keeps it."""
    return {dataset.name: f"{dataset.digest} {dataset.floor:g}" for dataset in sets}


def _holds(folder: Path, digest: str) -> bool:
    try:
        return _digest(folder) == digest
    except InputError:
        return False


def _digest(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of a labelled folder's files."""
    return _digest_of(folder, [file.path for file in evaluation_folder(folder).files])


def _earlier_digest(folder: Path) -> str:
    """Return the digest that sets of earlier versions were registered by.

    It also covers what systems leave behind, which was copied then, and sub-folders of a digit's
    come as the disk lists them. No picture that is judged on is outside of it.
    """
    return _digest_of(
        folder,
        [
            Path(inside, name)
            for digit in sorted(folder.glob("[0-9]"))
            for inside, _, names in os.walk(digit)
            for name in sorted(names)
            if not name.startswith(".") and Path(inside, name).is_file()
        ],
    )


def _digest_of(folder: Path, files: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for file in files:
        whole.update(
            f"{file.relative_to(folder)}\0{sha256(file)}\n".encode(errors="surrogateescape")
        )
    return whole.hexdigest()
