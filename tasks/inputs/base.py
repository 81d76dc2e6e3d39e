"""Where pictures come from: a folder, glob, list, archive or bucket, behind one interface."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tasks.errors import error_text
from tasks.outcomes import Reason, Undecodable

AGAIN = b"//"  # before the number of a name that comes again; no clean name has it
MOST_NAMED = 3  # roots, in lines that a person reads
# Backslashes before what reads as a byte spelled out are told apart by their number.
NO_UTF_8 = re.compile(r"(?<!\\)(\\*+)([\udc80-\udcff])")  # a byte, as Python decodes it (PEP 383)
LIKE_A_BYTE = re.compile(r"(?<!\\)(\\++)(?=x[0-9a-f]{2})")
SPELLED_OUT = re.compile(rb"(?<!\\)(\\++)x([0-9a-f]{2})")


@dataclass(frozen=True)
class Roots:
    """Where the files of some inputs lie, as in rows; of several, paths begin with a number.

    So a listing, and whatever else holds paths, is that of one place or of many.
    """

    names: tuple[str, ...]

    def place(self, path: bytes) -> tuple[str, str]:
        """Return root and path of a file as its rows have them."""
        if len(self.names) == 1:
            return self.names[0], printable(path)
        number, _, below = path.partition(b"/")
        return self.names[int(number)], printable(below)

    def path(self, root: str, text: str) -> bytes:
        """Return the path of a file from what its rows have; of equal roots, any one reads it."""
        below = unprintable(text)
        return below if len(self.names) == 1 else b"%d/%s" % (self.names.index(root), below)

    def shown(self, root: str, text: str) -> str:
        """Return how a file is named to a person: with its root, where there are several."""
        return text if len(self.names) == 1 else f"{root}/{text}"

    def __str__(self) -> str:
        """Name them, or some where there are many."""
        left = len(self.names) - MOST_NAMED
        return ", ".join(self.names[:MOST_NAMED]) + (f" and {left:,} more" if left > 0 else "")


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

    empty: Sequence[str] = ()  # of several roots those where no file was found, once all is listed

    @property
    def roots(self) -> Roots:
        """Where they lie: in one place, unless these inputs are made of several."""
        return Roots((self.root,))

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


def refusal(error: Exception) -> Undecodable:
    """Return what an error of a store means for the file that was asked for."""
    if isinstance(error, FileNotFoundError):
        return Undecodable(Reason.VANISHED, error_text(error))
    if isinstance(error, PermissionError):
        return Undecodable(Reason.PERMISSION_DENIED, error_text(error))
    return Undecodable(Reason.STORAGE_ERROR, error_text(error))


def printable(path: bytes) -> str:
    r"""Return a name as text that says every byte: those that are no UTF-8 become `\xNN`.

    A backslash stays one, as in the listing of an archive that Windows made. Only where it stands
    before such a byte, or before text that reads like one, it becomes two, so that no two names are
    one text.
    """
    text = path.decode("utf-8", "surrogateescape")
    if "\\" in text:
        text = LIKE_A_BYTE.sub(r"\1\1", text)
    return NO_UTF_8.sub(_spelled_out, text)


def unprintable(text: str) -> bytes:
    """Return the name that `printable` made the text of."""
    return SPELLED_OUT.sub(_plain, text.encode())


def _spelled_out(found: re.Match[str]) -> str:
    backslashes, byte = found.groups()
    return f"{2 * backslashes}\\x{ord(byte) - 0xDC00:02x}"


def _plain(found: re.Match[bytes]) -> bytes:
    backslashes, byte = found.groups()
    pairs, odd = divmod(len(backslashes), 2)
    return pairs * b"\\" + (bytes([int(byte, 16)]) if odd else b"x" + byte)
