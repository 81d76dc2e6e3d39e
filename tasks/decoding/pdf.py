"""PDF files page by page, as scanners make them: each page as a picture, by PDFium.

A scan comes at its own resolution, neither finer nor coarser; what was written or drawn in the file
comes as if it was printed and scanned.
"""

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

from tasks.decoding.limits import MAX_MEMORY, MAX_PAGES, too_large
from tasks.decoding.memory_limit import at_most
from tasks.decoding.pixels import Pixels
from tasks.imaging.background import WORK_SIDE
from tasks.outcomes import Reason, Undecodable

START = b"%PDF-"
BEFORE_START = b"\xef\xbb\xbf\0 \t\r\n"  # what some programs put before it
END, END_WITHIN = b"%%EOF", 1024  # bytes, as Acrobat looks for it
ENCRYPTED = b"/Encrypt"  # in plain text wherever a file is
POINT_DPI = 72  # points of a page in an inch
PRINTED = 200 / POINT_DPI  # px of a point, of what is no scan
LONGEST = 3600  # px: A4 at 300 dpi; finer scans are reduced to it
SCANNED = 0.5  # share of a page that its pictures cover, from which it is a scan
BACKGROUND = 0.1  # share of a page: smaller pictures do not say how fine it is
ROUNDED = (
    1 - 1e-5
)  # so that a page whose size is not quite a whole number of px gets no more of them
JPEG, JPEG2000 = "DCTDecode", "JPXDecode"  # filters of pictures
JPEG_END = b"\xff\xd9"
# Bytes that PDFium takes at most for a pixel of a picture in a page, with its transparency, and
# both of us for one of the page; `tests/decoder_peaks.py` measures them.
OF_PICTURE, OF_JPEG, OF_JPEG2000, OF_PAGE = 6, 7, 14, 6


def begins_like_pdf(data: bytes) -> bool:
    """Tell whether a file is a PDF by its first bytes, whatever its name."""
    return data[:1024].lstrip(BEFORE_START).startswith(START)


def sheets(data: bytes) -> Iterator[Pixels | Undecodable]:
    """Yield each page upright, (H, W) grey or (H, W, 3) RGB, or why it cannot be had.

    Pages follow a damaged one: each stands for itself. Those after MAX_PAGES are one reason. What
    unpacks to more than MAX_MEMORY, and is no picture that says so, ends the process.

    Raises:
        Undecodable: the file cannot be opened.
    """
    import pypdfium2

    if END not in data.rstrip(BEFORE_START)[-END_WITHIN:]:
        raise Undecodable(Reason.TRUNCATED, f"a PDF without its end ({END.decode()})")
    try:
        with at_most(MAX_MEMORY):
            opened = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _refusal(error.err_code, data) from None
    with opened as document:
        document.init_forms()  # what was filled in
        for number in range(min(len(document), MAX_PAGES)):
            try:
                with at_most(MAX_MEMORY), closing(document[number]) as page:
                    pixels = _rendered(page)
                yield pixels
            except Undecodable as error:
                yield error
            except (pypdfium2.PdfiumError, ValueError, MemoryError) as error:
                yield Undecodable(Reason.UNREADABLE, f"{type(error).__name__}: {error}")
        if len(document) > MAX_PAGES:
            detail = f"{len(document):,} pages, limit {MAX_PAGES}"
            yield Undecodable(Reason.TOO_LARGE, detail)


def _refusal(code: int, data: bytes) -> Undecodable:
    """Return why a file cannot be opened; of one without pages PDFium gives the code of before."""
    from pypdfium2 import raw

    if ENCRYPTED in data and code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return Undecodable(Reason.ENCRYPTED, "a PDF that only opens with a password")
    return Undecodable(Reason.UNREADABLE, "a PDF that is damaged or has no pages")


def _rendered(page: Any) -> Pixels:
    """Return the pixels of a page.

    Raises:
        Undecodable: it is too large, or a picture in it is damaged.
    """
    pictures = pictures_in(page)
    scale = scale_of(page, pictures)
    for picture in pictures:
        width, height = picture.get_px_size()
        memory = memory_of(picture) + memory_of_page(page, scale)
        if detail := too_large(width, height, memory, "a picture in a PDF"):
            raise Undecodable(Reason.TOO_LARGE, detail)
        if picture.get_filters() == [JPEG]:
            _check_end(picture)
    bitmap = page.render(scale=scale, rev_byteorder=True, limit_image_cache=True)
    pixels: Pixels = np.array(bitmap.to_numpy()[..., :3])  # its own memory goes when it goes
    if pixels.min() == pixels.max():
        _check_decodable(pictures)
    red = pixels[..., 0]
    grey = np.array_equal(red, pixels[..., 1]) and np.array_equal(red, pixels[..., 2])
    return np.ascontiguousarray(red) if grey else pixels


def memory_of(picture: Any) -> int:
    """Return the bytes that decoding a picture in a page takes, at most, by its header."""
    kinds = {JPEG: OF_JPEG, JPEG2000: OF_JPEG2000}
    width, height = picture.get_px_size()
    of_kind = (kinds.get(name, OF_PICTURE) for name in picture.get_filters())
    return int(width * height * max(of_kind, default=OF_PICTURE))


def memory_of_page(page: Any, scale: float) -> int:
    """Return the bytes that rendering a page takes beside its pictures, at most."""
    width, height = page.get_size()
    return int(width * scale * height * scale * OF_PAGE)


def pictures_in(page: Any) -> list[Any]:
    """Return the pictures that lie in a page, also in groups."""
    from pypdfium2 import raw

    return list(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE]))


def scale_of(page: Any, pictures: list[Any]) -> float:
    """Return the px of a point: a scan's own, or those of a printed page."""
    width, height = page.get_size()
    finest = covered = 0.0
    for picture in pictures:
        across, down, area = _extent(picture)
        share = area / (width * height)
        covered += share
        if share >= BACKGROUND:
            columns, rows = picture.get_px_size()
            finest = max(finest, columns / across, rows / down)
    longest = max(width, height)
    if covered < SCANNED or finest < 1:
        finest = max(finest, PRINTED, WORK_SIDE / longest)
    return float(min(finest, LONGEST / longest)) * ROUNDED


def _extent(picture: Any) -> tuple[float, float, float]:
    """Return how wide and how high a picture stands on its page, and its area, in points."""
    matrix, container = picture.get_matrix(), picture.container
    while container:  # a group that is placed as a whole
        matrix, container = matrix.multiply(container.get_matrix()), container.container
    a, b, c, d, *_ = matrix.get()
    return math.hypot(a, b), math.hypot(c, d), abs(a * d - b * c)


def _check_end(picture: Any) -> None:
    data = bytes(picture.get_data())
    if not data.rstrip(BEFORE_START).endswith(JPEG_END):
        raise Undecodable(Reason.TRUNCATED, "a picture in the page ends before its data does")


def _check_decodable(pictures: list[Any]) -> None:
    """Tell a page whose picture cannot be decoded from one that is empty."""
    import pypdfium2

    for picture in pictures:
        try:
            picture.get_bitmap()
        except pypdfium2.PdfiumError:
            detail = "a picture in the page cannot be decoded"
            raise Undecodable(Reason.UNREADABLE, detail) from None
