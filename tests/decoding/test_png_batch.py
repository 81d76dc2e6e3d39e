"""What is decoded here is what OpenCV decodes; everything else is left to the decoders."""

import io
import struct
import time
import tracemalloc
import zlib
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tasks.decoding import png_batch
from tasks.decoding.png_batch import CHUNKS, HEADER_END, SMALL
from tests.bars import encoded

Pixels = NDArray[np.uint8]

START = b"\x89PNG\r\n\x1a\n"
LIMIT = 10_000  # pixels
GREYS = arrays(np.uint8, st.tuples(st.integers(1, SMALL), st.integers(1, SMALL)))
DIGIT = np.random.default_rng(1).integers(0, 256, (28, 28), np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int, end: bytes = png_batch.GREY) -> bytes:
    """Return the first chunk."""
    return chunk(b"IHDR", struct.pack(">II", width, height) + end)


def file_of(picture: Pixels, filters: list[int], *between: bytes, pieces: int = 1) -> bytes:
    """Return a grey PNG whose rows have the filters given, one after the other, as is specified."""
    rows, above = b"", np.zeros(picture.shape[1], int)
    for number, row in enumerate(picture.astype(int)):
        left, corner = np.append(0, row[:-1]), np.append(0, above[:-1])
        which = filters[number % len(filters)]
        guess = [0, left, above, (left + above) // 2, _paeth(left, above, corner)][which]
        rows += bytes([which]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    packed = zlib.compress(rows)
    size = -(-len(packed) // pieces)
    parts = [chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size)]
    start = START + header(*picture.shape[::-1])
    return b"".join([start, *between, *parts, chunk(b"IEND", b"")])


def _paeth(left: Any, above: Any, corner: Any) -> Any:
    guess = left + above - corner
    far_left, far_above, far = abs(guess - left), abs(guess - above), abs(guess - corner)
    nearest = np.where(far_above <= far, above, corner)
    return np.where((far_left <= far_above) & (far_left <= far), left, nearest)


def seen(data: bytes) -> Pixels | None:
    """Return the picture that is decoded here, if it is."""
    packed = png_batch.unpacked(data, LIMIT)
    return png_batch.pictures([packed])[0] if packed and png_batch.is_small(packed) else None


def opencv(data: bytes) -> Pixels | None:
    """Return what OpenCV decodes."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return None if picture is None else np.asarray(picture, np.uint8)


@settings(deadline=None)
@given(GREYS, st.integers(0, 9), st.booleans())
def test_any_small_grey_png_of_pillow_and_opencv_gives_its_pixels_or_is_left(
    picture: Pixels, level: int, pillow: bool
) -> None:
    data = (
        encoded(picture, compress_level=level)
        if pillow
        else cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes()
    )
    assert png_batch.unpacked(data, LIMIT)
    found = seen(data)
    assert found is None or np.array_equal(found, picture)


@settings(deadline=None)
@given(GREYS, st.lists(st.integers(0, 2), min_size=1, max_size=5), st.integers(1, 3))
def test_rows_without_filter_or_that_look_at_one_neighbour_are_decoded(
    picture: Pixels, filters: list[int], pieces: int
) -> None:
    data = file_of(picture, filters, pieces=pieces)
    assert np.array_equal(opencv(data), picture)
    assert np.array_equal(seen(data), picture)


@pytest.mark.parametrize("filters", list(product(range(5), repeat=2)))
def test_every_two_filters_together_are_decoded_as_opencv_does_or_left(
    filters: tuple[int, int],
) -> None:
    data = file_of(DIGIT, list(filters))
    assert np.array_equal(opencv(data), DIGIT)
    found = seen(data)
    assert (found is None) == (max(filters) > 2)
    assert found is None or np.array_equal(found, DIGIT)


@pytest.mark.parametrize("shape", [(1, 1), (1, SMALL), (SMALL, 1), (SMALL, SMALL), (3, 17)])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_pictures_of_one_row_or_one_column_are_decoded(shape: tuple[int, int], which: int) -> None:
    picture = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    assert np.array_equal(seen(file_of(picture, [which])), picture)


def test_pictures_of_many_shapes_and_filters_are_decoded_together_in_their_order() -> None:
    random = np.random.default_rng(3)
    shapes, wrote = [(28, 28), (5, 9), (9, 5)], []
    packed = []
    for number in range(60):
        picture = random.integers(0, 256, shapes[number % 3], np.uint8)
        whole = png_batch.unpacked(file_of(picture, [number % 5, number % 2]), LIMIT)
        assert whole
        packed.append(whole)
        wrote.append(picture)
    found = png_batch.pictures(packed)
    for number, (picture, expected) in enumerate(zip(found, wrote, strict=True)):
        if number % 5 > 2:
            assert picture is None
        else:
            assert np.array_equal(picture, expected)
    assert png_batch.pictures([]) == []


def test_plain_colour_and_larger_pictures_are_known_to_be_whole_but_not_small() -> None:
    for shape in ((28, 28, 3), (SMALL + 1, 2), (2, SMALL + 1)):
        packed = png_batch.unpacked(encoded(np.full(shape, 7, np.uint8)), LIMIT)
        assert packed is not None
        assert not png_batch.is_small(packed)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "1"},
        {"mode": "P"},
        {"mode": "LA"},
        {"mode": "RGBA"},
        {"mode": "I;16"},
        {"transparency": 0},
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"},
        {"icc_profile": b"profile"},
        {"save_all": True, "append_images": [Image.new("L", (28, 28), 9)]},
    ],
)
def test_whatever_changes_pixels_is_left_to_the_decoders(options: dict[str, Any]) -> None:
    mode = options.pop("mode", "L")
    file = io.BytesIO()
    Image.fromarray(DIGIT).convert(mode).save(file, "PNG", **options)
    assert png_batch.unpacked(file.getvalue(), LIMIT) is None


def test_an_interlaced_picture_is_left_to_the_decoders() -> None:
    data = START + header(28, 28, png_batch.GREY[:-1] + b"\1") + file_of(DIGIT, [0])[HEADER_END:]
    assert png_batch.unpacked(data, LIMIT) is None


def test_pixels_that_are_not_in_one_row_of_chunks_are_decoded_as_opencv_does() -> None:
    whole = file_of(DIGIT, [1], pieces=2)
    middle = whole.rindex(b"IDAT") - 4
    apart = whole[:middle] + chunk(b"tEXt", b"Title\0three") + whole[middle:]
    found, expected = seen(apart), opencv(apart)
    assert found is None or (expected is not None and np.array_equal(found, expected))


def test_words_about_a_picture_do_not_matter() -> None:
    info = PngInfo()
    info.add_text("Title", "three")
    data = encoded(DIGIT, pnginfo=info, dpi=(300, 300))
    assert png_batch.unpacked(data, LIMIT)
    stamped = file_of(DIGIT, [1], chunk(b"tIME", bytes(7)), chunk(b"sRGB", b"\0"))
    assert np.array_equal(seen(stamped), DIGIT)
    gamma = file_of(DIGIT, [1], chunk(b"gAMA", struct.pack(">I", 20_000)))
    assert np.array_equal(seen(gamma), opencv(gamma))


GOOD = file_of(DIGIT, [1])
FORGED = {
    "nothing": b"",
    "only a start": START,
    "no start": b"x" + GOOD[1:],
    "no end": GOOD[:-12],
    "cut in its pixels": GOOD[:300],
    "wrong checksum of pixels": GOOD[:100] + bytes([GOOD[100] ^ 1]) + GOOD[101:],
    "wrong checksum of the header": GOOD[:31] + bytes([GOOD[31] ^ 1]) + GOOD[32:],
    "too many pixels": START + header(LIMIT, LIMIT) + GOOD[HEADER_END:],
    "no pixels": START + header(0, 28) + GOOD[HEADER_END:],
    "higher than its rows": START + header(28, 29) + GOOD[HEADER_END:],
    "lower than its rows": START + header(28, 27) + GOOD[HEADER_END:],
    "wider than its rows": START + header(29, 28) + GOOD[HEADER_END:],
    "unknown filter": START
    + header(2, 1)
    + chunk(b"IDAT", zlib.compress(b"\5ab"))
    + chunk(b"IEND", b""),
    "rows that are not packed": START
    + header(2, 1)
    + chunk(b"IDAT", b"\0ab")
    + chunk(b"IEND", b""),
    "a chunk that nobody knows": file_of(DIGIT, [1], chunk(b"quIz", b"")),
    "a chunk that reaches beyond the end": START
    + header(28, 28)
    + struct.pack(">I", 2**31 - 1)
    + b"IDAT"
    + b"abc",
    "a header that comes second": START
    + chunk(b"tEXt", struct.pack(">II", 28, 28) + png_batch.GREY)
    + GOOD[len(START) :],
    "no header, but a word that looks like one": START
    + chunk(b"tEXt", struct.pack(">II", 28, 28) + png_batch.GREY)
    + GOOD[HEADER_END:],
    "a header that is too long": START
    + chunk(b"IHDR", struct.pack(">II", 28, 28) + png_batch.GREY + b"\0")
    + GOOD[HEADER_END:],
    "a second header": file_of(DIGIT, [1], header(28, 28)),
    "an end with content": GOOD[:-12] + chunk(b"IEND", b"?"),
    "an end with a wrong checksum": GOOD[:-1] + b"?",
}


@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED)
def test_forged_and_damaged_files_are_left_to_the_decoders(data: bytes) -> None:
    assert png_batch.unpacked(data, LIMIT) is None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 255)), max_size=3),
    st.integers(0, 60),
    st.binary(max_size=20),
)
def test_any_damage_is_left_to_the_decoders_or_decoded_as_opencv_does(
    changes: list[tuple[int, int]], cut: int, added: bytes
) -> None:
    data = bytearray(GOOD)
    for position, value in changes:
        data[position % len(data)] = value
    damaged = bytes(data[: len(data) - cut]) + added
    found = seen(damaged)
    assert found is None or np.array_equal(found, opencv(damaged))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([b"IHDR", b"IEND", *sorted(CHUNKS)]), st.binary(max_size=30)),
        max_size=4,
    )
)
def test_any_chunks_of_known_names_are_left_or_decoded_as_opencv_does(
    chunks: list[tuple[bytes, bytes]],
) -> None:
    data = file_of(DIGIT, [2], *(chunk(name, content) for name, content in chunks))
    found = seen(data)
    assert found is None or np.array_equal(found, opencv(data))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (13, 7), (300, 200)])
def test_a_png_of_any_kind_lacks_rows_only_if_its_header_says_more(
    mode: str, size: tuple[int, int]
) -> None:
    file = io.BytesIO()
    Image.new("RGBA", size, (200, 100, 50, 9)).convert(mode).save(file, "PNG")
    whole = file.getvalue()
    assert not png_batch.lacks_rows(whole)
    width, height = size
    for higher in (height + 1, height * 9):
        assert png_batch.lacks_rows(
            START + header(width, higher, whole[24:29]) + whole[HEADER_END:]
        )


def test_rows_in_many_pieces_are_all_counted() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1500, 1500), np.uint8)
    data = file_of(noise[:, :1000], [0], pieces=7)
    assert not png_batch.lacks_rows(data)
    assert png_batch.lacks_rows(START + header(1000, 1501) + data[HEADER_END:])


def test_rows_in_tens_of_thousands_of_pieces_are_joined_in_no_time() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2800, 2800), np.uint8)
    rows = np.insert(noise, 0, 0, axis=1).tobytes()
    packed = zlib.compress(rows, 0)
    pieces = [chunk(b"IDAT", packed[at : at + 100]) for at in range(0, len(packed), 100)]
    data = b"".join([START, header(2800, 2800), *pieces, chunk(b"IEND", b"")])
    start = time.process_time()
    whole = png_batch.unpacked(data, noise.size)
    spent = time.process_time() - start
    assert len(pieces) > 78_000
    assert whole
    assert bytes(whole.rows) == rows
    # a tenth of a second by far; half a minute where each piece copies those before it
    assert spent < 5


def test_more_packed_bytes_than_the_rows_can_need_are_left_to_the_decoders() -> None:
    data = GOOD.removesuffix(png_batch.END) + chunk(b"IDAT", bytes(200_000)) + png_batch.END
    assert png_batch.unpacked(data, LIMIT) is None


def test_rows_that_fill_a_large_part_of_memory_are_left_to_a_decoder_that_holds_them_once() -> None:
    side = 4097
    data = START + header(side, side) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert side * (side + 1) > png_batch.LARGE
    assert png_batch.unpacked(data, side * side) is None


def test_rows_are_counted_without_a_copy_of_what_is_packed() -> None:
    packed = zlib.compress(bytes(1) + np.random.default_rng(1).bytes(2**24), 0)
    data = START + header(2**24, 2) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    tracemalloc.start()
    try:
        assert png_batch.lacks_rows(data)
        assert tracemalloc.get_traced_memory()[1] < 4 * png_batch.PIECE
    finally:
        tracemalloc.stop()
