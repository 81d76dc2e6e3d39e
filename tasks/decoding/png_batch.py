"""Small plain PNG files, many at once: each is inflated once, and all filters are undone together.

A decoder's start costs more than the 784 pixels of a digit: without this, reading files of 28x28
pixels takes 1.7 times the CPU time. Whatever is not plain and small, or uses a filter that looks at
more than one neighbour, is left to the decoders.
"""

import struct
import zlib
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import deflate
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
HEADER_END = 33  # bytes: where the checksum of IHDR ends
END = b"\0\0\0\0IEND\xaeB`\x82"
GREY, RGB = b"\x08\0\0\0\0", b"\x08\2\0\0\0"  # end of IHDR: 8 bits, no interlace
CHANNELS = {GREY: 1, RGB: 3}
CHUNKS = {b"IDAT", b"gAMA", b"pHYs", b"sRGB", b"tEXt", b"tIME"}  # plain ones after IHDR
CHUNK, CHECKSUM = struct.Struct(">I4s"), struct.Struct(">I")
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
FED, PIECE = 2**16, 2**20  # bytes that are inflated together: packed, unpacked
LARGE = 2**24  # bytes of rows: what needs more is not held here beside the decoder's own
PACKED = 1.5  # times its rows: no encoder makes them longer, so the rest is not looked at
SMALL = 64  # px: a longer side is worth a decoder of its own
FILTERS = b"\0\1\2\3\4"
SUB, UP = 1, 2  # filters of a row: each pixel less the one left of it, or above it


class Packed(NamedTuple):
    """A whole PNG of plain pixels: its size, and its inflated rows, each with its filter first."""

    height: int
    width: int
    channels: int
    rows: bytearray


def unpacked(data: bytes, most_pixels: int) -> Packed | None:
    """Return the rows of a plain PNG, checked by its checksums.

    None where it is not so, or where they are LARGE.
    """
    shape = _shape(data[:HEADER_END])
    if shape is None or not 0 < shape[0] * shape[1] <= most_pixels:
        return None
    height, width, channels = shape
    stride = 1 + width * channels
    if height * stride > LARGE:
        return None
    rows = _inflated(_idat(data, PACKED * height * stride + FED), height, stride)
    return Packed(height, width, channels, rows) if rows else None


def lacks_rows(data: bytes) -> bool:
    """Tell whether the rows of a PNG end well before all of its height is there.

    Decoders take that for a picture and fill it up with black. Interlaced ones are not looked at.
    """
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    depth, colour, interlaced = data[24], data[25], data[28]
    missing = height * (1 + -(-width * depth * SAMPLES.get(colour, 0) // 8))
    unpacker, position = zlib.decompressobj(), len(START) - 8
    while not interlaced and missing > 0 and position < len(data) and not unpacker.eof:
        end = position + 8 + int.from_bytes(data[position : position + 4])
        if data[position + 4 : position + 8] == b"IDAT":
            missing -= _unpacked_bytes(unpacker, memoryview(data)[position + 8 : end], missing)
        position = end + 4
    return unpacker.eof and missing > 0


def _unpacked_bytes(unpacker: Any, packed: memoryview, enough: int) -> int:
    """Return how many bytes a piece of a stream unpacks to; once they are enough, no more.

    What is not unpacked yet is copied at each step, so only a little is fed at once.
    """
    found = 0
    for at in range(0, len(packed), FED):
        rest: memoryview | bytes = packed[at : at + FED]
        while rest and found < enough and not unpacker.eof:
            found += len(unpacker.decompress(rest, PIECE))
            rest = unpacker.unconsumed_tail
    return found


def is_small(packed: Packed) -> bool:
    """Tell whether `pictures` is made for it."""
    return packed.channels == 1 and max(packed.height, packed.width) <= SMALL


def pictures(small: Sequence[Packed]) -> list[Pixels | None]:
    """Return the uint8 (H, W) picture of each, None where a filter needs a decoder."""
    by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, packed in enumerate(small):
        by_shape[packed[:2]].append(number)
    found: list[Pixels | None] = [None] * len(small)
    for (height, width), numbers in by_shape.items():
        rows = np.frombuffer(b"".join(small[n].rows for n in numbers), np.uint8)
        stack, known = _unfiltered(rows.reshape(len(numbers), height, 1 + width))
        for number, picture, is_known in zip(numbers, stack, known.tolist(), strict=True):
            if is_known:
                found[number] = picture
    return found


def _unfiltered(rows: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """Undo the filters of (N, H, 1 + W) rows (PNG specification, 9.2), and tell where it worked."""
    filters, stack = rows[:, :, 0], rows[:, :, 1:].copy()
    sub, up = filters == SUB, filters == UP
    if sub.all():
        stack = _running_sums(stack.reshape(-1, stack.shape[2])).reshape(stack.shape)
    else:
        if sub.any():
            stack[sub] = _running_sums(stack[sub])
        for row in range(1, stack.shape[1]):
            # rows above are done: what is no UP adds nothing
            stack[:, row] += stack[:, row - 1] * up[:, row, None]
    return stack, np.all(filters <= UP, axis=1)


def _running_sums(rows: Pixels) -> Pixels:
    """Return the sums of (M, W) along each row, modulo 256.

    Whole columns are added: for rows as short as these `numpy.cumsum` takes three times as long.
    """
    columns = cv2.transpose(rows)
    for left, column in pairwise(columns):
        np.add(column, left, out=column)
    return np.asarray(cv2.transpose(columns), np.uint8)


@lru_cache(maxsize=256)
def _shape(header: bytes) -> tuple[int, int, int] | None:
    """Return height, width and channels by the first bytes of a PNG of plain pixels, else None.

    Small pictures that lie together mostly have the same.
    """
    channels = CHANNELS.get(header[24:29])
    checksum = deflate.crc32(header[12:29]).to_bytes(4)
    if channels is None or not header.startswith(START) or header[29:] != checksum:
        return None
    return int.from_bytes(header[20:24]), int.from_bytes(header[16:20]), channels


def _idat(data: bytes, most: float) -> bytes:
    """Return the packed rows of a PNG with right checksums and nothing else that changes pixels.

    They are empty where it is not so, or where they are more than `most` bytes.
    """
    position, name, pieces, rows_begin = HEADER_END, b"", list[bytes](), 0
    try:
        while not data.startswith(END, position):
            before, (size, name) = name, CHUNK.unpack_from(data, position)
            content = position + CHUNK.size
            position = content + size
            if name not in CHUNKS:
                return b""
            checksum = deflate.crc32(data[content - len(name) : position])
            if CHECKSUM.unpack_from(data, position) != (checksum,):
                return b""
            if name == b"IDAT":
                most -= size
                if most < 0:
                    return b""
                pieces.append(data[content:position])
                rows_begin += before != name
            position += CHECKSUM.size
    except struct.error:  # it ends before its chunks do
        return b""
    # the chunks of the rows follow each other
    return b"".join(pieces) if rows_begin == 1 else b""


def _inflated(packed: bytes, height: int, stride: int) -> bytearray | None:
    """Return packed rows if they are all there, each with a known filter.

    OpenCV prints to the terminal, and answers with half a picture, when they are not.
    """
    try:
        rows = deflate.zlib_decompress(packed, height * stride)
    except deflate.DeflateError:
        return None
    whole = len(rows) == height * stride and not rows[::stride].strip(FILTERS)
    return rows if whole else None
