"""A folder of pictures to try the reading on: known digits in many shapes, and broken files."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.atomic import atomic_write

SIDES = (28, 56, 140, 280)  # pixels
SUFFIXES = (".png", ".jpg", ".tif")
JPEG_QUALITY = 85


@dataclass(frozen=True)
class SampleFolder:
    """Pictures below one folder for each digit, and files that are no pictures."""

    folder: Path
    pictures: int
    broken: int


def write_sample_folder(
    folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int8]
) -> SampleFolder:
    """Write digits as PNG, JPEG and TIFF of several sizes, dark on light and light on dark.

    Args:
        folder: where; it is made.
        images: uint8 (N, 28, 28), ink bright on 0.
        labels: int8 (N,); each picture goes into the sub-folder of its digit.
    """
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        side, suffix = SIDES[number % len(SIDES)], SUFFIXES[number % len(SUFFIXES)]
        dark_on_light = number // len(SIDES) % 2 == 0
        path = folder / str(label) / f"{number:04d}-{side}px{suffix}"
        _write_picture(path, 255 - image if dark_on_light else image, side)
    broken = _broken_files(images[0])
    for name, content in broken.items():
        with atomic_write(folder / "broken" / name) as temporary:
            temporary.write_bytes(content)
    return SampleFolder(folder, len(images), len(broken))


def _write_picture(path: Path, image: NDArray[np.uint8], side: int) -> None:
    picture = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    with atomic_write(path) as temporary:
        picture.save(temporary, quality=JPEG_QUALITY)


def _broken_files(image: NDArray[np.uint8]) -> dict[str, bytes]:
    """Return the five kinds of file that every real folder holds one of."""
    whole = io.BytesIO()
    Image.fromarray(image).resize((280, 280)).save(whole, "JPEG")
    return {
        "cut-off-by-a-full-disk.jpg": whole.getvalue()[: len(whole.getvalue()) // 2],
        "empty.png": b"",
        "error-page.png": b"<!DOCTYPE html><title>404 Not Found</title>",
        "header-only.png": b"\x89PNG\r\n\x1a\n",
        "notes.txt": b"scanned on Monday, the second half is missing\n",
    }
