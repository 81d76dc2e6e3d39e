"""Arrays of an .npz file: what they say they are is known before memory is taken for them."""

import io
import math
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tasks.errors import DatasetError

MAX_HEADER = 10_000  # bytes; longer ones are numpy's own limit
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Form(NamedTuple):
    """What an array says about itself."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def names(path: Path) -> list[str]:
    """Return the names of the arrays in a file, in its order.

    Raises:
        DatasetError: it is no .npz, or it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception as error:  # zipfile raises a dozen types for damaged files
        raise _unreadable(path, error) from error


def read(
    path: Path, names: Sequence[str], check: Callable[[str, Form], None]
) -> dict[str, NDArray[Any]]:
    """Return arrays by their names; nothing is ever unpickled.

    Args:
        path: the file.
        names: of the arrays; others are left alone.
        check: is called with name and form of each before the first is loaded, and raises if that
            is not what is wanted.

    Raises:
        DatasetError: it is no .npz, it is damaged, or an array is missing.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if missing := [name for name in names if name not in members]:
                raise DatasetError(
                    f"{path}: expected arrays {', '.join(names)}; missing: {missing}"
                )
            for name in names:
                check(name, _form(archive, members[name]))
            return {name: _array(archive, members[name]) for name in names}
    except DatasetError:
        raise
    except Exception as error:  # zipfile and numpy raise a dozen types for damaged files
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{path}: cannot be read as .npz: {error}")


def _form(archive: zipfile.ZipFile, member: str) -> Form:
    """Return what the header of a member says, which has to fit the member's size."""
    with archive.open(member) as packed:
        start = io.BytesIO(packed.read(MAX_HEADER))
    version = npy.read_magic(start)
    if version not in HEADERS:
        raise ValueError(f"{member} is of version {version} of its format")
    shape, _, dtype = HEADERS[version](start)
    if dtype.hasobject:
        raise ValueError(f"{member} holds objects, which are never unpickled")
    expected, found = math.prod(shape) * dtype.itemsize, archive.getinfo(member).file_size
    if min(shape, default=0) < 0 or start.tell() + expected != found:
        raise ValueError(f"{member} says {shape} of {dtype}, but has {found:,} bytes")
    return Form(dtype, shape)


def _array(archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    with archive.open(member) as packed:
        array: NDArray[Any] = npy.read_array(packed, allow_pickle=False)
    return array
