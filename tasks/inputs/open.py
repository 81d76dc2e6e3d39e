"""What the user named into the inputs that can be read: which kind of place it is."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tasks.atomic import absolute
from tasks.errors import InputError
from tasks.inputs.archive import open_archive
from tasks.inputs.base import Inputs
from tasks.inputs.list_file import ListFile
from tasks.inputs.local import Files, Folder
from tasks.inputs.path_filter import PathFilter, split_glob
from tasks.inputs.several import Several

LIST_SUFFIXES = (".txt", ".list")
NOTHING_NAMED = "no input was named: give a folder of pictures, or . for this one"


def open_inputs(
    given: str | Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Inputs:
    """Return the inputs that the user named.

    Args:
        given: a folder, a file, a glob, `@LIST`, an archive, or a URL such as `s3://bucket/scans`;
            or several of these, which are read as one.
        include: patterns (see path_filter.py) of which a path has to match one, if there are any.
        exclude: patterns of which a path may match none.

    Raises:
        InputError: there is nothing of that name, it cannot be read, or a pattern is wrong.
    """
    names = [given] if isinstance(given, str) else list(dict.fromkeys(given))
    opened = _together(_open(name, include, exclude) for name in names)
    if not opened:
        raise InputError(NOTHING_NAMED)
    return opened[0] if len(opened) == 1 else Several(opened)


def _together(inputs: Iterable[Inputs]) -> list[Inputs]:
    """Return inputs with all files that were named of one folder in the place of the first."""
    opened: list[Inputs] = []
    by_folder: dict[str, Files] = {}
    for each in inputs:
        if isinstance(each, Files):
            if each.root in by_folder:
                by_folder[each.root].with_files_of(each)
                continue
            by_folder[each.root] = each
        opened.append(each)
    return opened


def _open(given: str, include: Sequence[str], exclude: Sequence[str]) -> Inputs:
    if not given:
        raise InputError(NOTHING_NAMED)
    if "://" in given:
        return _open_url(given, include, exclude)
    if given.startswith("@"):
        return ListFile(_existing(given[1:]), PathFilter(include, exclude))
    path = absolute(given)
    if not os.path.lexists(path):
        before, glob = split_glob(given)
        if glob:
            return Folder(_existing(before or "."), PathFilter(include, exclude, glob))
    return _open_path(_existing(given), PathFilter(include, exclude))


def whole(given: str) -> Path:
    """Return the absolute path; the root of results is one text however it was given."""
    path = absolute(given)
    # behind a link `..` is not the folder before it
    return path.resolve() if ".." in path.parts else path


def _existing(given: str) -> Path:
    path = whole(given)
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


def _open_path(path: Path, path_filter: PathFilter) -> Inputs:
    if path.is_dir():
        return Folder(path, path_filter)
    if not path.is_file():
        raise InputError(f"{path} is a pipe or a device: give a folder of pictures")
    if archive := open_archive(path, path_filter):
        return archive
    if path.suffix in LIST_SUFFIXES:
        return ListFile(path, path_filter)
    return Files(path.parent, [os.fsencode(path.name)], path_filter)


def _open_url(given: str, include: Sequence[str], exclude: Sequence[str]) -> Inputs:
    scheme, _, rest = given.partition("://")
    if scheme == "file":
        return _open(rest, include, exclude)
    from tasks.inputs.fsspec_store import Store  # libraries that few need
    from tasks.inputs.s3 import S3Bucket

    before, glob = split_glob(rest)
    path_filter = PathFilter(include, exclude, glob)
    if scheme in ("s3", "s3a"):
        return S3Bucket(before, path_filter)
    return Store(f"{scheme}://{before}", path_filter)
