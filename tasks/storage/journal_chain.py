"""What makes a history show that it was shortened or changed: its chain of hashes, and its head.

Each entry holds the SHA-256 of every line before it, so that a line that was changed, lost or moved
does not fit. A history that was cut off at its end, or lost, fits; so what it ended with is written
down apart from it too: beside it, and on each machine that has seen it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from tasks.atomic import write_text
from tasks.errors import InputError

BEFORE = "before"  # key of an entry: the SHA-256 of every line before it
ACCEPTED = "accepted"  # key of an entry that takes the history as it is: heads it had before
SHORT = 16  # characters of a digest that name a file


@dataclass(frozen=True)
class Head:
    """What a history ended with when it was last seen."""

    entries: int
    size: int  # bytes
    sha256: str  # of those bytes

    @classmethod
    def of(cls, written: bytes) -> "Head":
        """Return the head of whole lines."""
        return cls(written.count(b"\n"), len(written), hashlib.sha256(written).hexdigest())

    @classmethod
    def parsed(cls, text: bytes, place: str, command: str) -> "Head":
        """Return what `to_json` wrote.

        Raises:
            InputError: it is something else.
        """
        try:
            facts = json.loads(text)
            head = cls(facts["entries"], facts["size"], facts["sha256"])
            if [type(value) for value in asdict(head).values()] != [int, int, str]:
                raise TypeError(f"{head} is no head")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(
                f"{place} is damaged ({type(error).__name__}: {error}): restore it, or let "
                f"`{command} --reason ...` write it anew"
            ) from error
        return head

    def to_json(self, of: str) -> str:
        """Return the same as a line that also says of which history it is, for a person."""
        return json.dumps({"history": of, **asdict(self)}) + "\n"

    def begins(self, written: bytes) -> bool:
        """Tell whether a history is the one that was seen, perhaps with more at its end."""
        start = written[: self.size]
        return len(start) == self.size and hashlib.sha256(start).hexdigest() == self.sha256


class HeadKeeper(Protocol):
    """Where a head is written down."""

    def read(self) -> Head | None:
        """Return the head, or None if none was written yet.

        Raises:
            InputError: it is damaged.
        """


class HeadFile:
    """A head in a file: beside a history, or on a machine that has seen it."""

    def __init__(self, file: Path, history: str, command: str) -> None:
        """Take the file, of which history it is, and the command that accepts another one."""
        self._file, self._history, self._command = file, history, command

    def read(self) -> Head | None:
        """Return the head, or None if none was written yet.

        Raises:
            InputError: it is damaged.
        """
        if not self._file.is_file():
            return None
        return Head.parsed(self._file.read_bytes(), str(self._file), self._command)

    def write(self, head: Head) -> None:
        """Replace the head, if it is another one."""
        text = head.to_json(self._history)
        if not self._file.is_file() or self._file.read_text(errors="replace") != text:
            write_text(self._file, text)


def machine_head(machine: Path, history: str, command: str) -> HeadFile:
    """Return what a machine has seen of a history.

    Args:
        machine: folder with the heads of all histories that this machine has seen.
        history: path or URL.
        command: that accepts another one.
    """
    name = hashlib.sha256(history.encode(errors="surrogateescape")).hexdigest()[:SHORT]
    return HeadFile(machine / f"{name}.json", history, command)


def chained(written: bytes, added: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give entries the hash of all lines before them; `written` are those that are there."""
    whole = hashlib.sha256(written)
    for entry in added:
        linked = {**entry, BEFORE: whole.hexdigest()}
        whole.update(line_of(linked))
        yield linked


def line_of(entry: Mapping[str, Any]) -> bytes:
    """Return an entry as it is written."""
    return json.dumps(entry).encode() + b"\n"


def change_of(
    written: bytes, entries: Sequence[Mapping[str, Any]], heads: Iterable[Head]
) -> str | None:
    """Return in words how a history differs from what it was, or None.

    Args:
        written: its whole lines; those of digitflow before it hashed them have no hash.
        entries: what they hold.
        heads: what it ended with when it was last seen, here or elsewhere.
    """
    if (number := _misfit(written, entries)) is not None:
        return f"line {number} does not follow from the lines before it: one was changed or lost"
    accepted = {head for entry in entries for head in accepted_by(entry)}
    for head in heads:
        if head.begins(written) or head.sha256 in accepted:
            continue
        if len(written) < head.size:
            return f"it has {len(entries)} entries, and had {head.entries}"
        return f"its first {head.entries} entries are not those that it had"
    return None


def accepted_by(entry: Mapping[str, Any]) -> list[str]:
    """Return the SHA-256 of each head that an entry takes the place of."""
    heads = entry.get(ACCEPTED)
    return [head for head in heads if isinstance(head, str)] if isinstance(heads, list) else []


def _misfit(written: bytes, entries: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the number of the first line that does not fit, from the last accepted one on."""
    start = max((i for i, entry in enumerate(entries) if ACCEPTED in entry), default=0)
    whole, hashed = hashlib.sha256(), False
    for index, (line, entry) in enumerate(zip(written.split(b"\n"), entries, strict=False)):
        if index >= start:
            hashed = hashed or BEFORE in entry
            if hashed and entry.get(BEFORE) != whole.hexdigest():
                return index + 1
        whole.update(line + b"\n")
    return None
