"""Tar archives, plain or compressed, member by member; `tarfile` understands the headers.

A compressed one is unpacked from its start again whenever what is asked for lies further back, so
it is read in its own order.
"""

import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from tasks.archives.member import Member
from tasks.archives.unpacking import (
    UNPACKED_PIECE,
    Decompressor,
    Excessive,
    UnpackedFile,
    allowance,
    beyond,
    bzip2_decompressor,
    gzip_decompressor,
    xz_decompressor,
)
from tasks.errors import InputError
from tasks.outcomes import Reason, Undecodable

GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
DECOMPRESSORS: dict[bytes, Callable[[], Decompressor]] = {
    GZIP: gzip_decompressor,
    BZIP2: bzip2_decompressor,
    XZ: xz_decompressor,
}
BZIP2_BLOCKS = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")  # after `BZh` and a digit
ENCODING, ERRORS = "utf-8", "surrogateescape"  # of names, so that any bytes come back
ABOUT_THE_NEXT = (  # kinds of header that tell of the member after them
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
LONGEST_HEADER = 2**20  # bytes of all headers of one member: long name, other facts, sparse map
LONGEST_PADDING = 64 * 2**20  # bytes of zeros after the end of a compressed archive
LONGEST_NAME = 65_535  # bytes, as in a zip; far more than any system opens
MOST_COMMON = 100  # facts that hold for all members after them
# what `tarfile` and the decompressors raise; RecursionError: a long row of long names
BROKEN = (
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    OverflowError,
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
        compression = _compression(_start(file))
        self._compressed = compression is not None
        self._stream, self._limit = _opened(file, compression)
        try:
            start = self._stream.read(tarfile.BLOCKSIZE)
        except Excessive as error:
            raise self._excessive(error) from None
        except BROKEN as error:
            raise InputError(f"{file} is broken: {error}") from None
        if not _is_header(start) and start.strip(b"\0"):
            raise InputError(f"{file} is compressed, but no tar archive: unpack it first")
        self._stream.seek(0)
        self._limited = _Headers(self._stream)
        # opened on an end mark, since it reads the first header at once and has an opinion on it
        self._headers = tarfile.TarFile(
            fileobj=io.BytesIO(bytes(tarfile.BLOCKSIZE)), encoding=ENCODING, errors=ERRORS
        )
        self._headers.fileobj = cast("IO[bytes]", self._limited)

    def scan(self) -> Iterator[Member]:
        """Yield every member that is no folder."""
        position, count = 0, 0
        while True:
            try:
                member, after = self._member(position)
                if after is None:
                    return
                self._go_behind(after)
            except Excessive as error:
                raise self._excessive(error) from None
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
        except (Excessive, *BROKEN) as error:
            raise Undecodable(Reason.CHANGED, f"not as it was listed: {error}") from None
        if member is None:
            raise Undecodable(Reason.CHANGED, "the archive changed after it was listed")
        return member

    def content(self, member: Member) -> bytes:
        """Return the bytes of a member."""
        try:
            self._stream.seek(member.start)
            data = self._stream.read(member.size)
        except (Excessive, *BROKEN) as error:
            raise Undecodable(Reason.STORAGE_ERROR, f"{type(error).__name__}: {error}") from None
        if len(data) != member.size:
            raise Undecodable(Reason.CHANGED, "the archive is shorter than when it was listed")
        return data

    def _member(self, position: int) -> tuple[Member | None, int | None]:
        """Return a member, none for a folder, and where the next header is: nowhere at the end."""
        self._stream.seek(position)
        block = self._stream.read(tarfile.BLOCKSIZE)
        if not block.strip(b"\0"):
            self._finish(has_members=position > 0)
            return None, None
        if (plain := _plain_file(block)) and not self._headers.pax_headers:
            name, size = plain
            start = position + tarfile.BLOCKSIZE
            return Member(name, position, size, start), start + _whole_blocks(size)
        first = tarfile.TarInfo.frombuf(block, ENCODING, ERRORS)
        if first.size < 0 and first.type not in ABOUT_THE_NEXT:
            # how far it goes nobody knows; what follows the header is taken for the next one
            start = position + tarfile.BLOCKSIZE
            first.offset_data = start
            return None if first.isdir() else _member(first, position), start
        self._stream.seek(position)
        self._limited.left = LONGEST_HEADER
        info = tarfile.TarInfo.fromtarfile(self._headers)
        _check_common(self._headers.pax_headers)
        after = max(self._headers.offset, info.offset_data)  # a size below zero would lead back
        return None if info.isdir() else _member(info, position), after

    def _go_behind(self, member: int) -> None:
        """Go to where a member ends; raise EOFError if the file ends before."""
        if self._compressed and member > self._limit:
            raise Excessive(beyond(self._limit))
        if self._compressed:
            self._stream.seek(member - 1)
            ends_before = not self._stream.read(1)
        else:
            ends_before = member > self._limit
        if ends_before:
            raise EOFError("it ends inside of the next one")

    def _finish(self, *, has_members: bool) -> None:
        """Read to the very end, where compressed files have their checksum, and nothing else is.

        Zeros that go on for longer than any tape's record are not all unpacked: a member that was
        found before them stays found.
        """
        begun = self._stream.tell()
        try:
            while rest := self._stream.read(LONGEST_HEADER):
                if rest.count(0) < len(rest):
                    raise ValueError("more follows after its end; give joined archives one by one")
                if self._compressed and self._stream.tell() - begun > LONGEST_PADDING:
                    raise Excessive(f"holds no member and more than {LONGEST_PADDING:,} zeros")
        except Excessive:
            if not has_members:
                raise

    def _excessive(self, error: Excessive) -> InputError:
        return InputError(f"{self._name} {error}: unpack it first, and give the folder")


class _Headers:
    """The stream as `tarfile` sees it: a forged header cannot make it take much memory."""

    name = None

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell
        self.left = LONGEST_HEADER  # bytes that may still be read for the current member

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.left:
            raise tarfile.ReadError(f"a header of {size:,} bytes, where {self.left:,} are possible")
        self.left -= size
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


def _check_common(facts: Mapping[str, str]) -> None:
    """Raise ReadError if the facts that hold for all members are too many to keep."""
    if len(facts) > MOST_COMMON or sum(map(len, facts.values())) > LONGEST_HEADER:
        raise tarfile.ReadError(
            f"more than {MOST_COMMON} facts or {LONGEST_HEADER:,} bytes of them"
        )


def _member(info: tarfile.TarInfo, position: int) -> Member:
    name, size, start = os.fsencode(info.name), info.size, info.offset_data
    if len(name) > LONGEST_NAME:
        raise tarfile.ReadError(f"a name of {len(name):,} bytes")
    if info.isreg() and not info.issparse() and size >= 0:
        return Member(name, position, size, start)
    kind = Reason.UNSUPPORTED_FORMAT
    if size < 0:
        kind, detail = Reason.UNREADABLE, f"its header in the archive says {size:,} bytes"
    elif info.issym() or info.islnk():
        detail = f"a link to {info.linkname} in the archive"
    else:
        detail = "a sparse file in the archive" if info.issparse() else "no file, in the archive"
    return Member(name, position, max(size, 0), start, (kind, detail))


def _compression(start: bytes) -> bytes | None:
    if start.startswith(BZIP2) and not start[4:].startswith(BZIP2_BLOCKS):
        return None
    return next((magic for magic in DECOMPRESSORS if start.startswith(magic)), None)


def _start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(16)


def _opened(file: Path, compression: bytes | None) -> tuple[IO[bytes], int]:
    """Return what the file holds as a stream, and how many bytes it may have at most."""
    opened, size = file.open("rb"), file.stat().st_size
    if compression is None:
        return opened, size
    limit = allowance(size)
    whole = UnpackedFile(opened, DECOMPRESSORS[compression], limit)
    return io.BufferedReader(whole, UNPACKED_PIECE), limit


def _is_header(block: bytes) -> bool:
    """Tell whether these are 512 bytes with the checksum of a tar header."""
    try:
        tarfile.TarInfo.frombuf(block, ENCODING, ERRORS)
    except tarfile.HeaderError:
        return False
    return True
