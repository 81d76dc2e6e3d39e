"""Where pictures come from: a folder, glob, list, archive or bucket, behind one interface."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from tasks.outcomes import Undecodable

ESCAPED = re.compile(rb"\\(\\|x[0-9a-f]{2})")  # in printable names


class Entry(NamedTuple):
    """A file that was found; its path is relative to the root and need not be UTF-8."""

    path: bytes
    size: int | None
    mtime_ns: int | None


class Content(NamedTuple):
    """A whole file, with its size and time when it was read."""

    data: bytes
    size: int
    mtime_ns: int | None  # some stores of fsspec keep no time


class Inputs(Protocol):
    """Files that can be listed and read; it is pickled to other processes, which read too."""

    root: str  # where the paths lie, as text: an absolute folder, an archive file or a URL

    def entries(self) -> Iterator[Entry]:
        """Yield everything that is no folder, each once, without ever holding them all.

        Raises:
            InputError: the list, archive or bucket turns out to be broken or out of reach.
        """

    def read(self, path: bytes) -> Content:
        """Return a file whole, as it was at one moment.

        Raises:
            Undecodable: with a reason, and size and time where they are known.
        """

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each file or why it cannot be read, in order; a bucket gives several at once."""
        for path in paths:
            try:
                yield self.read(path)
            except Undecodable as error:
                yield error


def printable(path: bytes) -> str:
    r"""Return a name as text that says every byte: those that are no UTF-8 become `\xNN`.

    A backslash becomes two, so that no two names are one text.
    """
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def unprintable(text: str) -> bytes:
    """Return the name that `printable` made the text of."""
    return ESCAPED.sub(lambda found: _byte(found[1]), text.encode())


def _byte(escape: bytes) -> bytes:
    return escape if escape == b"\\" else bytes([int(escape[1:], 16)])
