"""Labelled digits in MNIST's IDX files or in an .npz, into checked arrays."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data import idx, npz
from tasks.data.labelled import Labelled, Labels
from tasks.errors import DatasetError
from tasks.imaging.form import SIDE
from tasks.imaging.pixels import Pixels

NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")  # as in Keras's mnist.npz
MAX_PICTURES = 1_000_000  # of each part, 0.8 GB; the sets that people use have fewer
IDX_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")


def is_idx_folder(folder: Path) -> bool:
    """Tell whether a folder holds a file that is named as MNIST's are."""
    return any(IDX_NAME.fullmatch(entry.name) for entry in folder.iterdir())


def read_idx(folder: Path) -> Labelled:
    """Return the pictures of MNIST's four IDX files, plain or gzip."""
    train, test = _idx_part(folder, "train"), _idx_part(folder, "t10k")
    return joined(train, test, name=folder.name, source=str(folder))


def read_npz(path: Path) -> Labelled:
    """Return the pictures of an .npz with x_train, y_train, x_test, y_test; never unpickles."""

    def check(name: str, form: npz.Form) -> None:
        require = require_pictures if name.startswith("x_") else require_labels
        require(form, f"{path}, {name}")

    arrays = npz.read(path, NPZ_NAMES, check)
    train, test = (
        checked(arrays[x], arrays[y], f"{path}, {x}", f"{path}, {y}")
        for x, y in (("x_train", "y_train"), ("x_test", "y_test"))
    )
    return joined(train, test, name=path.stem, source=str(path))


def checked(
    images: NDArray[Any], labels: NDArray[Any], images_from: str | Path, labels_from: str | Path
) -> tuple[Pixels, Labels]:
    """Return pictures and their labels, once they are known to be digits; errors say which file."""
    require_pictures(npz.Form(images.dtype, images.shape), images_from)
    require_labels(npz.Form(labels.dtype, labels.shape), labels_from)
    if len(images) != len(labels):
        more = "labels than pictures" if len(labels) > len(images) else "pictures than labels"
        raise DatasetError(
            f"{labels_from}: more {more}: {len(labels)} labels for the {len(images)} pictures "
            f"of {images_from}"
        )
    if len(wrong := np.flatnonzero((labels < 0) | (labels > 9))):
        raise DatasetError(
            f"{labels_from}: expected labels 0 to 9, found {labels[wrong[0]]} at index {wrong[0]}"
        )
    if len(images) and images.mean() > 127:
        raise DatasetError(
            f"{images_from}: expected bright ink on 0, found a mean of {images.mean():.0f} of 255; "
            "invert the pictures"
        )
    return images, labels.astype(np.int8)


def require_pictures(found: npz.Form, source: str | Path) -> None:
    """Refuse what is no array of pictures, or of more than any set of digits has.

    Raises:
        DatasetError: with what was expected and found.
    """
    if found.dtype != np.uint8 or len(found.shape) != 3 or found.shape[1:] != (SIDE, SIDE):
        raise DatasetError(
            f"{source}: expected uint8 (N, {SIDE}, {SIDE}), found {found.dtype} {found.shape}"
        )
    _require_few(found.shape[0], source)


def require_labels(found: npz.Form, source: str | Path) -> None:
    """Refuse what is no array of labels, or of more than any set of digits has.

    Raises:
        DatasetError: with what was expected and found.
    """
    if len(found.shape) != 1 or not np.issubdtype(found.dtype, np.integer):
        raise DatasetError(
            f"{source}: expected one integer per picture, found {found.dtype} {found.shape}"
        )
    _require_few(found.shape[0], source)


def _require_few(count: int, source: str | Path) -> None:
    if count > MAX_PICTURES:
        raise DatasetError(f"{source}: {count:,} pictures, at most {MAX_PICTURES:,} are taken")


def joined(
    train: tuple[Pixels, Labels],
    test: tuple[Pixels, Labels],
    *,
    name: str,
    source: str,
    licence: str = "not stated",
) -> Labelled:
    """Return a source that comes in a training and a test part, in this order."""
    return Labelled(
        name=name,
        source=source,
        licence=licence,
        images=np.concatenate([train[0], test[0]]),
        labels=np.concatenate([train[1], test[1]]),
        test=np.arange(len(train[1]) + len(test[1])) >= len(train[1]),
    )


def _idx_part(folder: Path, part: str) -> tuple[Pixels, Labels]:
    images, labels = _idx_file(folder, f"{part}-images", 3), _idx_file(folder, f"{part}-labels", 1)
    return checked(
        idx.parse(idx.read_bytes(images), 3, images),
        idx.parse(idx.read_bytes(labels), 1, labels),
        images,
        labels,
    )


def _idx_file(folder: Path, stem: str, dimensions: int) -> Path:
    """Return the IDX file with this stem, plain before gzip; both spellings are about."""
    names = [f"{stem}{dot}idx{dimensions}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(f"data {folder}: expected four IDX files, found no {names[0]} (or .gz)")
