"""MNIST's IDX file format: arrays to bytes and back, plain or gzip, refused unless complete.

Format: two zero bytes, 8 for uint8, the number of dimensions, each size as a big-endian uint32,
the values (LeCun, Cortes, Burges: The MNIST database).
"""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DatasetError

UINT8 = 0x0800  # of a magic number; its last byte is the number of dimensions
MOST = 3  # dimensions, of pictures
GZIP_START = b"\x1f\x8b"
MAX_BYTES = 800_000_000  # of one array: a million pictures


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, unpacked where its first bytes, not its name, say gzip.

    Of what follows the values that its header announces only a few bytes are read: gzip unpacks to
    a thousand times its size.

    Raises:
        DatasetError: it cannot be read, the gzip data is damaged or cut off, or the header
            announces more than `MAX_BYTES`.
    """
    try:
        with path.open("rb") as packed:
            is_gzip = packed.read(2) == GZIP_START
        with gzip.open(path) if is_gzip else path.open("rb") as file:
            shape = _announced(file)
            if (size := math.prod(shape)) > MAX_BYTES:
                raise DatasetError(
                    f"{path}: its header says {shape}: {size:,} values, at most {MAX_BYTES:,} "
                    "are taken"
                )
            file.seek(0)
            return file.read(4 + 4 * MOST + size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error


def _announced(file: io.BufferedIOBase) -> list[int]:
    """Return the sizes in a header; of what is none, nothing."""
    dimensions = int.from_bytes(file.read(4)) - UINT8
    known = range(dimensions) if 0 < dimensions <= MOST else ()
    return [int.from_bytes(file.read(4)) for _ in known]


def parse(data: bytes, dimensions: int, name: str | Path) -> NDArray[np.uint8]:
    """Return the read-only array in IDX bytes; errors call it by `name`.

    Raises:
        DatasetError: another magic number, or more or fewer bytes than the header says.
    """
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DatasetError(f"{name}: expected an IDX header of {start} bytes, found {len(data)}")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", data[:start])
    if magic != UINT8 + dimensions:
        raise DatasetError(
            f"{name}: expected the IDX magic number {UINT8 + dimensions:#010x} "
            f"(uint8, {dimensions} dimensions), found {magic:#010x}"
        )
    expected, found = math.prod(shape), len(data) - start
    if expected != found:
        raise DatasetError(
            f"{name}: {'truncated' if found < expected else 'too long'}: its header says {shape}, "
            f"so expected {expected} bytes of values, found {min(found, expected + 1)}"
            f"{'' if found < expected else ' or more'}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def to_bytes(array: NDArray[np.uint8]) -> bytes:
    """Return an array as IDX bytes."""
    header = struct.pack(f">{1 + array.ndim}I", UINT8 + array.ndim, *array.shape)
    return header + array.tobytes()
