"""Small plain PNG files, many at once: each is inflated once, and all filters are undone together.

A decoder's start costs more than the 784 pixels of a digit; this halves it. Whatever is not plain
and small, or uses a filter that looks at more than one neighbour, is left to the decoders.
"""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
HEADER, HEADER_END = (
    slice(12, 29),
    33,
)  # bytes: IHDR's name and content, and where its checksum ends
GREY, RGB = b"\x08\0\0\0\0", b"\x08\2\0\0\0"  # end of IHDR: 8 bits, no interlace
CHANNELS = {GREY: 1, RGB: 3}
CHUNKS = {b"IDAT", b"IEND", b"gAMA", b"pHYs", b"sRGB", b"tEXt", b"tIME"}  # plain ones after IHDR
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
PIECE = 2**20  # bytes that are inflated together
SMALL = 64  # px: a longer side is worth a decoder of its own
FILTERS = 5
SUB, UP = 1, 2  # filters of a row: each pixel less the one left of it, or above it


class Packed(NamedTuple):
    """A whole PNG of plain pixels: its size, and its inflated rows, each with its filter first."""

    height: int
    width: int
    channels: int
    rows: bytes


def unpacked(data: bytes, most_pixels: int) -> Packed | None:
    """Return the rows of a plain PNG, checked by its checksums; None where it is not so."""
    channels = CHANNELS.get(data[24:29])
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if channels is None or not 0 < width * height <= most_pixels:
        return None
    rows = _inflated(_idat(data), height, 1 + width * channels)
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
            packed = data[position + 8 : end]
            while missing > 0 and packed and not unpacker.eof:
                missing -= len(unpacker.decompress(packed, PIECE))
                packed = unpacker.unconsumed_tail
        position = end + 4
    return unpacker.eof and missing > 0


def is_small(packed: Packed) -> bool:
    """Tell whether `pictures` is made for it."""
    return packed.channels == 1 and max(packed.height, packed.width) <= SMALL


def pictures(small: Sequence[Packed]) -> list[Pixels | None]:
    """Return the uint8 (H, W) picture of each, None where a filter needs a decoder."""
    by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, packed in enumerate(small):
        by_shape[packed.height, packed.width].append(number)
    found: list[Pixels | None] = [None] * len(small)
    for (height, width), numbers in by_shape.items():
        rows = np.frombuffer(b"".join(small[n].rows for n in numbers), np.uint8)
        stack, known = _unfiltered(rows.reshape(len(numbers), height, 1 + width))
        for number, picture, is_known in zip(numbers, stack, known, strict=True):
            found[number] = picture if is_known else None
    return found


def _unfiltered(rows: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """Undo the filters of (N, H, 1 + W) rows (PNG specification, 9.2), and tell where it worked."""
    filters, stack = rows[:, :, 0], rows[:, :, 1:].copy()
    sub, up = filters == SUB, filters == UP
    if sub.all():
        stack = np.cumsum(stack, axis=2, dtype=np.uint8)
    else:
        stack[sub] = np.cumsum(stack[sub], axis=1, dtype=np.uint8)
        for row in range(1, stack.shape[1]):
            # rows above are done: what is no UP adds nothing
            stack[:, row] += stack[:, row - 1] * up[:, row, None]
    return stack, np.all(filters <= UP, axis=1)


def _idat(data: bytes) -> bytes:
    """Return the packed rows of a PNG with right checksums and nothing else that changes pixels.

    They are empty where it is not so.
    """
    checksum = int.from_bytes(data[HEADER_END - 4 : HEADER_END])
    if not data.startswith(START) or checksum != zlib.crc32(data[HEADER]):
        return b""
    position, name, packed, rows_begin = HEADER_END, b"", b"", 0
    while name != b"IEND":
        end = position + 8 + int.from_bytes(data[position : position + 4])
        before, name = name, data[position + 4 : position + 8]
        if name not in CHUNKS or int.from_bytes(data[end : end + 4]) != zlib.crc32(
            memoryview(data)[position + 4 : end]
        ):
            return b""
        if name == b"IDAT":
            packed += data[position + 8 : end]
            rows_begin += before != name
        position = end + 4
    return packed if rows_begin == 1 else b""  # the chunks of the rows follow each other


def _inflated(packed: bytes, height: int, stride: int) -> bytes:
    """Return packed rows if they are all there, each with a known filter, else nothing.

    OpenCV prints to the terminal, and answers with half a picture, when they are not.
    """
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(packed, height * stride + 1)
    except zlib.error:
        return b""
    whole = unpacker.eof and len(rows) == height * stride and max(rows[::stride]) < FILTERS
    return rows if whole else b""
