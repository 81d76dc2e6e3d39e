"""Labelled digits on the user's disk, in whichever of four forms they are."""

from pathlib import Path

from tasks.data.csv_table import read_csv
from tasks.data.labelled import Labelled, OnProgress
from tasks.data.labelled_arrays import IDX_NAME, is_idx_folder, read_idx, read_npz
from tasks.data.labelled_folder import entries
from tasks.data.labelled_pictures import read_pictures
from tasks.errors import DatasetError

TABLES = (".csv", ".csv.gz")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
SAVE = "np.savez('digits.npz', x_train=..., y_train=..., x_test=..., y_test=...)"


def read(path: Path, on_progress: OnProgress) -> Labelled:
    """Return what is at a path: IDX files, one sub-folder per digit, an .npz or a .csv.

    Raises:
        DatasetError: nothing is there, it is none of the four, or it is damaged.
    """
    try:
        if path.is_dir():
            if is_idx_folder(path):
                return read_idx(path)
            _refuse_tables(path)
            return read_pictures(path, on_progress)
    except OSError as error:
        raise DatasetError(f"data {path}: cannot be read: {error}") from error
    name = path.name.lower()
    if path.is_file() and name.endswith(".npz"):
        return read_npz(path)
    if path.is_file() and name.endswith(TABLES):
        return read_csv(path)
    raise DatasetError(
        f"data {path}: {_what_it_is(path)}; expected 'mnist', a folder of IDX files, an .npz, a "
        ".csv or a folder with one sub-folder per digit"
    )


def _what_it_is(path: Path) -> str:
    """Return what a path is that cannot be read, and how to convert it."""
    if not path.exists():
        return "does not exist"
    if IDX_NAME.fullmatch(path.name):
        return "is one of four IDX files: give their folder"
    if path.name.lower().endswith(ARCHIVES):
        return "is an archive: unpack it, and give what is inside"
    return f"is another kind of file: save its arrays with {SAVE}"


def _refuse_tables(folder: Path) -> None:
    """Refuse a folder of tables alone, and say what to give."""
    inside = entries(folder)
    tables = [file.name for file in inside.files if file.name.lower().endswith((*TABLES, ".npz"))]
    if tables and not inside.folders:
        raise DatasetError(
            f"data {folder}: holds {', '.join(tables)}: give one file that has pictures and "
            "labels, and a test part is cut off it"
        )
