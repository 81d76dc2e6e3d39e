"""Where the directory of a zip archive lies, by the records at its end.

The layout is that of PKWARE's APPNOTE.TXT 6.3.10; numbers in comments are its sections.
"""

import os
import struct
from dataclasses import dataclass
from typing import NamedTuple

LOCAL_MARK, END_MARK, END64_MARK, END64_PLACE_MARK = b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7"
# a member's header, the end of an archive without members, the mark of one that was split before
STARTS = (LOCAL_MARK, END_MARK, END64_MARK, b"PK\7\x08" + LOCAL_MARK, b"PK00" + LOCAL_MARK)
END = struct.Struct("<4s4H2LH")  # 4.3.16
END64_PLACE = struct.Struct("<4sLQL")  # 4.3.15
END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
END64_UNCOUNTED = 12  # bytes of that record that its own length leaves out
LONGEST_COMMENT = 65_535
IN_ZIP64, IN_ZIP64_SHORT = 0xFFFFFFFF, 0xFFFF  # the true value stands elsewhere


class NoDirectory(Exception):
    """No directory, or none that is beyond doubt; the message says why."""


@dataclass(frozen=True)
class Directory:
    """The central directory of an archive."""

    start: int  # in the file
    stop: int
    before: int  # bytes of the file that stand before the archive
    counted: int  # members, by the end record
    exact: bool  # whether all of that number could be written

    def has(self, members: int) -> bool:
        """Tell whether so many members are what the end record counts.

        Writers that do not know zip64 keep the lower 16 bits of a larger number, or the most that
        16 bits can hold.
        """
        if self.exact:
            return self.counted == members
        return self.counted == members % 2**16 or self.counted == IN_ZIP64_SHORT < members


class _End(NamedTuple):
    """What an end record says."""

    disk: int
    first_disk: int
    here: int  # members in this part of an archive in several
    members: int
    length: int  # bytes of the directory
    start: int  # of the directory, as its writer counted


def begins_like_zip(start: bytes) -> bool:
    """Tell whether a file that begins so is meant to be a zip archive."""
    return start.startswith(STARTS)


def ends_like_zip(descriptor: int) -> bool:
    """Tell whether a file ends as a zip archive does."""
    return END_MARK in _tail(descriptor)[0]


def directory(descriptor: int) -> Directory:
    """Return where the central directory of a file is.

    It ends where the end record begins, and its length leads from there to its start. The start
    that the record gives besides shows how much stands before the archive.

    Raises:
        NoDirectory: there is none, it is one part of several, or what is said contradicts itself.
    """
    tail, before = _tail(descriptor)
    at = _end_record(tail)
    end, stop = _End(*END.unpack_from(tail, at)[1:-1]), before + at
    place = tail[max(0, at - END64_PLACE.size) : at]
    exact = place.startswith(END64_PLACE_MARK)
    if exact:
        end, stop = _end64(descriptor, end, place, stop - END64_PLACE.size)
    if end.disk or end.first_disk or end.here != end.members:
        raise NoDirectory("it is one part of several")
    start = stop - end.length
    uncounted = start - end.start
    if start < 0 or uncounted < 0:
        raise NoDirectory("its directory of members is damaged, or its beginning is missing")
    if uncounted and begins_like_zip(os.pread(descriptor, max(map(len, STARTS)), 0)):
        raise NoDirectory(
            "its directory of members is not where its end record says; if archives were joined, "
            "give them one by one"
        )
    return Directory(start, stop, uncounted, end.members, exact)


def _tail(descriptor: int) -> tuple[bytes, int]:
    """Return the bytes at the end of a file that can hold its end record, and how many precede."""
    size = os.fstat(descriptor).st_size
    before = max(0, size - END64_PLACE.size - END.size - LONGEST_COMMENT)
    return os.pread(descriptor, size - before, before), before


def _end_record(tail: bytes) -> int:
    """Return where the end record is in the tail of a file: the last one, as other readers do.

    Raises:
        NoDirectory: there is none, or it is in doubt which of two it is.
    """
    at = tail.rfind(END_MARK)
    if at < 0 or len(tail) < at + END.size:
        raise NoDirectory("it has no directory of members, so its end is missing")
    if LOCAL_MARK in tail[_after(tail, at) :]:
        raise NoDirectory("more follows after its end; give joined archives one by one")
    earlier = tail.find(END_MARK)
    while earlier < at:
        if _after(tail, earlier) == len(tail):
            raise NoDirectory("its comment holds a second end record")
        earlier = tail.find(END_MARK, earlier + 1)
    return at


def _after(tail: bytes, at: int) -> int:
    """Return where the comment of an end record ends."""
    comment: int = END.unpack_from(tail, at)[-1]
    return at + END.size + comment


def _end64(descriptor: int, end: _End, place: bytes, stop: int) -> tuple[_End, int]:
    """Return what the zip64 end record says, and where it is; it ends at `stop`.

    Raises:
        NoDirectory: it is missing, or says something else than the other.
    """
    _, disk, told, disks = END64_PLACE.unpack(place)
    if disk or disks > 1:
        raise NoDirectory("it is one part of several")
    # where something stands before the archive, its writer counted without that
    for at in (told, stop - END64.size):
        record = os.pread(descriptor, END64.size, at) if 0 <= at < stop else b""
        if len(record) == END64.size and record.startswith(END64_MARK):
            break
    else:
        raise NoDirectory("its zip64 directory is missing")
    _, length, _, _, *values = END64.unpack(record)
    large = _End(*values)
    if (
        at + END64_UNCOUNTED + length != stop
        or end.length not in (IN_ZIP64, large.length)
        or end.start not in (IN_ZIP64, large.start)
        or end.members not in (IN_ZIP64_SHORT, large.members % 2**16)
    ):
        raise NoDirectory("its two end records contradict each other")
    return large, at
