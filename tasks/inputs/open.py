"""What the user named into the inputs that can be read: which kind of place it is."""

import os
from collections.abc import Sequence
from pathlib import Path

from tasks.atomic import absolute
from tasks.errors import InputError
from tasks.inputs.archive import open_archive
from tasks.inputs.base import Inputs
from tasks.inputs.list_file import ListFile
from tasks.inputs.local import Folder, OneFile
from tasks.inputs.path_filter import Chosen, split_glob

LIST_SUFFIXES = (".txt", ".list")


def open_inputs(given: str, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Inputs:
    """Return the inputs that the user named.

    Args:
        given: a folder, a file, a glob, `@LIST`, an archive, or a URL such as `s3://bucket/scans`.
        include: patterns (see path_filter.py) of which a path has to match one, if there are any.
        exclude: patterns of which a path may match none.

    Raises:
        InputError: there is nothing of that name, it cannot be read, or a pattern is wrong.
    """
    if not given:
        raise InputError("no input was named: give a folder of pictures, or . for this one")
    if "://" in given:
        return _open_url(given, include, exclude)
    if given.startswith("@"):
        return ListFile(_existing(given[1:]), Chosen(include, exclude))
    path = absolute(given)
    if not os.path.lexists(path):
        before, glob = split_glob(given)
        if glob:
            return Folder(_existing(before or "."), Chosen(include, exclude, glob))
    return _open_path(_existing(given), Chosen(include, exclude))


def _whole(given: str) -> Path:
    """Return the absolute path; the root of results is one text however it was given."""
    path = absolute(given)
    # behind a link `..` is not the folder before it
    return path.resolve() if ".." in path.parts else path


def _existing(given: str) -> Path:
    path = _whole(given)
    try:
        path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        missing = isinstance(error, FileNotFoundError)
        error_text = error.strerror if isinstance(error, OSError) else error
        what = "does not exist" if missing else f"cannot be opened: {error_text}"
        raise InputError(
            f"{path} {what}: give a folder of pictures, a glob in quotes, a list or an archive"
        ) from None
    return path


def _open_path(path: Path, chosen: Chosen) -> Inputs:
    if path.is_dir():
        return Folder(path, chosen)
    if not path.is_file():
        raise InputError(f"{path} is a pipe or a device: give a folder of pictures")
    if archive := open_archive(path, chosen):
        return archive
    if path.suffix in LIST_SUFFIXES:
        return ListFile(path, chosen)
    return OneFile(path, chosen)


def _open_url(given: str, include: Sequence[str], exclude: Sequence[str]) -> Inputs:
    scheme, _, rest = given.partition("://")
    if scheme == "file":
        return open_inputs(rest, include, exclude)
    from tasks.inputs.fsspec_store import Store  # libraries that few need
    from tasks.inputs.s3 import S3Bucket

    before, glob = split_glob(rest)
    chosen = Chosen(include, exclude, glob)
    if scheme in ("s3", "s3a"):
        return S3Bucket(before, chosen)
    return Store(f"{scheme}://{before}", chosen)
