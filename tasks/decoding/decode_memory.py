"""How much memory Pillow takes to decode a page, known from its header before any is taken.

`tests/decoder_peaks.py` measures it, and a test compares.
"""

from PIL import GifImagePlugin, Image, ImageFile, TiffImagePlugin
from PIL.ExifTags import Base

from tasks.decoding.pixels import TURNS, orientation

IN_PYTHON = ("bmp_rle", "ppm", "ppm_plain")  # decoders of Pillow's that gather pixels, then copy
BESIDE = {"AVIF": 9, "WEBP": 14}  # bytes a pixel beside Pillow's, of whatever they can hold
OF_JPEG2000 = 5  # bytes of each sample, if there is one tile
GIF_FRAMES = 20  # bytes a pixel: earlier frames, which later ones are laid over


def bytes_a_pixel(image: Image.Image) -> int:
    """Return what decoding takes for a pixel, at most, the file and small arrays apart."""
    samples = len(image.getbands())
    if image.format in ("JPEG", "MPO"):
        return 2 * samples  # coefficients of all scans; a large one's pixels are few
    pillow = _of_pillow(image)
    if image.format == "JPEG2000":
        return pillow + OF_JPEG2000 * samples
    if isinstance(image, GifImagePlugin.GifImageFile) and image.is_animated:
        return GIF_FRAMES  # already as a frame is looked for
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    codec = tiles[0][0] if tiles else ""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        turned = orientation(image) in TURNS  # which Pillow does as it loads it
        # a strip can be the whole picture
        strip = -(-sum(image.tag_v2.get(Base.BitsPerSample, (1,))) // 8)
        return pillow + max(strip if codec == "libtiff" else 0, pillow if turned else 0)
    if codec in IN_PYTHON:
        return pillow + 2 * max(pillow, samples)
    return pillow + BESIDE.get(image.format or "", 0)


def _of_pillow(image: Image.Image) -> int:
    """Return the bytes of a pixel in Pillow's own picture."""
    if image.mode in ("1", "L", "P"):
        return 1
    return 2 if image.mode.startswith("I;16") else 4
