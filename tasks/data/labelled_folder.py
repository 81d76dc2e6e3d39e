"""A folder with one sub-folder per digit, as files to be judged on: bytes stay as they are."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tasks.atomic import absolute
from tasks.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9 ._-]*")
LABELS = tuple("0123456789")


def labelled_files(folder: Path) -> list[tuple[Path, int]]:
    """Return every file of a labelled folder with its digit, in a fixed order.

    Hidden files are left out, everything else counts: what is no picture will be answered wrong.

    Raises:
        InputError: there is no such folder, a sub-folder is no digit, or there are no files.
    """
    folder = absolute(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one with a sub-folder for each digit")
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise _unreadable(error) from error
    if unknown := [entry.name for entry in entries if entry.name not in LABELS]:
        raise InputError(
            f"{folder} holds {unknown[0]!r}: expected sub-folders named 0 to 9 and nothing else"
        )
    files = [(file, int(entry.name)) for entry in entries for file in _files_below(entry)]
    if not files:
        raise InputError(f"{folder} has no files in sub-folders named 0 to 9")
    return files


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder; what is none would be left out, or waited for for ever.

    Raises:
        InputError: something there is neither a file nor a folder, or a link to a folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: expected one with the pictures of that digit")

    def stop(error: OSError) -> None:
        raise _unreadable(error) from error

    for inside, folders, names in os.walk(folder, onerror=stop):
        paths = [Path(inside, name) for name in sorted(names) if not name.startswith(".")]
        links = [path for name in folders if (path := Path(inside, name)).is_symlink()]
        if odd := [path for path in paths if not path.is_file()] + links:
            raise InputError(f"{odd[0]} is neither a file nor a folder: remove it, or copy it in")
        yield from paths


def _unreadable(error: OSError) -> InputError:
    return InputError(f"{error.filename} cannot be read: {error.strerror}")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file of a labelled folder.

    Raises:
        InputError: it cannot be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.open("rb").close()
    except OSError as error:
        raise _unreadable(error) from error
    shutil.copyfile(source, target)


def checked_name(name: str) -> str:
    """Return a name that can stand in paths and on a command line.

    Raises:
        InputError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"name {name!r}: use small letters, digits, spaces, dots and dashes")
    return name
