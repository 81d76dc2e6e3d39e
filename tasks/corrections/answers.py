"""Who answered what about which picture: a journal beside the pictures, one line an answer.

The pictures' own folders say what counts; the journal says where it is from.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from tasks.atomic import sync_folder
from tasks.contracts.base import Contract

KEEP, REMOVE = "keep", "remove"


@dataclass(frozen=True)
class AnswerFacts:
    """Where an answered picture is from, and what a model had said."""

    by: str = ""  # who answered
    source: str = ""  # root of the reading
    path: str = ""  # below it
    page: int = 0
    model_version: str = ""
    model_status: str = ""  # read or review
    model_digit: int | None = None


class AnswerEntry(Contract):
    """One line of the journal."""

    time: str
    action: str
    picture: str  # digest of its pixels
    digit: int | None = None
    half: str = ""
    reason: str = ""  # of a removal
    by: str = ""
    source: str = ""
    path: str = ""
    page: int = 0
    model_version: str = ""
    model_status: str = ""
    model_digit: int | None = Field(None)


class AnswerJournal:
    """The journal in one file; who appends holds the lock of the corrections."""

    def __init__(self, path: Path) -> None:
        """Take the path of the file, which the first line makes."""
        self._path = path

    def append(self, action: str, picture: str, **facts: Any) -> None:
        """Write a line that is on the disk when this returns."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        values = {"time": time, "action": action, "picture": picture, **facts}
        with self._path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size and not _ends_a_line(file.fileno(), size):
                file.write(b"\n")  # a full disk or a lost machine can leave a part of a line
            file.write(json.dumps(values).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._path.parent)

    def last_of_each(self) -> dict[str, AnswerEntry]:
        """Return the last entry about each picture, by its digest."""
        return {entry.picture: entry for entry in self._entries()}

    def _entries(self) -> Iterator[AnswerEntry]:
        if not self._path.is_file():
            return
        for line in self._path.read_bytes().splitlines():
            try:
                yield AnswerEntry.from_dict(json.loads(line))
            except (ValueError, RecursionError):
                continue  # a part of a line: its picture counts all the same


def _ends_a_line(handle: int, size: int) -> bool:
    return os.pread(handle, 1, size - 1) == b"\n"
