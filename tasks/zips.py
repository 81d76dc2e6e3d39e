"""Zip archives, member by member: `zipfile` would hold an object for each of a million.

The layout is that of PKWARE's APPNOTE.TXT 6.3.10; numbers in comments are its sections.
"""

import bz2
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from tasks.archives import Member
from tasks.decode import Undecodable
from tasks.errors import InputError
from tasks.reasons import Reason

STARTS = (b"PK\3\4", b"PK\5\6")  # a member's header, or the end of an archive without members
LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12
END = struct.Struct("<4s4H2LH")  # 4.3.16
END64_PLACE = struct.Struct("<4sLQL")  # 4.3.15
END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
LONGEST_COMMENT = 65_535
IN_ZIP64, IN_ZIP64_SHORT = 0xFFFFFFFF, 0xFFFF  # the true value stands elsewhere
ENCRYPTED, UTF_8 = 1, 0x800  # flags, 4.4.4
STORED, DEFLATED, BZIP2 = 0, 8, 12  # methods, 4.4.5
UNIX = 3  # 4.4.2
USUAL_RECORD = 512  # bytes that hold most central records


def begins_like_zip(start: bytes) -> bool:
    """Tell whether a file that begins so is meant to be a zip archive."""
    return start.startswith(STARTS)


class ZipMembers:
    """An open zip archive."""

    def __init__(self, file: Path) -> None:
        """Find the directory of members at the end of the file.

        Raises:
            InputError: there is none, or it is one part of several.
        """
        self._name = str(file)
        self._file = file.open("rb")
        self._descriptor = self._file.fileno()
        self._start, self._stop, self._count = self._directory()

    def scan(self) -> Iterator[Member]:
        """Yield every member that is no folder."""
        position = self._start
        for _ in range(self._count):
            self._file.seek(position)
            record = self._file.read(CENTRAL.size)
            record += self._file.read(_length(record) - CENTRAL.size)
            if len(record) < _length(record) or position + len(record) > self._stop:
                raise self._broken("its directory of members is damaged")
            member = _member(record, position)
            if not (member.name.endswith(b"/") and member.size == 0):
                yield member
            position += len(record)

    def at(self, position: int) -> Member:
        """Return the member whose central record is there."""
        record = os.pread(self._descriptor, USUAL_RECORD, position)
        if len(record) < _length(record):
            record = os.pread(self._descriptor, _length(record), position)
        if len(record) < _length(record):
            raise Undecodable(Reason.CHANGED, "the archive changed after it was listed")
        return _member(record, position)

    def content(self, member: Member) -> bytes:
        """Return the unpacked bytes; never more than the header says are held."""
        header = os.pread(self._descriptor, LOCAL.size, member.start)
        if len(header) < LOCAL.size or not header.startswith(STARTS[0]):
            raise Undecodable(Reason.UNREADABLE, "its header in the archive is damaged")
        *_, name_length, extra_length = LOCAL.unpack(header)
        start = member.start + LOCAL.size + name_length + extra_length
        data = _unpacked(os.pread(self._descriptor, member.packed, start), member)
        if len(data) != member.size:
            detail = f"unpacks to {_amount(data, member)}, its header says {member.size:,}"
            raise Undecodable(Reason.UNREADABLE, detail)
        if zlib.crc32(data) != member.checksum:
            raise Undecodable(Reason.UNREADABLE, "its CRC-32 is not that of the archive")
        return data

    def _directory(self) -> tuple[int, int, int]:
        """Return where the central directory starts and stops, and its number of records."""
        size = os.fstat(self._descriptor).st_size
        before = max(0, size - END.size - LONGEST_COMMENT)
        tail = os.pread(self._descriptor, size - before, before)
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) < at + END.size:
            raise self._broken("it has no directory of members, so its end is missing")
        _, disk, first_disk, _, count, length, start, _ = END.unpack_from(tail, at)
        if IN_ZIP64 in (length, start) or IN_ZIP64_SHORT in (count, disk):
            disk, first_disk, count, length, start = self._directory64(before + at)
        if disk or first_disk:
            raise self._broken("it is one part of several")
        if start + length > before + at or count * CENTRAL.size > length:
            raise self._broken("its directory of members is damaged")
        return start, start + length, count

    def _directory64(self, end: int) -> tuple[int, int, int, int, int]:
        place = os.pread(self._descriptor, END64_PLACE.size, max(0, end - END64_PLACE.size))
        if len(place) < END64_PLACE.size or not place.startswith(b"PK\6\7"):
            raise self._broken("its zip64 directory is missing")
        record = os.pread(self._descriptor, END64.size, END64_PLACE.unpack(place)[2])
        if len(record) < END64.size or not record.startswith(b"PK\6\6"):
            raise self._broken("its zip64 directory is missing")
        _, _, _, _, disk, first_disk, _, count, length, start = END64.unpack(record)
        return disk, first_disk, count, length, start

    def _broken(self, why: str) -> InputError:
        return InputError(f"{self._name} is a broken zip archive: {why}")


