"""Compressed bytes come out as they went in, and never more of them than may."""

import bz2
import gzip
import io
import lzma
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.archives.unpacking import (
    RATIO,
    RAW_DEFLATE,
    Damaged,
    Decompressor,
    Excessive,
    Inflater,
    UnpackedFile,
    allowance,
    bzip2_decompressor,
    gzip_decompressor,
    unpacked,
    xz_decompressor,
)
from tasks.outcomes import MAX_BYTES

Compress = Callable[[bytes], bytes]
FORMATS: list[tuple[Compress, Callable[[], Decompressor]]] = [
    (gzip.compress, gzip_decompressor),
    (bz2.compress, bzip2_decompressor),
    (lzma.compress, xz_decompressor),
]
EACH = pytest.mark.parametrize(("compress", "decompressor"), FORMATS, ids=["gzip", "bzip2", "xz"])
MIB = 2**20


def opened(
    packed: bytes, decompressor: Callable[[], Decompressor], limit: int = MAX_BYTES
) -> io.BufferedReader:
    return io.BufferedReader(UnpackedFile(io.BytesIO(packed), decompressor, limit))


@EACH
@settings(deadline=None)
@given(
    parts=st.lists(st.binary(max_size=500).map(lambda part: part * 50), max_size=4),
    places=st.lists(st.integers(0, 120_000), max_size=5),
    zeros=st.integers(0, 9),
)
def test_streams_in_a_row_are_one_and_any_place_can_be_sought(
    compress: Compress,
    decompressor: Callable[[], Decompressor],
    parts: list[bytes],
    places: list[int],
    zeros: int,
) -> None:
    whole = b"".join(parts)
    file = opened(b"".join(map(compress, parts or [b""])) + bytes(4 * zeros), decompressor)
    assert file.read() == whole
    for place in places:
        file.seek(place)
        assert file.read(700) == whole[place : place + 700]


@EACH
def test_what_is_cut_or_goes_on_as_something_else_is_an_error(
    compress: Compress, decompressor: Callable[[], Decompressor]
) -> None:
    packed = compress(b"some content" * 99)
    with pytest.raises(EOFError, match="cut short"):
        opened(packed[:-3], decompressor).read()
    with pytest.raises((zlib.error, OSError, lzma.LZMAError)):
        opened(packed + b"something else", decompressor).read()


@EACH
def test_no_more_is_unpacked_than_may_be(
    compress: Compress, decompressor: Callable[[], Decompressor]
) -> None:
    bomb = compress(bytes(9 * MIB)) * 3
    assert len(opened(bomb, decompressor, 27 * MIB).read()) == 27 * MIB
    for limit in (MIB, 10 * MIB):
        file = opened(bomb, decompressor, limit)
        with pytest.raises(Excessive, match=f"unpacks to more than {limit:,} bytes"):
            file.seek(26 * MIB)


def test_the_allowance_grows_with_the_packed_bytes_and_holds_one_picture() -> None:
    assert allowance(0) == MAX_BYTES
    assert allowance(MAX_BYTES) == RATIO * MAX_BYTES


def test_an_xz_file_cannot_ask_for_gigabytes_of_memory() -> None:
    for preset in (6, 9):  # the usual one and the largest that `xz` has
        assert opened(lzma.compress(b"x", preset=preset), xz_decompressor).read() == b"x"
    packed = bytearray(lzma.compress(b"x"))
    at = packed.index(b"\x21\x01", 12)  # LZMA2 and the length of its properties: the dictionary
    packed[at + 2] = 40  # 4 GiB - 1
    packed[20:24] = zlib.crc32(packed[12:20]).to_bytes(4, "little")
    with pytest.raises(Excessive, match="takes more than 134,217,728 bytes of memory"):
        opened(bytes(packed), xz_decompressor).read()


def test_a_stream_is_unpacked_in_the_memory_of_what_it_gives() -> None:
    stream = zlib.compressobj(9, wbits=RAW_DEFLATE)
    packed = stream.compress(bytes(50 * MIB)) + stream.flush()
    for limit, wanted in ((50 * MIB + 1, 50 * MIB), (1000, 1000)):
        tracemalloc.start()
        data = unpacked(Inflater(RAW_DEFLATE), iter([packed]), limit)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(data) == wanted
        assert peak < 1.3 * wanted + MIB


def test_a_stream_that_is_damaged_or_missing_says_so() -> None:
    with pytest.raises(Damaged):
        unpacked(Inflater(RAW_DEFLATE), iter([b"\xff" * 99]), 99)
    assert unpacked(bzip2_decompressor(), iter([]), 99) == b""
