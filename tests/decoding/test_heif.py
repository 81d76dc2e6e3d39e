"""HEIC and HEIF photos are upright pictures as the phone meant them, or have their reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.decoding.decode import decode, pages
from tasks.decoding.heif import begins_like_heif
from tasks.decoding.limits import MAX_PAGES
from tasks.outcomes import Reason, Undecodable
from tests.bars import bar, encoded
from tests.decoding.test_decode import assert_pictures_or_a_reason
from tests.heifs import deep_heif, heif, sizes

Y, X = np.mgrid[:72, :96]
GREY = (127 + 60 * np.sin(X / 9) + 60 * np.cos(Y / 7)).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
RGBA = np.dstack([RGB, np.where(X < 30, 255, 0).astype(np.uint8)])
FILE = heif(RGB)
TURNS = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.swapaxes(p, 0, 1),
    6: lambda p: np.rot90(p, 3),
    7: lambda p: np.swapaxes(np.rot90(p, 2), 0, 1),
    8: lambda p: np.rot90(p, 1),
}


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether pictures are the same but for the changing of their colours."""
    return one.shape == other.shape and np.abs(one.astype(int) - other).max() <= 4


@pytest.mark.parametrize("pixels", [GREY, RGB, RGBA])
def test_a_photo_has_the_pixels_that_were_saved(pixels: np.ndarray) -> None:
    picture = decode(heif(pixels))
    assert near(picture.pixels, pixels)
    assert (picture.width, picture.height) == (96, 72)


@pytest.mark.parametrize("orientation", TURNS)
def test_a_photo_is_turned_once_as_the_phone_was_held(orientation: int) -> None:
    picture = decode(heif(RGB, orientation=orientation))
    assert near(picture.pixels, TURNS[orientation](RGB))
    assert (picture.height, picture.width) == picture.pixels.shape[:2]


def test_ten_bits_are_scaled_to_eight() -> None:
    assert near(decode(deep_heif(RGB.astype(np.uint16) * 257)).pixels, RGB)


def test_a_photo_reads_as_the_same_picture_in_a_png() -> None:
    paper = np.full((120, 90), 240, np.uint8)
    paper[30:58, 30:58] -= bar(3) // 2
    form = decode(heif(paper)).prepared().form
    same = decode(encoded(paper)).prepared().form
    assert np.abs(form.astype(int) - same).mean() < 1


def test_every_picture_of_a_file_is_a_page_and_its_thumbnails_are_none() -> None:
    wide = np.ascontiguousarray(GREY[:64])
    found = pages(heif(GREY, wide, GREY, thumbnails=[32]))
    assert [page.pixels.shape for page in found] == [(72, 96), (64, 96), (72, 96)]


def test_pictures_after_the_limit_are_one_reason() -> None:
    small = np.ascontiguousarray(GREY[:64, :64])
    *read, last = pages(heif(*[small] * (MAX_PAGES + 3), quality=10))
    assert len(read) == MAX_PAGES
    assert (last.reason, last.detail) == (Reason.TOO_LARGE, "103 pages, limit 100")


def test_the_first_bytes_tell_a_photo_whatever_its_name() -> None:
    assert begins_like_heif(FILE)
    assert not begins_like_heif(encoded(RGB, "AVIF"))
    assert not begins_like_heif(encoded(RGB))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (FILE[:-10], Reason.TRUNCATED),
        (FILE[:300], Reason.TRUNCATED),
        (FILE[:100], Reason.TRUNCATED),
        (FILE[:24] + bytes(200), Reason.UNREADABLE),
        (sizes(FILE, 9000, 9000), Reason.TOO_LARGE),
        (sizes(FILE, 6400, 6400), Reason.TOO_LARGE),
        (sizes(FILE, 16, 16), Reason.UNREADABLE),
        (sizes(FILE, 200, 200), Reason.UNREADABLE),
        (FILE.replace(b"hvc1", b"vvc1"), Reason.UNSUPPORTED_FORMAT),
    ],
)
def test_what_cannot_be_read_has_its_reason(data: bytes, reason: Reason) -> None:
    [found] = pages(data)
    assert isinstance(found, Undecodable)
    assert found.reason == reason
    assert found.detail
    assert "\n" not in found.detail


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, len(FILE)), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 200),
)
def test_any_damage_gives_pictures_or_a_reason(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(FILE)
    for position, value in changes:
        data[position % len(data)] = value
    assert_pictures_or_a_reason(bytes(data[: len(data) - cut]))
