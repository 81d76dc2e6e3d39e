"""Zip archives, member by member: `zipfile` would hold an object for each of a million.

The layout is that of PKWARE's APPNOTE.TXT 6.3.10; numbers in comments are its sections.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from tasks.archives.member import Member
from tasks.archives.unpacking import RAW_DEFLATE, Damaged, Inflater, bzip2_decompressor, unpacked
from tasks.archives.zip_directory import (
    IN_ZIP64,
    LOCAL_MARK,
    NoDirectory,
    begins_like_zip,
    directory,
    ends_like_zip,
)
from tasks.errors import InputError
from tasks.outcomes import Reason, Undecodable

PROGRAMS = (b"MZ", b"\x7fELF", b"#!")  # of which one that unpacks itself begins
LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12
ENCRYPTED, UTF_8 = 1, 0x800  # flags, 4.4.4
STORED, DEFLATED, BZIP2 = 0, 8, 12  # methods, 4.4.5
UNIX = 3  # 4.4.2
ZIP64_FACTS, UNICODE_NAME = 1, 0x7075  # extra fields, 4.5.3 and 4.6.9
USUAL_RECORD = 512  # bytes that hold most central records
PIECE = 2**20  # packed bytes that are read together


def is_zip(file: Path, start: bytes) -> bool:
    """Tell whether a file that begins so is meant to be a zip archive.

    It may have something before the archive: a program that unpacks it, or anything if its name
    says that it is one.
    """
    if begins_like_zip(start):
        return True
    if not start.startswith(PROGRAMS) and file.suffix.lower() != ".zip":
        return False
    with file.open("rb") as opened:
        return ends_like_zip(opened.fileno())


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
        self._size = os.fstat(self._descriptor).st_size
        try:
            self._directory = directory(self._descriptor)
        except NoDirectory as error:
            raise self._broken(str(error)) from None

    def scan(self) -> Iterator[Member]:
        """Yield every member that is no folder: what the directory lists, whatever is counted."""
        position, number = self._directory.start, 0
        while position < self._directory.stop:
            self._file.seek(position)
            record = self._file.read(CENTRAL.size)
            record += self._file.read(_length(record) - CENTRAL.size)
            if len(record) < _length(record) or position + len(record) > self._directory.stop:
                raise self._broken("its directory of members is damaged")
            member = _member(record, position, self._directory.before)
            if not (member.name.endswith(b"/") and member.size == 0):
                yield member
            position, number = position + len(record), number + 1
        if not self._directory.has(number):
            raise self._broken(
                f"its directory lists {number:,} members, but its end record counts "
                f"{self._directory.counted:,}: unpack it, and give the folder"
            )

    def at(self, position: int) -> Member:
        """Return the member whose central record is there."""
        record = os.pread(self._descriptor, USUAL_RECORD, position)
        if len(record) < _length(record):
            record = os.pread(self._descriptor, _length(record), position)
        if len(record) < _length(record):
            raise Undecodable(Reason.CHANGED, "the archive changed after it was listed")
        return _member(record, position, self._directory.before)

    def content(self, member: Member) -> bytes:
        """Return the unpacked bytes; never more than the header says are held."""
        if member.start + member.packed > self._size:
            detail = "lies beyond the end of the archive, by its directory"
            raise Undecodable(Reason.UNREADABLE, detail)
        header = os.pread(self._descriptor, LOCAL.size, member.start)
        if len(header) < LOCAL.size or not header.startswith(LOCAL_MARK):
            raise Undecodable(Reason.UNREADABLE, "its header in the archive is damaged")
        *_, name_length, extra_length = LOCAL.unpack(header)
        data = self._unpacked(member, member.start + LOCAL.size + name_length + extra_length)
        if len(data) != member.size:
            detail = f"unpacks to {_amount(data, member)}, its header says {member.size:,}"
            raise Undecodable(Reason.UNREADABLE, detail)
        if zlib.crc32(data) != member.checksum:
            raise Undecodable(Reason.UNREADABLE, "its CRC-32 is not that of the archive")
        return data

    def _unpacked(self, member: Member, start: int) -> bytes:
        """Return at most one byte more than the member should have."""
        if member.method == STORED:
            return os.pread(self._descriptor, min(member.packed, member.size + 1), start)
        stop = start + member.packed
        places = range(start, stop, PIECE)
        pieces = (os.pread(self._descriptor, min(PIECE, stop - at), at) for at in places)
        stream = Inflater(RAW_DEFLATE) if member.method == DEFLATED else bzip2_decompressor()
        try:
            return unpacked(stream, pieces, member.size + 1)
        except Damaged as error:
            detail = f"its packed content is damaged: {error}"
            raise Undecodable(Reason.UNREADABLE, detail) from None

    def _broken(self, why: str) -> InputError:
        return InputError(f"{self._name} is a broken zip archive: {why}")


def _length(record: bytes) -> int:
    """Return how long a central record is, by its fixed part; longer than given if that is bad."""
    if len(record) < CENTRAL.size or not record.startswith(b"PK\1\2"):
        return len(record) + CENTRAL.size
    name, extra, comment = struct.unpack_from("<3H", record, 28)
    return int(CENTRAL.size + name + extra + comment)


def _member(record: bytes, position: int, before: int) -> Member:
    """Return what a central record says, in a file with so many bytes before the archive."""
    _, made, _, flags, method, _, _, checksum, packed, size, name_length, extra_length, *rest = (
        CENTRAL.unpack_from(record)
    )
    attributes, start = rest[-2:]
    raw_name = record[CENTRAL.size : CENTRAL.size + name_length]
    extra = record[CENTRAL.size + name_length : CENTRAL.size + name_length + extra_length]
    name = _name(raw_name, flags)
    if extra:
        size, packed, start = _zip64(extra, size, packed, start)
        name = _unicode_name(extra, raw_name) or name
    link = made >> 8 == UNIX and stat.S_ISLNK(attributes >> 16)
    refusal = _refusal(flags, method, link)
    return Member(name, position, size, before + start, refusal, packed, method, checksum)


def _extra(fields: bytes, wanted: int) -> bytes:
    """Return the first extra field of a kind, nothing if there is none."""
    while len(fields) >= 4:
        kind, length = struct.unpack_from("<2H", fields)
        if kind == wanted:
            return fields[4 : 4 + length]
        fields = fields[4 + length :]
    return b""


def _zip64(extra: bytes, *values: int) -> Iterator[int]:
    """Yield the values, each that is too large for its field from the zip64 extra field."""
    large = _extra(extra, ZIP64_FACTS)
    for value in values:
        if value == IN_ZIP64 and len(large) >= 8:
            yield int.from_bytes(large[:8], "little")
            large = large[8:]
        else:
            yield value


def _unicode_name(extra: bytes, name: bytes) -> bytes:
    """Return the name in UTF-8 that some writers give besides, if it belongs to this name."""
    field = _extra(extra, UNICODE_NAME)
    belongs = field[:1] == b"\1" and field[1:5] == zlib.crc32(name).to_bytes(4, "little")
    return field[5:] if belongs else b""


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


def _amount(data: bytes, member: Member) -> str:
    return "more" if len(data) > member.size else f"{len(data):,} bytes"
