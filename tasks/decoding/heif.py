"""HEIC and HEIF photos, as phones take them: the pictures of a file, by libheif."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.decoding.limits import MAX_PAGES, too_large
from tasks.decoding.pixels import Pixels, eight_bit
from tasks.outcomes import Reason, Undecodable

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
PLAIN = ("L", "RGB", "RGBA")
# Bytes that libheif takes at most for a sample of its planes and all that it makes of it;
# `tests/decoder_peaks.py` measures them.
OF_SAMPLE, OF_DEEP_SAMPLE = 3.2, 5.2
HALVED_COLOURS = 2.2  # samples a pixel where two by two pixels share their colour, turning included


def begins_like_heif(data: bytes) -> bool:
    """Tell whether a file says in its first bytes that it is HEIC or HEIF, whatever its name."""
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS


def photos(data: bytes) -> Iterator[Pixels | Undecodable]:
    """Yield each picture of a file upright: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.

    Thumbnails, depth maps and what else belongs to a photo are no pictures of their own. libheif
    turns each as the file says; EXIF says the same once more. What is too large ends the file.

    Raises:
        Undecodable: it is of another kind of HEIF than HEVC.
        Exception: what libheif says of a damaged file (ValueError, RuntimeError, EOFError, ...).
    """
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1  # processes stand beside each other
    file = pi_heif.open_heif(io.BytesIO(data))
    if not any(image.info["primary"] for image in file):  # libheif leaves out what it cannot decode
        raise Undecodable(Reason.UNSUPPORTED_FORMAT, "a HEIF picture that is not coded as HEVC")
    for number in range(len(file)):
        if number == MAX_PAGES:
            yield Undecodable(Reason.TOO_LARGE, f"{number + len(file)} pages, limit {MAX_PAGES}")
            return
        image = file[0]
        del file[0]  # which holds its pixels
        width, height = image.size
        if detail := too_large(width, height, memory_of(image), f"HEIF of mode {image.mode}"):
            yield Undecodable(Reason.TOO_LARGE, detail)
            return
        yield _pixels(image)


def memory_of(image: Any) -> int:
    """Return the bytes that decoding a picture takes, at most, by its header."""
    colours = 1.0 if image.mode.startswith(("L", "I")) else 3.0
    if image.info.get("chroma") == 420:
        colours = HALVED_COLOURS
    samples = colours + bool(image.has_alpha)
    of_sample = OF_SAMPLE if image.info["bit_depth"] == 8 else OF_DEEP_SAMPLE
    width, height = image.size
    return int(width * height * samples * of_sample)


def _pixels(image: Any) -> Pixels:
    if image.mode not in PLAIN:
        return eight_bit(image.to_pillow())
    pixels: Pixels = np.array(image)  # its own memory goes when it goes
    return pixels
