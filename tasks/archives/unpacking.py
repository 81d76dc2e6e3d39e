"""Compressed bytes, unpacked at a cost that their own size bounds."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol

from tasks.outcomes import MAX_BYTES

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

RATIO = 250
"""Most bytes that are unpacked for each byte of an archive.

Simulated pages of 300 dpi with noise of 0.3 to 3 grey levels gave 3 to 26, by gzip, bzip2 and xz. A
page of a hundred digits without any noise gave 64 to 228 by gzip, a blank one 1,026, which is the
most that deflate can do.
"""
GZIP, RAW_DEFLATE = zlib.MAX_WBITS + 16, -zlib.MAX_WBITS  # forms of deflate, as zlib numbers them
PIECE = 2**14  # packed bytes; small, since what follows a short stream is copied for the next one
UNPACKED_PIECE = 2**17  # bytes
XZ_MEMORY = 128 * 2**20  # bytes; `xz -9` asks for 65 MiB, a forged file for 4 GiB


class Excessive(Exception):
    """Unpacking costs more than the packed bytes may; the message says what."""


class Damaged(Exception):
    """Packed bytes that unpack to nothing; the message is the decompressor's."""


class Decompressor(Protocol):
    """What `bz2.BZ2Decompressor`, `lzma.LZMADecompressor` and `Inflater` have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached, and its checksum was right."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes any more without further packed bytes."""

    @property
    def unused_data(self) -> bytes:
        """What was given and follows the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take packed bytes and return at most so many."""


class Inflater:
    """Deflate as a `Decompressor`: `zlib` hands back the packed bytes it had no room to unpack."""

    def __init__(self, form: int) -> None:
        """Take GZIP or RAW_DEFLATE."""
        self._stream = zlib.decompressobj(form)
        self._more = False  # the room was filled, so that more may be waiting inside

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached, and its checksum was right."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes any more without further packed bytes."""
        return not self._more

    @property
    def unused_data(self) -> bytes:
        """What was given and follows the end of the stream."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take packed bytes and return at most so many, one at least."""
        unpacked = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self._more = len(unpacked) == max_length
        return unpacked


def xz_decompressor() -> Decompressor:
    """Return one for .xz that asks for no more memory than XZ_MEMORY."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def gzip_decompressor() -> Decompressor:
    """Return one for .gz."""
    return Inflater(GZIP)


def bzip2_decompressor() -> Decompressor:
    """Return one for .bz2."""
    return bz2.BZ2Decompressor()


def allowance(packed: int) -> int:
    """Return how many bytes an archive of a size may unpack to; one picture always fits."""
    return max(MAX_BYTES, RATIO * packed)


def beyond(limit: int) -> str:
    """Return what is wrong with an archive that would unpack to more than its allowance."""
    return (
        f"unpacks to more than {limit:,} bytes, and an archive may to {RATIO} times its size or "
        f"{MAX_BYTES:,} bytes"
    )


def unpacked(decompressor: Decompressor, pieces: Iterator[bytes], limit: int) -> bytes:
    """Return what one stream unpacks to, at most `limit` bytes, in the memory that these take.

    Raises:
        Damaged: it is no such stream.
    """
    result = io.BytesIO()
    left = limit
    while left and not decompressor.eof:
        piece = next(pieces, b"") if decompressor.needs_input else b""
        if decompressor.needs_input and not piece:
            break
        try:
            data = decompressor.decompress(piece, min(UNPACKED_PIECE, left))
        except (zlib.error, OSError) as error:  # OSError is bz2's
            raise Damaged(str(error)) from None
        if decompressor.eof and left == limit:
            return data  # the usual case: all of a small file at once
        result.write(data)
        left -= len(data)
    return result.getvalue()


class UnpackedFile(io.RawIOBase):
    """What a compressed file unpacks to; seeking back begins at its start again.

    Streams that follow each other in the file are one, zeros after them are passed over.
    """

    def __init__(
        self, file: BinaryIO, decompressor: Callable[[], Decompressor], limit: int
    ) -> None:
        """Take the open file, what unpacks one stream, and how many bytes may come."""
        self._file, self._new, self._limit = file, decompressor, limit
        self._begin()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be gone through to any place."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer, in part perhaps, and return how many bytes there are.

        Raises:
            Excessive: more come than may, or unpacking takes too much memory.
            zlib.error, OSError, lzma.LZMAError, EOFError: the file is damaged or cut.
        """
        room = memoryview(buffer).cast("B")
        data = self._next(len(room)) if len(room) else b""
        self._position += len(data)
        if self._position > self._limit:
            raise Excessive(beyond(self._limit))
        room[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, or to the end if that comes before it."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end is known only when it is reached")
        target = offset + self._position if whence == io.SEEK_CUR else offset
        if target < self._position:
            self._begin()
        passed = memoryview(bytearray(UNPACKED_PIECE))
        while self._position < target and self.readinto(passed[: target - self._position]):
            pass
        return self._position

    def close(self) -> None:
        """Close the compressed file too."""
        self._file.close()
        super().close()

    def _begin(self) -> None:
        self._file.seek(0)
        self._decompressor = self._new()
        self._position = 0

    def _next(self, size: int) -> bytes:
        """Return some of the bytes that come next, none at the end."""
        while True:
            piece = b""
            if self._decompressor.eof:
                if not (piece := self._after_stream()):
                    return b""
                self._decompressor = self._new()
            elif self._decompressor.needs_input and not (piece := self._file.read(PIECE)):
                raise EOFError("its compressed content is cut short")
            try:
                data = self._decompressor.decompress(piece, size)
            except lzma.LZMAError as error:
                if "Memory" not in str(error):
                    raise
                raise Excessive(
                    f"takes more than {XZ_MEMORY:,} bytes of memory to unpack"
                ) from None
            if data:
                return data

    def _after_stream(self) -> bytes:
        """Return what follows the end of a stream and is not zeros."""
        piece = self._decompressor.unused_data or self._file.read(PIECE)
        while piece and not (rest := piece.lstrip(b"\0")):
            piece = self._file.read(PIECE)
        return rest if piece else b""
