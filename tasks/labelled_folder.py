"""A folder with one sub-folder per digit, as files to be judged on: bytes stay as they are."""

import os
import re
import shutil
from pathlib import Path

import numpy as np

from tasks.errors import InputError
from tasks.slices import SliceFiles

NAME = re.compile(r"[a-z0-9][a-z0-9 ._-]*")
LABELS = tuple("0123456789")


def labelled_files(folder: Path) -> list[tuple[Path, int]]:
    """Return every file of a labelled folder with its digit, in a fixed order.

    Hidden files are left out, everything else counts: what is no picture will be answered wrong.

    Raises:
        InputError: there is no such folder, a sub-folder is no digit, or there are no files.
    """
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one with a sub-folder for each digit")
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if unknown := [entry.name for entry in entries if entry.name not in LABELS]:
        raise InputError(
            f"{folder} holds {unknown[0]!r}: expected sub-folders named 0 to 9 and nothing else"
        )
    files = [
        (Path(inside, name), int(entry.name))
        for entry in entries
        for inside, _, names in os.walk(entry)
        for name in sorted(names)
        if not name.startswith(".")
    ]
    if not files:
        raise InputError(f"{folder} has no files in sub-folders named 0 to 9")
    return files


def checked_name(name: str) -> str:
    """Return a name that can stand in paths and on a command line.

    Raises:
        InputError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"name {name!r}: use small letters, digits, spaces, dots and dashes")
    return name


def copied(name: str, folder: Path, root: Path) -> SliceFiles:
    """Copy a labelled folder below the folder of all slices, and return it as one of them.

    Raises:
        InputError: it is no labelled folder.
    """
    files = labelled_files(folder)
    paths = []
    for number, (source, label) in enumerate(files):
        path = f"{name.replace(' ', '-')}/{label}/{number:06}{source.suffix}"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, root / path)
        paths.append(path)
    labels = np.array([label for _, label in files], np.int8)
    return SliceFiles(name, paths, labels, np.full(len(files), -1, np.int64))
