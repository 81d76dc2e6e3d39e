"""Valid pictures of every format that is read, and what random damage makes of them.

A damaged PNG gets right checksums, most of the time, so that the damage comes through to what
unpacks and decodes it.
"""

import io
import random
import struct
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image

from tests.bars import bar
from tests.decoding.test_decode import chunk

LARGEST = 4 * 2**20  # bytes of a damaged picture
EXTREMES = (0, 1, 2**7, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
Damage = Callable[[bytes, bytes, random.Random], bytes]
VARIANTS: tuple[tuple[str, str, dict[str, object]], ...] = (
    *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    ("JPEG", "L", {}),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    *(("BMP", mode, {}) for mode in ("1", "P", "RGB")),
    ("GIF", "P", {}),
    ("GIF", "P", {"pages": 3}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "L", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "CMYK", {"compression": "packbits"}),
    ("TIFF", "F", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", "I;16", {"pages": 3}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True, "pages": 3}),
    *((name, "RGB", {}) for name in ("DIB", "PPM", "ICO", "JPEG2000", "AVIF", "PCX", "TGA")),
    ("TGA", "L", {"compression": "tga_rle"}),
)


def valid_pictures() -> list[tuple[str, bytes]]:
    """Return each variant, small and not so small, with the name of its format."""
    return [
        (name, _saved(name, mode, side, **options))
        for name, mode, options in VARIANTS
        for side in (28, 200)
    ]


def damaged(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many damaged pictures with the name of their format; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - the damage is the experiment
    pictures = valid_pictures()
    for _ in range(count):
        name, data = chance.choice(pictures)
        for _ in range(chance.choice((1, 1, 2, 4))):
            harm = chance.choice(DAMAGES + (PNG_DAMAGES * 2 if data.startswith(SIGNATURE) else ()))
            data = harm(data, chance.choice(pictures)[1], chance)[:LARGEST]
        yield name, data


def _saved(name: str, mode: str, side: int, pages: int = 1, **options: object) -> bytes:
    grey = 255 - cv2.resize(bar(3), (side, side), interpolation=cv2.INTER_LINEAR)
    noisy = grey - np.random.default_rng(side).integers(0, 30, grey.shape, np.uint8) // 2
    if mode == "I;16":
        picture = Image.fromarray(noisy.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(noisy).convert(mode)
    more = [picture.rotate(90 * turn) for turn in range(1, pages)]
    if more:
        options |= {"save_all": True, "append_images": more}
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


def _flipped(data: bytes, _: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(data: bytes, _: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def _spliced(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def _repeated(data: bytes, _: bytes, chance: random.Random) -> bytes:
    start = chance.randint(0, len(data))
    end = start + chance.randint(1, 2000)
    return data[:start] + data[start:end] * chance.choice((2, 10, 2000)) + data[end:]


def _other_length(data: bytes, _: bytes, chance: random.Random) -> bytes:
    """Put an extreme number where a header may have a length, a count or an offset."""
    form = chance.choice(("<I", ">I", "<H", ">H"))
    field = struct.pack(form, chance.choice(EXTREMES) % 2 ** (8 * struct.calcsize(form)))
    reach = chance.choice((64, 512, len(data)))
    at = chance.randint(0, max(0, min(len(data), reach) - len(field)))
    return data[:at] + field + data[at + len(field) :]


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return name and content of the chunks of a PNG file, as far as there are any."""
    found, at = [], len(SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        found.append((name, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _with_chunk_changed(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Damage the content of one chunk, and give it the right checksum."""
    found = _chunks(data)
    if found:
        at = chance.randrange(len(found))
        name, content = found[at]
        harm = chance.choice((_flipped, _cut, _repeated, _other_length))
        found[at] = (name, harm(content, other, chance))
    return SIGNATURE + b"".join(chunk(*one) for one in found)


def _with_chunk_repeated(data: bytes, _: bytes, chance: random.Random) -> bytes:
    """Put one chunk, perhaps an empty one, into the file again and again."""
    found = _chunks(data)
    if found:
        name, content = chance.choice(found)
        content, times = chance.choice((content, content[:1], b"")), chance.choice((1, 50, 20_000))
        at = chance.randint(0, len(found))
        found[at:at] = [(name, content)] * min(times, LARGEST // (12 + len(content)))
    return SIGNATURE + b"".join(chunk(*one) for one in found)


DAMAGES: tuple[Damage, ...] = (_flipped, _cut, _spliced, _repeated, _other_length)
PNG_DAMAGES: tuple[Damage, ...] = (_with_chunk_changed, _with_chunk_repeated)
