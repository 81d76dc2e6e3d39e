"""Arrays as programs hold pictures and labels into digitflow's: channels, scales, one-hot rows.

Each conversion is one that the array itself shows, and is told in a line; what could be meant in
two ways is refused with how to convert it.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data.labelled import Labels
from tasks.data.npz import Form
from tasks.decoding.pixels import Pixels
from tasks.errors import DatasetError
from tasks.imaging.form import SIDE

DIGITS = 10
PIXELS = SIDE * SIDE
MAX_PICTURES = 1_000_000  # of each part, 0.8 GB; the sets that people use have fewer
MAX_BYTES = 2_000_000_000  # of an array that is no uint8
CHUNK = 10_000  # pictures that are converted at once
BRIGHT = 64  # of 255: pictures without a brighter pixel are scaled otherwise than they seem to be
NUMBERS = "uif"  # kinds of dtypes: unsigned, signed, floating


def require_pictures(found: Form, source: str | Path) -> None:
    """Refuse what is no array of pictures, or of more than any set of digits has.

    Raises:
        DatasetError: with what was expected and found, and how to convert it.
    """
    shape = found.shape
    if found.dtype.kind not in NUMBERS + "b" or not _is_pictures(shape):
        raise DatasetError(
            f"{source}: expected pictures (N, {SIDE}, {SIDE}), found {found.dtype} {shape}"
            f"{_how_to_shape(shape)}"
        )
    _require_few(shape[0], source)
    if found.dtype.itemsize > 1 and math.prod(shape) * found.dtype.itemsize > MAX_BYTES:
        raise DatasetError(
            f"{source}: {shape[0]:,} pictures of {found.dtype} are more than "
            f"{MAX_BYTES / 1e9:g} GB: save them as uint8, 0 to 255"
        )


def _is_pictures(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and shape[1:] in (
        (SIDE, SIDE),
        (SIDE, SIDE, 1),
        (1, SIDE, SIDE),
        (PIXELS,),
    )


def _how_to_shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 4 and shape[-1] in (2, 3, 4):
        return ": save them without colour, for example x.mean(axis=-1)"
    if len(shape) == 4 and shape[1] in (2, 3, 4):
        return ": save them without colour, for example x.mean(axis=1)"
    if len(shape) == 3 and shape[:2] == (SIDE, SIDE):
        return ": put the number of the picture first, np.moveaxis(x, -1, 0)"
    if shape == (SIDE, SIDE):
        return ": that is one picture"
    if len(shape) in (3, 4):
        return ": save them as files in folders 0 to 9, which are read in any size"
    return ""


def require_labels(found: Form, source: str | Path) -> None:
    """Refuse what is no array of labels, or of more than any set of digits has.

    Raises:
        DatasetError: with what was expected and found, and how to convert it.
    """
    shape = found.shape
    numeric = found.dtype.kind in NUMBERS + "b"
    if not numeric or not (len(shape) == 1 or (len(shape) == 2 and shape[1] in (1, DIGITS))):
        how = ": save y.astype('int64')" if not numeric and len(shape) == 1 else ""
        if len(shape) == 2 and shape[1] > 1:
            how = f": one-hot labels of ten digits have {DIGITS} columns"
        raise DatasetError(
            f"{source}: expected one integer per picture, or one-hot labels (N, {DIGITS}), found "
            f"{found.dtype} {shape}{how}"
        )
    _require_few(shape[0], source)


def _require_few(count: int, source: str | Path) -> None:
    if count > MAX_PICTURES:
        raise DatasetError(f"{source}: {count:,} pictures, at most {MAX_PICTURES:,} are taken")


def pictures(array: NDArray[Any], source: str | Path) -> tuple[Pixels, list[str]]:
    """Return pictures as uint8 (N, 28, 28), 0 to 255, and what was converted, in words.

    Args:
        array: of numbers or bool, as `require_pictures` takes it; 0 to 255 or 0 to 1.
        source: what errors call it.

    Raises:
        DatasetError: its values are on another scale, or no numbers.
    """
    require_pictures(Form(array.dtype, array.shape), source)
    said = (
        [] if array.ndim == 3 else [f"(N, {', '.join(map(str, array.shape[1:]))}) to (N, 28, 28)"]
    )
    images = np.ascontiguousarray(array.reshape(-1, SIDE, SIDE))  # MATLAB's begin with columns
    low, high = _range(images)
    found = f"{source}: found values from {low:g} to {high:g}"
    if not math.isfinite(low + high):
        raise DatasetError(f"{source}: holds values that are no finite numbers: save them without")
    if low < 0:
        raise DatasetError(
            f"{found}, expected 0 to 255 or 0 to 1: undo what was subtracted; of values from -1 to "
            "1 save (x + 1) / 2"
        )
    scale = 255 if 0 < high <= 1 else 1
    if high > 255 or 0 < high * scale < BRIGHT:
        raise DatasetError(
            f"{found}, expected 0 to 255 or 0 to 1: save x / x.max() if 0 is without ink"
        )
    if scale == 1 and array.dtype == np.uint8:
        return images, said
    kind = "floats" if array.dtype.kind == "f" else "integers"
    said.append(f"{kind} 0 to {255 if scale == 1 else 1} to whole numbers 0 to 255")
    converted = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), CHUNK):
        piece = images[start : start + CHUNK].astype(np.float64)
        converted[start : start + CHUNK] = np.rint(piece * scale)
    return converted, said


def _range(images: NDArray[Any]) -> tuple[float, float]:
    """Return the lowest and the highest value; not a number if one is none."""
    if not len(images):
        return 0.0, 0.0
    return float(images.min()), float(images.max())


def labels(array: NDArray[Any], source: str | Path) -> tuple[Labels, list[str]]:
    """Return labels as int8 (N,), 0 to 9, and what was converted, in words.

    Args:
        array: as `require_labels` takes it: digits, a column of them, or one-hot rows.
        source: what errors call it.

    Raises:
        DatasetError: they are no digits, or rows that are not one-hot.
    """
    require_labels(Form(array.dtype, array.shape), source)
    said = list[str]()
    if array.ndim == 2 and array.shape[1] == DIGITS:
        odd = np.flatnonzero((array.astype(bool) != (array == 1)).any(1) | (array.sum(1) != 1))
        if len(odd):
            raise DatasetError(
                f"{source}: expected one-hot rows of 0 and a single 1, found "
                f"{array[odd[0]].tolist()} at index {odd[0]}: save y.argmax(axis=1) if the largest "
                "is the digit"
            )
        array, said = array.argmax(axis=1), ["one-hot labels to digits"]
    elif array.ndim == 2:
        array, said = array[:, 0], ["a column of labels to one label per picture"]
    if len(wrong := np.flatnonzero(~np.isin(array, np.arange(DIGITS)))):
        hint = (
            "; if 10 is that of 0, save y % 10" if set(_known(array)) == set(range(1, 11)) else ""
        )
        raise DatasetError(
            f"{source}: expected labels 0 to 9, found {array[wrong[0]]:g} at index {wrong[0]}{hint}"
        )
    if array.dtype.kind == "f":
        said.append("labels that are floats to integers")
    return array.astype(np.int8), said


def _known(array: NDArray[Any]) -> Iterator[float]:
    """Yield the first kinds of labels that occur, each once."""
    yield from np.unique(array)[: DIGITS + 1].tolist()
