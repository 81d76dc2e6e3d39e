"""Where pictures come from: a folder, a glob, a list, an archive or a bucket, behind one seam."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from tasks.atomic import absolute
from tasks.errors import InputError
from tasks.imaging.decode import Undecodable
from tasks.inputs.path_filter import Chosen, split_glob

MAX_BYTES = 256 * 2**20  # of one file
ESCAPED = re.compile(rb"\\(\\|x[0-9a-f]{2})")  # in printable names
LIST_SUFFIXES = (".txt", ".list")


class Entry(NamedTuple):
    """A file that was found; its path is relative to the root and need not be UTF-8."""

    path: bytes
    size: int | None
    mtime_ns: int | None


class Content(NamedTuple):
    """A whole file, with its size and time when it was read."""

    data: bytes
    size: int
    mtime_ns: int | None  # some stores of fsspec keep no time


class Inputs(Protocol):
    """Files that can be listed and read; it is pickled to other processes, which read too."""

    root: str  # where the paths lie, as text: an absolute folder, an archive file or a URL

    def entries(self) -> Iterator[Entry]:
        """Yield everything that is no folder, each once, without ever holding them all.

        Raises:
            InputError: the list, archive or bucket turns out to be broken or out of reach.
        """

    def read(self, path: bytes) -> Content:
        """Return a file whole, as it was at one moment.

        Raises:
            Undecodable: with a reason, and size and time where they are known.
        """

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each file or why it cannot be read, in order; a bucket gives several at once."""
        for path in paths:
            try:
                yield self.read(path)
            except Undecodable as trouble:
                yield trouble


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
        return _open_list(_existing(given[1:]), Chosen(include, exclude))
    path = absolute(given)
    if not os.path.lexists(path):
        before, glob = split_glob(given)
        if glob:
            return _open_folder(_existing(before or "."), Chosen(include, exclude, glob))
    return _open_path(_existing(given), Chosen(include, exclude))


def printable(path: bytes) -> str:
    r"""Return a name as text that says every byte: those that are no UTF-8 become `\xNN`.

    A backslash becomes two, so that no two names are one text.
    """
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def unprintable(text: str) -> bytes:
    """Return the name that `printable` made the text of."""
    return ESCAPED.sub(lambda found: _byte(found[1]), text.encode())


def _byte(escape: bytes) -> bytes:
    return escape if escape == b"\\" else bytes([int(escape[1:], 16)])


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
        said = error.strerror if isinstance(error, OSError) else error
        what = "does not exist" if missing else f"cannot be opened: {said}"
        raise InputError(
            f"{path} {what}: give a folder of pictures, a glob in quotes, a list or an archive"
        ) from None
    return path


def _open_path(path: Path, chosen: Chosen) -> Inputs:
    from tasks.inputs.archive import open_archive
    from tasks.inputs.local import OneFile

    if path.is_dir():
        return _open_folder(path, chosen)
    if not path.is_file():
        raise InputError(f"{path} is a pipe or a device: give a folder of pictures")
    if archive := open_archive(path, chosen):
        return archive
    if path.suffix in LIST_SUFFIXES:
        return _open_list(path, chosen)
    return OneFile(path, chosen)


def _open_folder(path: Path, chosen: Chosen) -> Inputs:
    from tasks.inputs.local import Folder

    return Folder(path, chosen)


def _open_list(path: Path, chosen: Chosen) -> Inputs:
    from tasks.inputs.list_file import ListFile

    return ListFile(path, chosen)


def _open_url(given: str, include: Sequence[str], exclude: Sequence[str]) -> Inputs:
    scheme, _, rest = given.partition("://")
    if scheme == "file":
        return open_inputs(rest, include, exclude)
    from tasks.inputs.fsspec_store import Store
    from tasks.inputs.s3 import S3Bucket

    before, glob = split_glob(rest)
    chosen = Chosen(include, exclude, glob)
    if scheme in ("s3", "s3a"):
        return S3Bucket(before, chosen)
    return Store(f"{scheme}://{before}", chosen)
