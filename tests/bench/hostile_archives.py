"""Small archives that cost much to read, or that say less than the truth about what they hold."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.bars import bar, encoded
from tests.decoding.test_decode import chunk

ZEROS = bytes(10_000_000)


def large_members(path: Path) -> int:
    """Write a zip of six small pictures, each with 200 MB of text in it; return six."""
    picture = encoded(bar(3))
    member = picture[:33] + chunk(b"tEXt", b"Title\0" + ZEROS * 20) + picture[33:]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for number in range(6):
            opened.writestr(f"{number}.png", member)
    return 6


def counted_less(path: Path) -> int:
    """Write a zip of ten pictures whose end record counts three; return ten."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for digit in range(10):
            opened.writestr(f"{digit}.png", encoded(bar(digit)))
    content = bytearray(file.getvalue())
    struct.pack_into("<HH", content, len(content) - 22 + 8, 3, 3)
    path.write_bytes(content)
    return 10


def minus_one_byte(path: Path) -> int:
    """Write a tar.gz with a member of -1 bytes, and 4 GB behind it; return one."""
    header = bytearray(tarfile.TarInfo("huge.png").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(gzip.compress(header) + gzip.compress(ZEROS) * 400)
    return 1


def zeros_without_end(path: Path) -> int:
    """Write 10 GB of zeros, which an empty tar may end with, as 10 MB of gzip; return nought."""
    path.write_bytes(gzip.compress(ZEROS) * 1000)
    return 0


MADE: dict[str, Callable[[Path], int]] = {
    "large_members.zip": large_members,
    "counted_less.zip": counted_less,
    "minus_one_byte.tar.gz": minus_one_byte,
    "zeros.tar.gz": zeros_without_end,
}
"""Each writes its archive and returns how many members a reader has to find."""


def many_chunks() -> bytes:
    """Return a small PNG whose pixels come in 80,000 pieces of 100 bytes, as it says."""
    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    pieces = chunk(b"IDAT", b"x" * 100) * 80_000
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pieces + chunk(b"IEND", b"")
