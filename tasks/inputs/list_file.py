"""Pictures named in a file: one path a line, or separated by NUL as `find -print0` does it."""

import os
from collections.abc import Iterator
from pathlib import Path

from tasks.errors import InputError
from tasks.inputs.base import Content, Entry, Inputs, printable
from tasks.inputs.local import entry_of, read_file
from tasks.inputs.name_index import occurrences
from tasks.inputs.path_filter import PathFilter

BLOCK = 2**20  # bytes that are read together; their first decide how the list is written
LONGEST_PATH = 32_768  # bytes; far more than any system opens
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class ListFile(Inputs):
    """The files that a list names, in its order; one that is named twice is there once.

    Relative paths start at the list's own folder; those below it are relative in the results even
    where the list has them absolute. A name need not be UTF-8. Empty lines are passed over, and
    nothing else: what does not exist is listed too, and will be found `vanished`.
    """

    def __init__(self, file: Path, path_filter: PathFilter) -> None:
        """Find out how the list is written.

        Raises:
            InputError: it cannot be read, or is UTF-16.
        """
        if not file.is_file():
            raise InputError(f"{file} is no file: give a list with one path a line")
        self._file, self._filter = file, path_filter
        folder = os.fsencode(file.parent)
        self.root = printable(folder)
        self._base = folder.rstrip(b"/") + b"/"
        try:
            with file.open("rb") as opened:
                start = opened.read(BLOCK)
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}") from None
        if start.startswith(UTF_16_MARKS):
            raise InputError(f"{file} is UTF-16: save the list as UTF-8")
        self._separator = b"\0" if b"\0" in start else b"\n"
        self._windows = self._separator == b"\n" and start.partition(b"\n")[0].endswith(b"\r")

    def entries(self) -> Iterator[Entry]:
        """Yield what is listed; the list is gone through twice, 8 bytes a path are held."""
        seen = occurrences(self._paths())
        for path in self._paths():
            if not seen.before(path):
                yield entry_of(self._base, path)

    def read(self, path: bytes) -> Content:
        """Return a listed file; see `tasks.inputs.local.read_file`."""
        return read_file(path if path.startswith(b"/") else self._base + path)

    def _paths(self) -> Iterator[bytes]:
        for line in self._lines():
            if line and self._filter.matches(path := self._relative(line)):
                yield path

    def _relative(self, line: bytes) -> bytes:
        if b"//" in line or b"./" in line or line.endswith((b"/", b"/.")):
            parts = [part for part in line.split(b"/") if part not in (b"", b".")]
            line = (b"/" if line.startswith(b"/") else b"") + (b"/".join(parts) or b".")
        return line.removeprefix(self._base)

    def _lines(self) -> Iterator[bytes]:
        with self._file.open("rb") as opened:
            if opened.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
                opened.seek(0)
            rest = b""
            while block := opened.read(BLOCK):
                *lines, rest = (rest + block).split(self._separator)
                yield from map(self._line, lines)
                self._line(rest)  # so that a file which is no list does not fill the memory
            yield self._line(rest)

    def _line(self, line: bytes) -> bytes:
        if len(line) > LONGEST_PATH:
            raise InputError(
                f"{self._file} is no list: it has a line of more than {LONGEST_PATH:,} bytes; "
                "give one path a line"
            )
        return line.removesuffix(b"\r") if self._windows else line
