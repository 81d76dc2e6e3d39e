"""HEIC files, which only the encoder of `pillow-heif` makes; digitflow itself never loads it."""

import io

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image


def heif(
    *pictures: NDArray[np.uint8],
    orientation: int = 1,
    quality: int = -1,
    chroma: int = 444,
    **options: object,
) -> bytes:
    """Return a file of the pictures, without loss but for what changing colours costs.

    Args:
        pictures: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.
        orientation: how a reader has to turn them, by EXIF's numbers.
        quality: 0 to 100; -1 is without loss.
        chroma: 420 where two by two pixels share their colour, as phones write it.
        options: of `pillow_heif`.
    """
    made = pillow_heif.HeifFile()
    for picture in pictures:
        height, width = picture.shape[:2]
        mode = {2: "L", 3: "RGB", 4: "RGBA"}[
            picture.ndim if picture.ndim == 2 else picture.shape[2]
        ]
        image = made.add_frombytes(mode, (width, height), picture.tobytes())
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.info["exif"] = exif.tobytes()
    file = io.BytesIO()
    made.save(file, quality=quality, chroma=chroma, **options)
    return file.getvalue()


def deep_heif(samples: NDArray[np.uint16], quality: int = -1, chroma: int = 444) -> bytes:
    """Return a file of one RGB picture of 10 bits a sample; given as 16 bits."""
    file = io.BytesIO()
    size = (samples.shape[1], samples.shape[0])
    pillow_heif.encode("RGB;16", size, samples.tobytes(), file, quality=quality, chroma=chroma)
    return file.getvalue()


def sizes(data: bytes, width: int, height: int) -> bytes:
    """Return a file whose header says another size, as of a picture that is forged."""
    at = data.index(b"ispe") + 8
    return data[:at] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[at + 8 :]
