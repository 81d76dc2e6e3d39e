"""What decoding takes is known from the header: measured for every format, and refused in time."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tasks.decoding.decode import pages
from tasks.decoding.decode_memory import bytes_a_pixel
from tasks.decoding.limits import MAX_MEMORY, MAX_PIXELS
from tasks.outcomes import Reason, Undecodable
from tests.bars import encoded
from tests.decoder_peaks import BESIDE, measured
from tests.heifs import deep_heif, heif
from tests.pdfs import Sheet, document, picture, picture_of, scan

SIDE = 2400  # px: large enough that a picture stands out of what every decoder takes
SLOPE = np.add.outer(np.arange(SIDE), np.arange(SIDE)).astype(np.uint16)
GREY = Image.fromarray((SLOPE // 32).astype(np.uint8))
RGB, RGBA = GREY.convert("RGB"), GREY.convert("RGBA")
DEEP = Image.fromarray(SLOPE.astype(np.float32))
TURNED = Image.Exif()
TURNED[0x0112] = 6
COLOURS = [GREY.convert("P", palette=Image.Palette.ADAPTIVE, colors=5 + n) for n in range(3)]
PAGES = {
    **{"compression": "tiff_lzw", "save_all": True},
    "append_images": [RGB.copy(), RGBA.copy()],
}
FILES: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
    "grey.png": (GREY, "PNG", {}),
    "colour.png": (RGB, "PNG", {}),
    "transparent.png": (RGBA, "PNG", {}),
    "palette.png": (COLOURS[0], "PNG", {"transparency": 1}),
    "deep.png": (Image.fromarray(SLOPE), "PNG", {}),
    "turned.png": (RGB, "PNG", {"exif": TURNED}),
    "colour.bmp": (RGB, "BMP", {}),
    "float.tif": (DEEP, "TIFF", {"compression": "tiff_lzw", "strip_size": 2**30}),
    "plain float.tif": (DEEP, "TIFF", {}),
    "colour.tif": (RGB, "TIFF", {"compression": "tiff_lzw", "strip_size": 2**30}),
    "inks.tif": (RGB.convert("CMYK"), "TIFF", {"compression": "tiff_adobe_deflate"}),
    "turned.tif": (RGB, "TIFF", {"exif": TURNED}),
    "pages.tif": (
        DEEP,
        "TIFF",
        PAGES,
    ),
    "colour.jpg": (RGB, "JPEG", {"progressive": True, "subsampling": 0}),
    "inks.jpg": (RGB.convert("CMYK"), "JPEG", {"progressive": True, "subsampling": 0}),
    "frames.gif": (COLOURS[0], "GIF", {"save_all": True, "append_images": COLOURS[1:]}),
    "colour.webp": (RGB, "WEBP", {"method": 0}),
    "frames.webp": (RGBA, "WEBP", {"save_all": True, "append_images": [RGB.copy()], "method": 0}),
    "colour.avif": (RGB, "AVIF", {"speed": 10}),
    "transparent.avif": (RGBA, "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
    "colour.jp2": (RGB, "JPEG2000", {}),
    "grey.jp2": (GREY, "JPEG2000", {}),
    "colour.ppm": (RGB, "PPM", {}),
}


def sheet(shape: tuple[int, ...], data: bytes, filter: bytes) -> Sheet:
    """Return a page that is one picture, a point for each pixel."""
    side = shape[0]
    return (side, side), b"%d 0 0 %d 0 0 cm /I Do" % (side, side), picture_of(shape, data, filter)


def photos_and_sheets() -> dict[str, bytes]:
    """Return large files that Pillow does not write, or of which it is not told what they take."""
    grey, rgb, rgba = (np.asarray(image) for image in (GREY, RGB, RGBA))
    deep = rgb.astype(np.uint16) * 257
    fine = np.kron(rgb, np.ones((2, 2, 1), np.uint8))
    jpeg = encoded(fine, "JPEG", progressive=True, subsampling=0)
    jpeg2000 = encoded(rgb, "JPEG2000", quality_mode="rates", quality_layers=[20])
    return {
        "grey.heic": heif(grey, quality=50),
        "photo.heic": heif(rgb, quality=50, chroma=420),
        "turned.heic": heif(rgb, quality=50, chroma=420, orientation=6),
        "colour.heic": heif(rgb, quality=50),
        "transparent.heic": heif(rgba, quality=50),
        "deep.heic": deep_heif(deep, quality=50),
        "deep photo.heic": deep_heif(deep, quality=50, chroma=420),
        "several.heic": heif(rgb, rgb[::-1], rgb, quality=50, chroma=420),
        "drawn.pdf": document(((1200, 1200), b"90 w 0 0 m 1200 1200 l S", picture(grey[:9, :9]))),
        "scan.pdf": document(scan(fine, 600), scan(fine[::-1], 600)),
        "jpeg.pdf": document(sheet(fine.shape, jpeg, b"DCTDecode")),
        "jpeg 2000.pdf": document(sheet(rgb.shape, jpeg2000, b"JPXDecode")),
    }


@pytest.mark.processes
@pytest.mark.slow
def test_no_decoder_takes_more_memory_than_is_expected_by_the_header(tmp_path: Path) -> None:
    for name, (image, format, options) in FILES.items():
        image.copy().save(tmp_path / name, format, **options)  # some keep how they were saved
    maximum = b"P5\n%d %d\n1000\n" % (SIDE // 2, SIDE // 2)
    (tmp_path / "odd.pgm").write_bytes(maximum + bytes([1, 2]) * (SIDE // 2) ** 2)
    others = photos_and_sheets()
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
    lines = measured(tmp_path)
    assert len(lines) == len(FILES) + len(others) + 1
    for line in lines:
        assert line["result"] == "decoded", line
        assert line["peak"] <= line["expected"] + BESIDE, line


def tiff_of(side: int, bits: int, sample_format: int = 3) -> bytes:
    """Return the header of a grey TIFF, packed as one strip that holds nothing."""
    fields = [(256, side), (257, side), (258, bits), (259, 8), (262, 1), (273, 8), (277, 1)]
    fields += [(278, side), (279, 1), (339, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)


@pytest.mark.parametrize(("side", "limit"), [(8000, MAX_MEMORY), (8001, MAX_PIXELS), (300, None)])
def test_a_page_that_would_take_too_much_is_refused_by_its_header(
    side: int, limit: int | None
) -> None:
    [found] = pages(tiff_of(side, 32))
    assert isinstance(found, Undecodable)
    assert (found.reason == Reason.TOO_LARGE) == (limit is not None)
    assert limit is None or (f"limit {limit:,}" in found.detail or f"{limit}" in found.detail)


def test_a_picture_inside_an_icon_is_measured_by_its_own_header() -> None:
    side = 8001
    picture = cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes()
    inside = picture[:16] + struct.pack(">II", side, side) + picture[24:]
    inside = inside[:29] + struct.pack(">I", zlib.crc32(inside[12:29])) + inside[33:]
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inside), 22) + inside
    [found] = pages(icon)
    assert isinstance(found, Undecodable)
    assert found.reason == Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("mode", "format", "megapixels"),
    [("RGB", "JPEG", 50), ("L", "JPEG", 64), ("I;16", "TIFF", 35), ("RGB", "PNG", 64)],
)
def test_what_phones_and_scanners_make_is_within_the_limit(
    mode: str, format: str, megapixels: int
) -> None:
    file = io.BytesIO()
    Image.new(mode, (8, 8)).save(file, format)
    assert bytes_a_pixel(Image.open(file)) * megapixels * 1_000_000 <= MAX_MEMORY
