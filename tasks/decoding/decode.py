"""The bytes of a file into upright 8-bit pictures, one for each page, or the reason why not.

The format is found in the content; the name of a file is never looked at. Large JPEG pictures are
decoded at a half, a quarter or an eighth of their size, where the canonical form would average that
much away in any case, and without their colours, which it seldom asks for. Pillow reads every
header and says what is wrong; the pixels of PNG and of whole JPEG come from OpenCV, which takes
less time to the same ones.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError
from PIL.ExifTags import Base

from tasks.decoding import heif, pdf, png_batch
from tasks.decoding.decode_memory import bytes_a_pixel
from tasks.decoding.known_formats import name_of
from tasks.decoding.limits import MAX_PAGES, MAX_PIXELS, too_large
from tasks.decoding.pixels import SIDEWAYS, Pixels, eight_bit, orientation
from tasks.errors import error_text
from tasks.imaging.background import WORK_SIDE
from tasks.imaging.canonical import prepared
from tasks.imaging.form import Prepared
from tasks.outcomes import Reason, Undecodable

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
ALSO_FORMATS = ("DIB", "PPM", "ICO", "JPEG2000", "AVIF", "PCX", "TGA")
MAGIC = (
    b"\x89PNG",
    b"\xff\xd8",
    b"BM",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"RIFF",
)  # of FORMATS: content that begins so was meant to be a picture
REDUCTIONS = (8, 4, 2)  # of each side: what a JPEG decoder can leave out, most first
ENDS_EARLY = ("truncated", "not enough", "end of file", "cannot read full")  # say decoders
JPEG_END = b"\xff\xd9"
OPENCV_TURNS = {
    1: None,
    3: cv2.ROTATE_180,
    6: cv2.ROTATE_90_CLOCKWISE,
    8: cv2.ROTATE_90_COUNTERCLOCKWISE,
}  # by EXIF's orientation; those that mirror, too, are Pillow's
OPENCV_REDUCED = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
# Pillow refuses more than twice as many, also of the picture inside an icon
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2


class Picture(NamedTuple):
    """A decoded page."""

    pixels: Pixels  # upright: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA
    width: int  # px in the file, upright; the pixels may be fewer, of the same shape
    height: int
    colour: Callable[[], Pixels | None] | None = None  # decodes it again, where they are its light
    whole: Callable[[], Pixels | None] | None = None  # decodes its light as large as in the file

    @property
    def side(self) -> int:
        """Return the px of the longer side in the file."""
        return max(self.width, self.height)

    def prepared(self) -> Prepared:
        """Return its canonical form, (28, 28), the facts, in px of the file, and other ways."""
        return prepared(self.pixels, self.side, self.colour, self.whole)

    def shown(self) -> Pixels:
        """Return the pixels as a person has to see them: in colour, if there is any."""
        coloured = self.colour() if self.colour else None
        return self.pixels if coloured is None else coloured


def decode(data: bytes) -> Picture:
    """Return the first page of a picture file.

    Raises:
        Undecodable: with the reason code and a detail.
    """
    first = next(pages(data))
    if isinstance(first, Undecodable):
        raise first
    return first


def pages(data: bytes) -> Iterator[Picture | Undecodable]:
    """Yield every page of a picture file, at least one value.

    A page that cannot be decoded is yielded as its reason and ends the file; so does the page
    after MAX_PAGES.
    """
    yield from pages_of(data, png_batch.unpacked(data, MAX_PIXELS))


def pages_of(data: bytes, packed: png_batch.Packed | None) -> Iterator[Picture | Undecodable]:
    """Yield the same; what `png.unpacked` says of the data is known already."""
    if packed:
        # four times as fast as Pillow
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is not None and picture.dtype == np.uint8:
            plain = picture if packed.channels == 1 else picture[..., ::-1]
            upright = np.asarray(plain, np.uint8, order="C")
            yield Picture(upright, packed.width, packed.height)
            return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata; the pixels decide
            yield from _found(data)
    except Undecodable as error:
        yield error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, IndexError, ...
        yield Undecodable(_reason_of(error, data), error_text(error))


def _found(data: bytes) -> Iterator[Picture | Undecodable]:
    if not data:
        raise Undecodable(Reason.EMPTY_FILE, "0 bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS + ALSO_FORMATS)
    except UnidentifiedImageError:
        image = None
    if image:
        with image:
            yield from _frames(image, data)
        return
    for page in _of_others(data):
        if isinstance(page, Undecodable):
            yield page
        else:
            yield Picture(page, page.shape[1], page.shape[0])


def _of_others(data: bytes) -> Iterator[Pixels | Undecodable]:
    """Return the pages of a file that Pillow does not know.

    Raises:
        Undecodable: neither does any other library of ours.
    """
    if heif.begins_like_heif(data):
        return heif.photos(data)
    if pdf.begins_like_pdf(data):
        return pdf.sheets(data)
    if name := name_of(data):
        raise Undecodable(Reason.UNSUPPORTED_FORMAT, name)
    if data.startswith(MAGIC) or data[4:11] == b"ftypavi":
        detail = f"begins like a picture, but has no usable header ({len(data)} bytes)"
        raise Undecodable(Reason.UNREADABLE, detail)
    raise Undecodable(Reason.UNSUPPORTED_FORMAT, f"content begins with {data[:8]!r}")


def _frames(image: Image.Image, data: bytes) -> Iterator[Picture | Undecodable]:
    # the further pictures of a phone's MPO are previews and depth maps of the same photo
    frames = [image] if image.format == "MPO" else ImageSequence.Iterator(image)
    for number, frame in enumerate(frames):
        if number == MAX_PAGES:
            yield Undecodable(Reason.TOO_LARGE, f"more than {MAX_PAGES} pages")
            return
        memory = frame.width * frame.height * bytes_a_pixel(frame)
        kind = f"{frame.format} of mode {frame.mode}"
        if detail := too_large(frame.width, frame.height, memory, kind):
            yield Undecodable(Reason.TOO_LARGE, detail)
            return
        jpeg = _by_opencv(frame, data) if image.format in ("JPEG", "MPO") else None
        picture = jpeg or _by_pillow(frame)
        if number == 0 and image.format == "PNG" and png_batch.lacks_rows(data):
            yield Undecodable(Reason.TRUNCATED, "fewer rows than its header says")
            return
        yield picture


def _by_pillow(frame: Image.Image) -> Picture:
    size = frame.size
    reduced = _reduce(frame)
    frame.load()
    width, height = size if reduced else frame.size  # an icon's is known by then
    turn = orientation(frame)
    if turn in SIDEWAYS:
        width, height = height, width
    return Picture(eight_bit(frame, turn), width, height)


def _reduce(image: Image.Image) -> bool:
    """Let a JPEG decoder leave out what the canonical form does not look at; tell whether it does.

    Scaling belongs to the inverse transform (libjpeg's `scale_denom`): a block of 8 by 8 px becomes
    4 by 4, 2 by 2 or one.
    """
    factor = _reduction(image)
    if factor == 1:
        return False
    wanted = (max(1, image.width // factor), max(1, image.height // factor))
    return image.draft(None, wanted) is not None


def _reduction(image: Image.Image) -> int:
    longer, shorter = max(image.size), min(image.size)
    return next((f for f in REDUCTIONS if longer >= f * WORK_SIDE and shorter >= f), 1)


def _by_opencv(image: Image.Image, data: bytes) -> Picture | None:
    """A JPEG picture's light, and its colours on demand; None where Pillow has to say more.

    Both decode by libjpeg and to the same pixels; Pillow takes half as long again.
    """
    whole = data.rstrip(b"\0").endswith(JPEG_END)
    turned = image.getexif().get(Base.Orientation, 1)
    if not whole or image.mode not in ("L", "RGB") or turned not in OPENCV_TURNS:
        return None
    flags = OPENCV_REDUCED[_reduction(image)] | cv2.IMREAD_IGNORE_ORIENTATION
    turn = OPENCV_TURNS[turned]
    pixels = _jpeg(data, flags, turn)
    if pixels is None:
        return None
    in_colour = partial(_jpeg, data, flags | cv2.IMREAD_COLOR_RGB, turn)
    size = image.size if turn in (None, cv2.ROTATE_180) else image.size[::-1]
    reduced = max(pixels.shape) < max(size)
    full_size = partial(_jpeg, data, OPENCV_REDUCED[1] | cv2.IMREAD_IGNORE_ORIENTATION, turn)
    return Picture(
        pixels,
        *size,
        colour=in_colour if image.mode == "RGB" else None,
        whole=full_size if reduced else None,
    )


def _jpeg(data: bytes, flags: int, turn: int | None) -> Pixels | None:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is not None and turn is not None:
        pixels = cv2.rotate(pixels, turn)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _reason_of(error: Exception, data: bytes) -> Reason:
    text = str(error).lower()
    if isinstance(error, (MemoryError, Image.DecompressionBombError)):
        return Reason.TOO_LARGE
    if isinstance(error, EOFError) or any(said in text for said in ENDS_EARLY):
        return Reason.TRUNCATED
    if data.startswith(b"RIFF") and len(data) < 8 + int.from_bytes(data[4:8], "little"):
        return Reason.TRUNCATED  # WebP's decoder does not say so
    return Reason.UNREADABLE
