"""Labelled digits on the user's disk, in whichever of three forms they are."""

from pathlib import Path

from tasks.data.labelled import Labelled, OnProgress
from tasks.data.labelled_arrays import is_idx_folder, read_idx, read_npz
from tasks.data.labelled_pictures import read_pictures
from tasks.errors import DatasetError


def read(path: Path, on_progress: OnProgress) -> Labelled:
    """Return what is at a path: a folder of IDX files, an .npz, or one sub-folder per digit.

    Raises:
        DatasetError: nothing is there, it is none of the three, or it is damaged.
    """
    try:
        if path.is_dir():
            return read_idx(path) if is_idx_folder(path) else read_pictures(path, on_progress)
    except OSError as error:
        raise DatasetError(f"data {path}: cannot be read: {error}") from error
    if path.suffix.lower() == ".npz" and path.is_file():
        return read_npz(path)
    raise DatasetError(
        f"data {path}: {'is another kind of file' if path.exists() else 'does not exist'}; expected"
        " 'mnist', a folder of IDX files, an .npz, or a folder with one sub-folder per digit"
    )
