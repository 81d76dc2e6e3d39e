"""Append-only histories: one JSON line for each thing that somebody did, and who it was.

What is appended is decided from the entries that are there, and nobody appends in between: in a
file by a lock (here), in a bucket by conditional writes (bucket_journal.py). One that was shortened
or changed is not read (journal_chain.py), until a person accepts it as it is.
"""

import fcntl
import getpass
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from tasks.atomic import make_folder, sync_folder
from tasks.errors import InputError
from tasks.storage.journal_chain import (
    ACCEPTED,
    Head,
    HeadFile,
    HeadKeeper,
    chained,
    change_of,
    line_of,
    machine_head,
)

HEAD_SUFFIX = ".head"  # of what lies beside a history

Entry = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """What the entries of one kind of history hold, and what is said where one is not as it was."""

    keys: tuple[str, ...] = ("action",)  # each with a text
    risk: str = "an entry is missing"
    command: str = ""  # that accepts such a history


PLAIN = Kind()

Decide = Callable[[list[Entry]], Iterable[Mapping[str, Any]]]
"""Returns the facts of the entries to append, from those that are there, oldest first.

It may be called more than once, and raises if nothing may be appended.
"""


class History(Protocol):
    """Entries that are never changed, and a way to add to them."""

    def entries(self, *, checked: bool = True) -> list[Entry]:
        """Return every entry, oldest first.

        Args:
            checked: refuse a history that was shortened or changed, rather than show it.

        Raises:
            InputError: a line is damaged, the history is not what it was, or it is out of reach.
        """

    def append(self, decide: Decide) -> list[Entry]:
        """Append what a function decides from the entries before it, and return that.

        Raises:
            DigitflowError: as `entries`, or it cannot be written.
        """

    def accept(self, facts: Mapping[str, Any]) -> Entry:
        """Go on with a history that was shortened or changed, by an entry that says so.

        Raises:
            InputError: it is what it was, or a line is damaged.
        """


class FileHistory:
    """A history in a file, which is made by its first entry."""

    def __init__(self, path: Path, kind: Kind = PLAIN, machine: Path | None = None) -> None:
        """Take the path of the file.

        Args:
            path: of the file.
            kind: of its entries.
            machine: folder in which this machine notes what it has seen of all histories.
        """
        self._path, self._place, self._kind = path, str(path), kind
        beside = path.with_name(path.name + HEAD_SUFFIX)
        self._beside = HeadFile(beside, self._place, kind.command)
        self._seen = machine_head(machine, self._place, kind.command) if machine else None

    def entries(self, *, checked: bool = True) -> list[Entry]:
        """Return every entry, oldest first; a line that is still being written is none yet."""
        # heads first: the history may grow in the meantime, and never shrinks
        heads = self._heads() if checked else []
        written = whole_lines(self._path.read_bytes()) if self._path.is_file() else b""
        entries = parsed(written, self._place, self._kind)
        if checked:
            require_unchanged(written, entries, heads, self._place, self._kind)
            note_seen(self._seen, written)
        return entries

    def append(self, decide: Decide) -> list[Entry]:
        """Append whole lines, on the disk when this returns, while all others wait."""

        def decided(written: bytes) -> Iterable[Mapping[str, Any]]:
            entries = parsed(written, self._place, self._kind)
            require_unchanged(written, entries, self._heads(), self._place, self._kind)
            return decide(entries)

        return self._appended(decided)

    def accept(self, facts: Mapping[str, Any]) -> Entry:
        """Append an entry that takes the place of what was known."""
        keepers = [keeper for keeper in (self._beside, self._seen) if keeper]
        return self._appended(
            lambda written: [acceptance(written, keepers, self._place, self._kind, facts)]
        )[0]

    def _appended(self, decided: Callable[[bytes], Iterable[Mapping[str, Any]]]) -> list[Entry]:
        make_folder(self._path.parent)
        with self._path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            before = whole_lines(file.read())
            added = list(chained(before, signed(decided(before))))
            if added:
                file.truncate(len(before))  # a full disk can leave a part of a line
                file.write(lines(added))
                file.flush()
                os.fsync(file.fileno())
                sync_folder(self._path.parent)
                self._beside.write(Head.of(before + lines(added)))
                note_seen(self._seen, before + lines(added))
        return added

    def _heads(self) -> list[Head]:
        found = [keeper.read() for keeper in (self._beside, self._seen) if keeper]
        return [head for head in found if head]


def require_unchanged(
    written: bytes, entries: list[Entry], heads: Iterable[Head], place: str, kind: Kind
) -> None:
    """Refuse a history that was shortened or changed.

    Raises:
        InputError: it was; the message names the command that accepts it.
    """
    if change := change_of(written, entries, heads):
        raise InputError(
            f"{place} is not what it was ({change}), so that {kind.risk}: restore it, or accept "
            f"it as it is with `{kind.command} --reason ...`"
        )


def acceptance(
    written: bytes,
    keepers: Iterable[HeadKeeper],
    place: str,
    kind: Kind,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the facts of the entry that accepts a history.

    Raises:
        InputError: it is what it was, or a line is damaged.
    """
    heads, change = list[Head](), None
    for keeper in keepers:
        try:
            heads += [head] if (head := keeper.read()) else []
        except InputError as error:  # it is rewritten
            change = str(error)
    change = change_of(written, parsed(written, place, kind), heads) or change
    if change is None:
        raise InputError(f"{place} is what it was: there is nothing to accept")
    unmet = {head.sha256 for head in heads if not head.begins(written)}
    return {**facts, "change": change, ACCEPTED: sorted(unmet)}


def note_seen(machine: HeadFile | None, written: bytes) -> None:
    """Note on this machine what a history ends with."""
    try:
        if machine and written:
            machine.write(Head.of(written))
    except OSError:
        pass  # a machine whose home cannot be written goes by what it noted before


def signed(decided: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return entries of these facts: when it was and who did it, and an id that no other has."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return [{"time": time, "actor": actor(), **facts, "id": uuid4().hex} for facts in decided]


def lines(entries: Iterable[Entry]) -> bytes:
    """Return entries as they are written."""
    return b"".join(map(line_of, entries))


def whole_lines(written: bytes) -> bytes:
    """Return what was written without a part of a line at its end."""
    return written[: written.rfind(b"\n") + 1]


def parsed(written: bytes, place: str, kind: Kind = PLAIN) -> list[Entry]:
    """Return the entries of whole lines: JSON objects that hold what those of their kind do.

    Raises:
        InputError: a line is damaged.
    """
    return [
        _entry(line, f"{place}, line {number}", kind)
        for number, line in enumerate(whole_lines(written).split(b"\n")[:-1], start=1)
    ]


def _entry(line: bytes, place: str, kind: Kind) -> Entry:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise damaged(place, str(error)) from error
    if not isinstance(entry, dict):
        raise damaged(place, "it is no JSON object")
    for key in kind.keys:
        if not isinstance(entry.get(key), str):
            raise damaged(place, f"it has no {key}")
    return entry


def damaged(place: str, what: str) -> InputError:
    """Return the error of a line that cannot be used."""
    return InputError(f"{place} is damaged ({what}): restore the file from a backup")


def actor() -> str:
    """Return who is doing this, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
