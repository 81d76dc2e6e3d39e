"""Inputs in memory, some of whose files end or stop the process that decodes them.

No picture is known that crashes the decoders of today, so a broken one is put in their place: a
Pillow plugin under the name of one of the formats that digitflow reads. It is registered where the
inputs arrive, which is in the worker: the process of the tests keeps its decoders.
"""

import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from tasks.decoding import decode
from tasks.imaging.canonical import prepared
from tasks.imaging.canonical_batch import in_frame
from tasks.inference import batch
from tasks.inputs.base import Content, Entry, Inputs
from tests.bars import bar, encoded

FORMAT = "PCX"  # the rare format whose decoder is the broken one
START = b"deadly "
CRASH, HANG = START + b"crash", START + b"hang"
FETCHED = b"ends its process before it is decoded"
SLOW = b"comes from slow storage"
SLOW_S = 0.5
OUTSIDE = "/ends its process before any file is looked at"  # as the root of inputs
ODD = np.zeros((9, 7), np.uint8)  # a picture that reading itself breaks at, by a defect
SMALL_ODD, LARGE_ODD = encoded(ODD), encoded(ODD, "BMP")
IN_FRAME = bar(5)  # at which reading many at once never ends, by a defect, and reading one does
IN_FRAME[0, 0] = 1


def once(marker: Path) -> bytes:
    """Return a file that is decoded without end until the marker is there, which it makes."""
    return START + os.fsencode(marker)


@dataclass(frozen=True)
class InMemory(Inputs):
    """Files by their paths; it is pickled to workers."""

    root: str
    files: Mapping[bytes, bytes]
    log: Path | None = None  # is told each file that is read

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in a worker."""
        vars(self).update(state)
        if self.root == OUTSIDE:
            os.abort()
        _break_a_decoder()
        _break_reading()

    def entries(self) -> Iterator[Entry]:
        """Yield every file."""
        for path, data in sorted(self.files.items()):
            yield Entry(path, len(data), 1)

    def read(self, path: bytes) -> Content:
        """Return a file."""
        data = self.files[path]
        if self.log:
            with self.log.open("ab") as log:
                log.write(path + b"\n")
        if data == FETCHED:
            os.abort()
        if data == SLOW:
            time.sleep(SLOW_S)
            data = encoded(bar(8))
        return Content(data, len(data), 1)


def digits(count: int) -> dict[bytes, bytes]:
    """Return files with the digits 0, 1, 2, ..., which have to be read whatever happens."""
    return {b"%04d.png" % number: encoded(bar(number % 10)) for number in range(count)}


def _break_a_decoder() -> None:
    if Image.OPEN.get(FORMAT, (None,))[0] is not _open_deadly:
        Image.init()
        Image.register_open(FORMAT, _open_deadly, lambda start: start.startswith(START))


def _break_reading() -> None:
    def broken(picture: np.ndarray, *more: Any) -> Any:
        if picture.shape == ODD.shape:
            raise ArithmeticError("9 by 7 px")
        return prepared(picture, *more)

    def endless(pictures: Sequence[np.ndarray | None]) -> Any:
        if any(np.array_equal(picture, IN_FRAME) for picture in pictures if picture is not None):
            time.sleep(600)
        return in_frame(pictures)

    batch.prepared, batch.in_frame = broken, endless  # type: ignore[attr-defined]
    decode.prepared = broken  # type: ignore[attr-defined]


def _open_deadly(file: IO[bytes], _name: object) -> Image.Image:
    content = file.read()
    if content == CRASH:
        os.abort()
    marker = Path(os.fsdecode(content.removeprefix(START)))
    if content == HANG or not marker.exists():
        if content != HANG:
            marker.touch()
        time.sleep(600)
    return Image.open(io.BytesIO(encoded(bar(7))))
