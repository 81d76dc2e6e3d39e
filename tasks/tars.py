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
                self._stream.seek(position)
                if not self._stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
                    self._finish()
                    return  # after a block of zeros, or just the end
                info, after = self._info(position)
                self._stream.seek(after - 1)
                if not self._stream.read(1):
                    raise EOFError(f"it ends inside of {info.name!r}")
                if after <= position:
                    raise ValueError(f"{info.name!r} has an impossible size")
            except BROKEN as error:
                raise InputError(
                    f"{self._name} is a broken tar archive, after {count:,} members: {error}"
                ) from None
            if not info.isdir():
                yield _member(info, position)
            position, count = after, count + 1

    def at(self, position: int) -> Member:
        """Return the member whose header is there."""
        try:
            return _member(self._info(position)[0], position)
        except BROKEN as error:
            raise Undecodable(Reason.CHANGED, f"not as it was listed: {error}") from None

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

    def _finish(self) -> None:
        """Read to the very end, where compressed files have their checksum."""
        while self._stream.read(LONGEST_HEADER):
            pass

    def _info(self, position: int) -> tuple[tarfile.TarInfo, int]:
        """Return a header and where the next one is."""
        self._stream.seek(position)
        info = tarfile.TarInfo.fromtarfile(self._headers)
        return info, self._headers.offset


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
