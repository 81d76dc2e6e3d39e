"""Tar archives, plain or compressed, member by member; `tarfile` understands the headers.

A compressed one is unpacked from its start again whenever what is asked for lies further back, so
it is read in its own order.
"""

import bz2
import gzip
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from tasks.archives import Member
from tasks.decode import Undecodable
from tasks.errors import InputError
from tasks.reasons import Reason

GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
BZIP2_BLOCKS = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")  # after `BZh` and a digit
LONGEST_HEADER = 2**20  # bytes of one header with its long name and other facts
# what `tarfile` and the decompressors raise; RecursionError: a long row of long names
BROKEN = (
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    RecursionError,
)


def begins_like_tar(start: bytes) -> bool:
    """Tell whether a file that begins so is a tar archive, or compressed as one may be."""
    return _compression(start) is not None or _is_header(start)


class TarMembers:
    """An open tar archive."""

    def __init__(self, file: Path) -> None:
        """Open it and read the first header.

        Raises:
            InputError: it is compressed and holds no tar archive.
        """
        self._name = str(file)
        self._stream = _opened(file)
        try:
            start = self._stream.read(tarfile.BLOCKSIZE)
        except BROKEN as error:
            raise InputError(f"{file} is broken: {error}") from None
        if not _is_header(start) and start.strip(b"\0"):
            raise InputError(f"{file} is compressed, but no tar archive: unpack it first")
        self._stream.seek(0)
        limited = cast("IO[bytes]", _Headers(self._stream))
        try:
            self._headers = tarfile.TarFile(
                fileobj=limited, encoding="utf-8", errors="surrogateescape"
            )
        except BROKEN as error:
            raise InputError(f"{file} is a broken tar archive: {error}") from None

    def scan(self) -> Iterator[Member]:
        """Yield every member that is no folder."""
        position, count = 0, 0
        while True:
            try:
                member, after = self._member(position)
                if after is None:
                    return
                self._stream.seek(after - 1)
                if not self._stream.read(1):
                    raise EOFError("it ends inside of the next one")
                if after <= position:
                    raise ValueError("the next one has an impossible size")
            except BROKEN as error:
                raise InputError(
                    f"{self._name} is a broken tar archive, after {count:,} members: {error}"
                ) from None
            if member:
                yield member
            position, count = after, count + 1

    def at(self, position: int) -> Member:
        """Return the member whose header is there."""
        try:
            member, _ = self._member(position)
        except BROKEN as error:
            raise Undecodable(Reason.CHANGED, f"not as it was listed: {error}") from None
        if member is None:
            raise Undecodable(Reason.CHANGED, "the archive changed after it was listed")
        return member

    def content(self, member: Member) -> bytes:
        """Return the bytes of a member."""
        try:
            self._stream.seek(member.start)
            data = self._stream.read(member.size)
        except BROKEN as error:
            raise Undecodable(Reason.STORAGE_ERROR, f"{type(error).__name__}: {error}") from None
        if len(data) != member.size:
            raise Undecodable(Reason.CHANGED, "the archive is shorter than when it was listed")
        return data

    def _member(self, position: int) -> tuple[Member | None, int | None]:
        """Return a member, none for a folder, and where the next header is: nowhere at the end."""
        self._stream.seek(position)
        block = self._stream.read(tarfile.BLOCKSIZE)
        if not block.strip(b"\0"):
            self._finish()
            return None, None
        if (plain := _plain_file(block)) and not self._headers.pax_headers:
            name, size = plain
            start = position + tarfile.BLOCKSIZE
            return Member(name, position, size, start), start + _whole_blocks(size)
        self._stream.seek(position)
        info = tarfile.TarInfo.fromtarfile(self._headers)
        return None if info.isdir() else _member(info, position), self._headers.offset

    def _finish(self) -> None:
        """Read to the very end, where compressed files have their checksum, and nothing else is."""
        while rest := self._stream.read(LONGEST_HEADER):
            if rest.strip(b"\0"):
                raise ValueError("more follows after its end; give joined archives one by one")


class _Headers:
    """The stream as `tarfile` sees it: a forged header cannot make it take much memory."""

    name = None

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._stream.read(size)


def _plain_file(header: bytes) -> tuple[bytes, int] | None:
    """Return name and size if this header alone tells all of an ordinary file, else nothing.

    Most do, and `tarfile` takes four times as long to say the same.
    """
    if (
        header[156:157] != tarfile.REGTYPE
        or header[257:262] != b"ustar"
        or header[345:346] != b"\0"
    ):
        return None
    size, checksum = header[124:135], header[148:154]
    if not (size.isdigit() and checksum.isdigit() and len(header) == tarfile.BLOCKSIZE):
        return None
    if int(checksum, 8) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        return None
    return header[:100].partition(b"\0")[0], int(size, 8)


def _whole_blocks(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _member(info: tarfile.TarInfo, position: int) -> Member:
    name = os.fsencode(info.name)
    if info.isreg() and not info.issparse():
        return Member(name, position, info.size, info.offset_data)
    if info.issym() or info.islnk():
        detail = f"a link to {info.linkname} in the archive"
    else:
        detail = "a sparse file in the archive" if info.issparse() else "no file, in the archive"
    refusal = Reason.UNSUPPORTED_FORMAT, detail
    return Member(name, position, info.size, info.offset_data, refusal)


def _compression(start: bytes) -> bytes | None:
    if start.startswith(BZIP2) and not start[4:].startswith(BZIP2_BLOCKS):
        return None
    return next((magic for magic in (GZIP, BZIP2, XZ) if start.startswith(magic)), None)


def _opened(file: Path) -> IO[bytes]:
    with file.open("rb") as opened:
        compression = _compression(opened.read(16))
    if compression == GZIP:
        return cast("IO[bytes]", gzip.open(file))
    if compression == BZIP2:
        return bz2.open(file)
    return lzma.open(file) if compression == XZ else file.open("rb")


def _is_header(block: bytes) -> bool:
    """Tell whether these are 512 bytes with the checksum of a tar header."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
