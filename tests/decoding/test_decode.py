"""Whatever bytes a file has, it becomes upright pictures or a reason."""

import io
import pickle
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from tasks.decoding.decode import FORMATS, decode, pages
from tasks.decoding.limits import MAX_PAGES
from tasks.decoding.pdf import begins_like_pdf
from tasks.imaging.background import WORK_SIDE, light
from tasks.outcomes import Reason, Undecodable
from tests.bars import encoded

GREY = np.arange(40 * 30, dtype=np.uint32).reshape(40, 30).astype(np.uint8)
RGB = np.stack([GREY, GREY.T.reshape(40, 30), 255 - GREY], axis=2)
RGBA = np.concatenate([RGB, GREY[..., None] | 1], axis=2)
FILES = {name: encoded(GREY, name) for name in FORMATS} | {"RGBA PNG": encoded(RGBA)}


def shown(data: bytes) -> np.ndarray:
    """Return the pixels of a file's first page."""
    return decode(data).shown()


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file, with its right checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes) -> bytes:
    """Return an 8-bit grey PNG file whose header need not fit its rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("picture", "format", "options"),
    [
        (GREY, "PNG", {}),
        (RGB, "PNG", {}),
        (RGBA, "PNG", {}),
        (RGB, "BMP", {}),
        (GREY, "TIFF", {"compression": "tiff_lzw"}),
        (RGBA, "TIFF", {}),
        (RGB, "WEBP", {"lossless": True}),
        (RGBA, "WEBP", {"lossless": True, "exact": True}),
        (np.stack([GREY] * 3, 2), "GIF", {}),
    ],
)
def test_a_format_without_loss_gives_the_pixels_that_were_saved(
    picture: np.ndarray, format: str, options: dict[str, Any]
) -> None:
    assert np.array_equal(shown(encoded(picture, format, **options)), picture)


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
    ),
    st.integers(0, 9),
)
def test_any_plain_png_gives_the_pixels_that_were_saved(picture: np.ndarray, level: int) -> None:
    picture = picture.squeeze(2) if picture.shape[2] == 1 else picture
    assert np.array_equal(shown(encoded(picture, compress_level=level)), picture)


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("1", (40, 30)), ("P", (40, 30, 3)), ("LA", (40, 30, 4)), ("CMYK", (40, 30, 3))],
)
def test_rare_modes_become_grey_rgb_or_rgba(mode: str, shape: tuple[int, ...]) -> None:
    file = io.BytesIO()
    Image.fromarray(RGBA).convert(mode).save(file, "TIFF")
    assert shown(file.getvalue()).shape == shape


def test_a_transparent_palette_keeps_its_transparency() -> None:
    file = io.BytesIO()
    Image.fromarray(GREY % 2).convert("P").save(file, "PNG", transparency=1)
    assert np.array_equal(shown(file.getvalue())[..., 3], np.where(GREY % 2, 0, 255))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight(format: str) -> None:
    deep = GREY.astype(np.uint16) * 257
    assert np.array_equal(shown(encoded(deep, format)), GREY)


def test_pixels_that_are_no_numbers_are_dark() -> None:
    deep = GREY.astype(np.float32)
    deep[0, :3] = [np.nan, np.inf, -np.inf]
    assert np.array_equal(shown(encoded(deep, "TIFF"))[0, :3], [0, 0, 0])


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda p: p),
        (2, np.fliplr),
        (3, lambda p: np.rot90(p, 2)),
        (6, lambda p: np.rot90(p, 3)),
    ],
)
def test_pictures_are_turned_as_their_exif_says(orientation: int, turn: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(shown(encoded(RGB, "PNG", exif=exif)), turn(RGB))


@pytest.mark.parametrize(
    ("height", "width", "reduced"),
    [(447, 200, 1), (448, 301, 2), (300, 895, 2), (896, 896, 4), (1793, 5, 4), (9, 4000, 8)],
)
def test_a_large_jpeg_is_decoded_no_larger_than_the_canonical_form_looks_at(
    height: int, width: int, reduced: int
) -> None:
    y, x = np.mgrid[:height, :width]
    full = np.stack([127 + 100 * np.sin(x / 60), 127 + 100 * np.cos(y / 60), 90 + 0 * x], 2)
    [picture] = pages(encoded(full.astype(np.uint8), "JPEG", quality=95, subsampling=0))
    assert (picture.width, picture.height) == (width, height)
    coloured = picture.shown()
    assert coloured.shape == (-(-height // reduced), -(-width // reduced), 3)
    same = cv2.resize(full, coloured.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(same - coloured).mean() < 3
    assert picture.pixels.shape == coloured.shape[:2]
    assert max(picture.pixels.shape) >= min(WORK_SIDE, height, width)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(70, 99), (70, 99, 3), (400, 801, 3)])
def test_a_jpeg_is_turned_as_its_exif_says_and_has_pillows_pixels(
    shape: tuple[int, ...], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    rough = np.random.default_rng(8).integers(0, 255, shape, np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(rough, (0, 0), 2), np.uint8)
    data = encoded(smooth, "JPEG", exif=exif)
    picture, image = decode(data), Image.open(io.BytesIO(data))
    upright = (image.width, image.height)
    assert (picture.width, picture.height) == (upright if orientation < 5 else upright[::-1])
    if max(shape) > 2 * WORK_SIDE:
        image.draft(None, (image.width // 2, image.height // 2))
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(picture.shown(), expected)
    luma = expected if expected.ndim == 2 else np.asarray(Image.fromarray(expected).convert("L"))
    grey = picture.pixels if picture.pixels.ndim == 2 else light(picture.pixels)
    assert np.abs(grey.astype(int) - luma).max() <= 2


def test_a_large_jpeg_that_ends_early_is_truncated() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (900, 900, 3), np.uint8)
    [error] = pages(encoded(noise, "JPEG")[:-99])
    assert error.reason == Reason.TRUNCATED


@pytest.mark.parametrize("format", ["TIFF", "GIF", "WEBP"])
def test_pages_come_one_by_one_in_order(format: str) -> None:
    greys = [np.full((8, 8), value, np.uint8) for value in (10, 200, 90)]
    more = [Image.fromarray(grey) for grey in greys[1:]]
    file = encoded(greys[0], format, save_all=True, append_images=more, lossless=True)
    assert [int(page.pixels.flat[0]) for page in pages(file)] == [10, 200, 90]


def test_pages_after_the_limit_are_one_reason() -> None:
    more = [Image.fromarray(np.full((1, 1), n, np.uint8)) for n in range(MAX_PAGES + 5)]
    *read, last = pages(encoded(GREY, "TIFF", save_all=True, append_images=more))
    assert len(read) == MAX_PAGES
    assert last.reason == Reason.TOO_LARGE


def test_a_damaged_page_ends_the_file_after_those_before_it() -> None:
    file = encoded(GREY, "TIFF", save_all=True, append_images=[Image.fromarray(GREY.T)])
    first, second = pages(file[:-700])
    assert np.array_equal(first.pixels, GREY)
    assert isinstance(second, Undecodable)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY_FILE),
        (b"scanned on Monday\n", Reason.UNSUPPORTED_FORMAT),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Reason.UNSUPPORTED_FORMAT),
        (bytes(1000), Reason.UNSUPPORTED_FORMAT),
        (b"\x89PNG\r\n\x1a\n", Reason.UNREADABLE),
        (FILES["BMP"][:12], Reason.UNREADABLE),
        (FILES["GIF"][:12], Reason.UNREADABLE),
        (FILES["PNG"][:-40], Reason.TRUNCATED),
        (FILES["JPEG"][:-10], Reason.TRUNCATED),
        (FILES["TIFF"][:-300], Reason.TRUNCATED),
        (FILES["GIF"][:-300], Reason.TRUNCATED),
        (FILES["BMP"][:-10], Reason.TRUNCATED),
        (FILES["WEBP"][:-10], Reason.TRUNCATED),
        (png(40, 40, bytes(400)), Reason.TRUNCATED),
        (png(40, 40, bytes(41 * 39)), Reason.TRUNCATED),
        (png(1, 40, bytes(2)), Reason.TRUNCATED),
        (FILES["PNG"].replace(b"IDAT", b"IDAT\xff"), Reason.UNREADABLE),
        (png(4, 4, b"\x09abcd" * 4), Reason.UNREADABLE),
        (png(100_000, 100_000, b"\0"), Reason.TOO_LARGE),
        (png(0, 5, b"\0"), Reason.UNREADABLE),
    ],
)
def test_bytes_without_a_picture_have_their_reason(data: bytes, reason: Reason) -> None:
    with pytest.raises(Undecodable) as error:
        decode(data)
    assert error.value.reason == reason
    assert error.value.detail


def assert_pictures_or_a_reason(data: bytes) -> None:
    """Check what `pages` promises of every file."""
    found = list(pages(data))
    assert found
    if not begins_like_pdf(data):  # whose pages stand for themselves
        assert not any(isinstance(page, Undecodable) for page in found[:-1])
    for page in found:
        if not isinstance(page, Undecodable):
            assert page.pixels.dtype == np.uint8
            assert page.pixels.size
            assert page.pixels.ndim == 2 or page.pixels.shape[2] in (3, 4)


@given(st.binary(max_size=300), st.sampled_from([b"", *(data[:16] for data in FILES.values())]))
def test_any_bytes_give_pictures_or_a_reason(data: bytes, start: bytes) -> None:
    assert_pictures_or_a_reason(start + data)


@settings(max_examples=400)
@given(
    st.sampled_from(list(FILES)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    st.integers(0, 200),
)
def test_any_damage_to_a_file_gives_pictures_or_a_reason(
    name: str, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(FILES[name])
    for position, value in changes:
        data[position % len(data)] = value
    assert_pictures_or_a_reason(bytes(data[: len(data) - cut]))


def test_a_reason_crosses_to_another_process_whole() -> None:
    error = Undecodable(Reason.TOO_LARGE, "why", 7, 8)
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (arrived.reason, arrived.detail, str(arrived)) == (Reason.TOO_LARGE, "why", str(error))
    assert (arrived.size, arrived.mtime_ns) == (7, 8)
