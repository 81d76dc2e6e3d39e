"""PDF files whose every byte is known: pages made of pictures and drawings, without compression."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HEAD = b"%PDF-1.4\n"


def pdf_of(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """Return a file with the objects 1, 2, ..., of which the first is its catalogue."""
    parts, places, length = [HEAD], [], len(HEAD)
    for number, content in enumerate(objects, 1):
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, content))
        places.append(length)
        length += len(parts[-1])
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    parts += [
        b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table),
        b"trailer\n<</Size %d/Root 1 0 R%b>>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, length),
    ]
    return b"".join(parts)


def stream(facts: bytes, data: bytes) -> bytes:
    """Return an object with data of its own."""
    return b"<<%b/Length %d>>stream\n%b\nendstream" % (facts, len(data), data)


def picture(pixels: NDArray[np.uint8]) -> bytes:
    """Return a grey or RGB picture as an object, without loss."""
    return picture_of(pixels.shape, zlib.compress(pixels.tobytes()))


def picture_of(shape: Sequence[int], data: bytes, filter: bytes = b"FlateDecode") -> bytes:
    """Return a picture as an object that says it has a shape, whatever its data are."""
    space = b"DeviceGray" if len(shape) == 2 else b"DeviceRGB"
    facts = (
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace/%b/Filter/%b"
    )
    return stream(facts % (shape[1], shape[0], space, filter), data)


Sheet = tuple[tuple[float, float], bytes, bytes]
"""A page: its width and height in points, what is drawn, and the object that is drawn as `I`."""


def document(
    *sheets: Sheet, more: bytes = b"", trailer: bytes = b"", others: Sequence[bytes] = ()
) -> bytes:
    """Return a file of pages.

    Args:
        sheets: the pages.
        more: entries of every page.
        trailer: entries of the trailer.
        others: more objects; of a file with one page they are the objects 6, 7, ...
    """
    kids = b" ".join(b"%d 0 R" % (3 + 3 * number) for number in range(len(sheets)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, len(sheets)),
    ]
    for (width, height), content, drawn in sheets:
        at = len(objects) + 1
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %f %f]/Contents %d 0 R%b"
        resources = b"/Resources<</XObject<</I %d 0 R>>>>>>" % (at + 2)
        objects += [page % (width, height, at + 1, more) + resources, stream(b"", content), drawn]
    return pdf_of([*objects, *others], trailer)


def scan(pixels: NDArray[np.uint8], dpi: float = 72) -> Sheet:
    """Return a page that is one picture."""
    height, width = (72 * side / dpi for side in pixels.shape[:2])
    return (width, height), b"q %f 0 0 %f 0 0 cm /I Do Q" % (width, height), picture(pixels)
