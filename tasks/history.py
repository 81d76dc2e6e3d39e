"""Append-only histories: one JSON line for each thing that somebody did, and who it was.

What is appended is decided from the entries that are there, and nobody appends in between: in a
file by a lock (here), in a bucket by conditional writes (tasks/bucket_history.py).
"""

import fcntl
import getpass
import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from tasks.errors import DigitflowError

Entry = dict[str, Any]

Decide = Callable[[list[Entry]], Iterable[Mapping[str, Any]]]
"""Returns the facts of the entries to append, from those that are there, oldest first.

It may be called more than once, and raises if nothing may be appended.
"""


class History(Protocol):
    """Entries that are never changed, and a way to add to them."""

    def entries(self) -> list[Entry]:
        """Return every entry, oldest first.

        Raises:
            DigitflowError: a line is damaged, or the history is out of reach.
        """

    def append(self, decide: Decide) -> list[Entry]:
        """Append what a function decides from the entries before it, and return that.

        Raises:
            DigitflowError: as `entries`, or it cannot be written.
        """


class FileHistory:
    """A history in a file, which is made by its first entry."""

    def __init__(self, path: Path) -> None:
        """Take the path of the file."""
        self._path = path

    def entries(self) -> list[Entry]:
        """Return every entry, oldest first; a line that is still being written is none yet."""
        return parsed(self._path.read_bytes(), str(self._path)) if self._path.is_file() else []

    def append(self, decide: Decide) -> list[Entry]:
        """Append whole lines, on the disk when this returns, while all others wait."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            written = file.read()
            file.truncate(len(whole_lines(written)))  # a full disk can leave a part of a line
            added = signed(decide(parsed(written, str(self._path))))
            file.write(lines(added))
            file.flush()
            os.fsync(file.fileno())
        return added


def signed(decided: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return entries of these facts: when it was and who did it, and an id that no other has."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return [{"time": time, "actor": actor(), **facts, "id": uuid4().hex} for facts in decided]


def lines(entries: Iterable[Entry]) -> bytes:
    """Return entries as they are written."""
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def whole_lines(written: bytes) -> bytes:
    """Return what was written without a part of a line at its end."""
    return written[: written.rfind(b"\n") + 1]


def parsed(written: bytes, place: str) -> list[Entry]:
    """Return the entries of whole lines.

    Raises:
        DigitflowError: a line is damaged.
    """
    found: list[Entry] = []
    for number, line in enumerate(whole_lines(written).splitlines(), start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise DigitflowError(
                f"{place}, line {number} is damaged ({error}): restore the file from a backup"
            ) from error
    return found


def actor() -> str:
    """Return who is doing this, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
