"""MNIST's IDX file format: arrays to bytes and back, plain or gzip, refused unless complete.

Format: two zero bytes, 8 for uint8, the number of dimensions, each size as a big-endian uint32,
the values (LeCun, Cortes, Burges: The MNIST database).
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DatasetError

UINT8 = 0x0800  # of a magic number; its last byte is the number of dimensions
GZIP_START = b"\x1f\x8b"


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, unpacked where its first bytes, not its name, say gzip.

    Raises:
        DatasetError: it cannot be read, or the gzip data is damaged or cut off.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP_START) else data
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error


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
            f"so expected {expected} bytes of values, found {found}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def to_bytes(array: NDArray[np.uint8]) -> bytes:
    """Return an array as IDX bytes."""
    header = struct.pack(f">{1 + array.ndim}I", UINT8 + array.ndim, *array.shape)
    return header + array.tobytes()