def _length(record: bytes) -> int:
    """Return how long a central record is, by its fixed part; longer than given if that is bad."""
    if len(record) < CENTRAL.size or not record.startswith(b"PK\1\2"):
        return len(record) + CENTRAL.size
    name, extra, comment = struct.unpack_from("<3H", record, 28)
    return int(CENTRAL.size + name + extra + comment)


def _member(record: bytes, position: int) -> Member:
    """Return what a central record says."""
    _, made, _, flags, method, _, _, checksum, packed, size, name_length, extra_length, *rest = (
        CENTRAL.unpack_from(record)
    )
    attributes, start = rest[-2:]
    name = record[CENTRAL.size : CENTRAL.size + name_length]
    extra = record[CENTRAL.size + name_length : CENTRAL.size + name_length + extra_length]
    size, packed, start = _zip64(extra, size, packed, start)
    link = made >> 8 == UNIX and stat.S_ISLNK(attributes >> 16)
    refusal = _refusal(flags, method, link)
    return Member(_name(name, flags), position, size, start, refusal, packed, method, checksum)


def _zip64(extra: bytes, *values: int) -> Iterator[int]:
    """Yield the values, each that is too large for its field from the zip64 extra field, 4.5.3."""
    large = b""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            large = extra[4 : 4 + length]
        extra = extra[4 + length :]
    for value in values:
        if value == IN_ZIP64 and len(large) >= 8:
            yield int.from_bytes(large[:8], "little")
            large = large[8:]
        else:
            yield value


def _refusal(flags: int, method: int, link: bool) -> tuple[Reason, str] | None:
    if flags & ENCRYPTED:
        return Reason.ENCRYPTED, "encrypted in the archive"
    if link:
        return Reason.UNSUPPORTED_FORMAT, "a link in the archive"
    if method not in (STORED, DEFLATED, BZIP2):
        return Reason.UNSUPPORTED_FORMAT, f"packed by method {method}: not store, deflate or bzip2"
    return None


def _name(name: bytes, flags: int) -> bytes:
    """Return a name as bytes of UTF-8 where its encoding is known (4.4.4 and appendix D)."""
    if flags & UTF_8:
        return name
    try:
        name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437").encode()
    return name  # many programs write UTF-8 and do not say so


def _unpacked(packed: bytes, member: Member) -> bytes:
    """Return at most one byte more than the member should have."""
    try:
        if member.method == DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
        if member.method == BZIP2:
            return bz2.BZ2Decompressor().decompress(packed, member.size + 1)
    except (zlib.error, OSError) as error:
        raise Undecodable(Reason.UNREADABLE, f"its packed content is damaged: {error}") from None
    return packed


def _amount(data: bytes, member: Member) -> str:
    return "more" if len(data) > member.size else f"{len(data):,} bytes"
