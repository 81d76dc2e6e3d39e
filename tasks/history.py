"""Append-only histories: one JSON line for each thing that somebody did, and who it was."""

import fcntl
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedRandom
from pathlib import Path
from typing import Any

from tasks.errors import DigitflowError

Entry = dict[str, Any]


@dataclass(frozen=True)
class Locked:
    """A history that nobody else can write to for now."""

    entries: list[Entry]  # those before, oldest first
    _file: BufferedRandom

    def append(self, action: str, **facts: Any) -> Entry:
        """Write one line, whole and to the disk, and return it."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "actor": actor(),
            "action": action,
            **facts,
        }
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.entries.append(entry)
        return entry


@contextmanager
def locked(path: Path) -> Iterator[Locked]:
    """Give a history, made if it is missing, to read and write while all others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        written = file.read()
        file.truncate(written.rfind(b"\n") + 1)  # a full disk can leave a part of a line
        yield Locked(_parsed(path, written), file)


def entries(path: Path) -> list[Entry]:
    """Return every entry, oldest first; a line that is still being written is none yet."""
    return _parsed(path, path.read_bytes()) if path.is_file() else []


def _parsed(path: Path, written: bytes) -> list[Entry]:
    lines = written[: written.rfind(b"\n") + 1].splitlines()
    found: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise DigitflowError(
                f"{path}, line {number} is damaged ({error}): restore the file from a backup"
            ) from error
    return found


def actor() -> str:
    """Return who is doing this, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
