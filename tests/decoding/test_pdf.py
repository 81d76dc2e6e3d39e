"""Each page of a PDF is a picture as it was scanned or would be printed, or has its reason."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.decoding.decode import Picture, decode, pages
from tasks.decoding.limits import MAX_PAGES
from tasks.decoding.pdf import LONGEST
from tasks.outcomes import Reason, Undecodable
from tests.bars import bar, encoded
from tests.decoding.test_decode import GREY, RGB, assert_pictures_or_a_reason
from tests.pdfs import HEAD, Sheet, document, picture, picture_of, scan, stream

EMPTY_SHEET = ((30.0, 20.0), b"", b"null")
A4 = (595.0, 842.0)
SMALL = document(scan(GREY), scan(RGB))
# the key is made of the password, which nobody knows of a user's entry that is made up
LOCKED = b"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%b>/U<%b>>>" % (
    b"5a" * 32,
    b"a5" * 32,
)


def drawn(picture: bytes) -> Sheet:
    """Return a page that shows a picture, whatever its size."""
    return (30, 40), b"30 0 0 40 0 0 cm /I Do", picture


def outcome(found: Picture | Undecodable) -> Reason | tuple[int, ...]:
    """Return the reason, or the shape of the pixels."""
    return found.reason if isinstance(found, Undecodable) else found.pixels.shape


@pytest.mark.parametrize("pixels", [GREY, RGB])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_scan_has_the_pixels_that_were_scanned(pixels: np.ndarray, turn: int) -> None:
    [found] = pages(document(scan(pixels), more=b"/Rotate %d" % turn))
    assert np.array_equal(found.pixels, np.rot90(pixels, -turn // 90))
    assert (found.height, found.width) == found.pixels.shape[:2]


@pytest.mark.parametrize("dpi", [75, 96, 150, 200, 299, 300, 600, 1200])
@pytest.mark.parametrize("shape", [(40, 30), (137, 91), (351, 248)])
def test_a_scan_of_any_resolution_has_its_size_and_its_pixels_but_for_a_row(
    shape: tuple[int, int], dpi: int
) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]]
    smooth = (127 + 50 * np.sin(x / 9) + 50 * np.cos(y / 9)).astype(np.uint8)
    [found] = pages(document(scan(smooth, dpi)))
    assert found.pixels.shape == shape
    # PDFium may see the page as a row higher than it is, by the last bit of its size
    assert np.abs(found.pixels.astype(int) - smooth).max() <= 50 / 9 + 1


def test_a_scan_in_a_group_that_is_placed_as_a_whole_has_its_pixels_too() -> None:
    group = stream(
        b"/Type/XObject/Subtype/Form/BBox[0 0 300 400]/Resources<</XObject<</I 6 0 R>>>>",
        b"300 0 0 400 0 0 cm /I Do",
    )
    sheet = ((15, 20), b"0.05 0 0 0.05 0 0 cm /I Do", group)
    [found] = pages(document(sheet, others=[picture(RGB)]))
    assert np.array_equal(found.pixels, RGB)


def test_a_scan_reads_as_the_same_pixels_in_a_png() -> None:
    paper = np.full((120, 90), 240, np.uint8)
    paper[30:58, 30:58] -= bar(3) // 2
    form, ink, _ = decode(document(scan(paper))).prepared()
    same, same_ink, _ = decode(encoded(paper)).prepared()
    assert np.array_equal(form, same)
    assert ink == same_ink


def test_pages_come_in_order_each_with_its_own_size() -> None:
    greys = [np.full((8 + value, 9), value, np.uint8) for value in (10, 200, 90)]
    found = list(pages(document(*map(scan, greys))))
    assert [page.pixels.shape for page in found] == [grey.shape for grey in greys]
    assert [int(page.pixels[0, 0]) for page in found] == [10, 200, 90]


def test_pictures_that_pillow_saves_as_pages_are_scans_of_all_kinds() -> None:
    file = io.BytesIO()
    kinds = [Image.fromarray(RGB).convert(mode) for mode in ("1", "L", "RGB", "CMYK", "P")]
    kinds[0].save(file, "PDF", save_all=True, append_images=kinds[1:], resolution=120)
    found = list(pages(file.getvalue()))
    assert [page.pixels.shape[:2] for page in found] == [(40, 30)] * 5
    assert np.array_equal(found[0].pixels > 127, np.asarray(kinds[0]))
    assert np.abs(found[1].pixels.astype(int) - np.asarray(kinds[1])).mean() < 9


@pytest.mark.parametrize(
    ("size", "longest"), [((72, 36), 224), ((144, 144), 400), (A4, 2339), ((14400, 90), LONGEST)]
)
def test_what_is_drawn_comes_as_if_it_was_printed_and_scanned(
    size: tuple[float, float], longest: int
) -> None:
    width, height = size
    line = b"%f w 0 %f m %f %f l S" % (height / 4, height / 2, width, height / 2)
    [found] = pages(document((size, line, b"null")))
    assert max(found.pixels.shape) == longest
    assert (found.pixels < 128).mean() == pytest.approx(0.25, abs=0.05)


def test_ink_that_was_added_as_a_note_is_there() -> None:
    mark = stream(b"/Type/XObject/Subtype/Form/BBox[0 0 30 20]", b"0 0 10 20 re f")
    note = b"/Annots[<</Type/Annot/Subtype/Ink/F 4/Rect[0 0 30 20]/AP<</N 5 0 R>>>>]"
    [found] = pages(document(((30, 20), b"", mark), more=note))
    assert (found.pixels < 128).mean() == pytest.approx(1 / 3, abs=0.05)


def test_a_fine_scan_of_a_large_page_is_reduced_to_a_size_that_reading_looks_at() -> None:
    page = np.full((50, 5000), 255, np.uint8)
    page[:, 2000:2500] = 0
    [found] = pages(document(scan(page, 600)))
    assert found.pixels.shape == (36, LONGEST)
    assert (found.pixels < 128).mean() == pytest.approx(0.1, abs=0.01)


def test_an_empty_page_is_blank_and_not_damaged() -> None:
    [found] = pages(document(EMPTY_SHEET))
    assert found.prepared().ink.blank


def test_pages_after_the_limit_are_one_reason_that_counts_them() -> None:
    *read, last = pages(document(*[EMPTY_SHEET] * 10_000))
    assert len(read) == MAX_PAGES
    assert not any(isinstance(page, Undecodable) for page in read)
    assert (last.reason, last.detail) == (Reason.TOO_LARGE, "10,000 pages, limit 100")


def test_a_damaged_page_costs_itself_alone() -> None:
    damaged = drawn(picture_of((40, 30), b"no JPEG 2000", b"JPXDecode"))
    huge = drawn(picture_of((9000, 9000), zlib.compress(b"")))
    found = pages(document(scan(GREY), damaged, huge, scan(RGB)))
    assert list(map(outcome, found)) == [
        GREY.shape,
        Reason.UNREADABLE,
        Reason.TOO_LARGE,
        RGB.shape,
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document(scan(GREY), trailer=LOCKED), Reason.ENCRYPTED),
        (SMALL[: len(SMALL) // 2], Reason.TRUNCATED),
        (HEAD + bytes(100), Reason.TRUNCATED),
        (HEAD + b"%%EOF\n", Reason.UNREADABLE),
        (HEAD + b"not one object\n%%EOF\n", Reason.UNREADABLE),
        (document(), Reason.UNREADABLE),
        (
            document(drawn(picture_of((40, 30), encoded(GREY, "JPEG")[:-30], b"DCTDecode"))),
            Reason.TRUNCATED,
        ),
        (document(drawn(picture_of((5000, 5000, 3), b"", b"JPXDecode"))), Reason.TOO_LARGE),
    ],
)
def test_what_cannot_be_read_has_its_reason(data: bytes, reason: Reason) -> None:
    [found] = pages(data)
    assert isinstance(found, Undecodable)
    assert found.reason == reason
    assert found.detail


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n", b"\0\0"])
def test_what_programs_put_before_and_after_a_file_does_not_matter(before: bytes) -> None:
    [found] = pages(before + document(scan(GREY)) + b"\0" * 5000)
    assert np.array_equal(found.pixels, GREY)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, len(SMALL)), st.integers(0, 255)), max_size=8),
    st.integers(0, 200),
)
def test_any_damage_gives_pictures_or_reasons(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(SMALL)
    for position, value in changes:
        data[position % len(data)] = value
    assert_pictures_or_a_reason(bytes(data[: len(data) - cut]))
