"""Pictures in a local folder, and single local files: how they are found and how they are read."""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from time import sleep, time_ns

from tasks.errors import InputError
from tasks.inputs.base import Content, Entry, Inputs, printable
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import MAX_BYTES, Reason, Undecodable

SORTED_TOGETHER = 16_384  # names of one folder that are held and sorted; more come in several runs
REST_NS = 100_000_000  # no write() of a picture takes longer
# O_NONBLOCK: opening a FIFO that nobody writes to must not wait
OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# which picture under this name, where earlier ones were taken away; see tasks/results/arrivals.py
ARRIVAL = re.compile(rb"//(\d+)\Z")
NO_FILE = {errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}  # a loop of links, a socket: no fault


class Folder(Inputs):
    """Everything below a folder that is no folder itself."""

    def __init__(self, folder: Path, path_filter: PathFilter) -> None:
        """Look whether the folder can be listed.

        Raises:
            InputError: it is no folder, or may not be listed.
        """
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise InputError(f"{folder} {what}: give a folder of pictures")
        try:
            os.scandir(folder).close()
        except OSError as error:
            raise InputError(f"{folder} cannot be listed: {error.strerror}") from None
        name = os.fsencode(folder)
        self.root = printable(name)
        self._base = name.rstrip(b"/") + b"/"
        self._filter = path_filter

    def entries(self) -> Iterator[Entry]:
        """Yield what is below the folder, each folder's names in order.

        Links to folders are listed and not followed, so that no file is found twice and no loop
        ends the run. A folder that may not be listed is listed under its own name. Of a folder with
        very many names, each run of SORTED_TOGETHER is in order, in the order of the file system.
        """
        return walk(self._base, self._filter)

    def read(self, path: bytes) -> Content:
        """Return a file below the folder; see `read_file`."""
        return read_file(_below(self._base, path))


class Files(Inputs):
    """Single files of one folder, in the order in which they were named."""

    def __init__(self, folder: Path, names: Iterable[bytes], path_filter: PathFilter) -> None:
        """Keep the names; each file is opened when it is read."""
        name = os.fsencode(folder)
        self.root, self._base = printable(name), name.rstrip(b"/") + b"/"
        self._names, self._filter = dict.fromkeys(names), path_filter  # each once, in order

    def __getstate__(self) -> dict[str, object]:
        """Leave the names behind: other processes are told which ones they read."""
        return self.__dict__ | {"_names": {}}

    def with_files_of(self, other: "Files") -> None:
        """Take the files of others of the same folder, too."""
        self._names |= other._names

    def entries(self) -> Iterator[Entry]:
        """Yield each file, unless the patterns leave it out."""
        for name in self._names:
            if self._filter.matches(name):
                yield entry_of(self._base, name)

    def read(self, path: bytes) -> Content:
        """Return a file; see `read_file`."""
        return read_file(_below(self._base, path))


def walk(base: bytes, path_filter: PathFilter) -> Iterator[Entry]:
    """Yield everything wanted below a folder, whose name ends in a slash, that is no folder."""
    open_folders = [(b"", _names(base))]  # a stack of our own: Python's ends at a thousand folders
    while open_folders:
        folder, names = open_folders[-1]
        try:
            name, is_folder, found = next(names)
        except StopIteration:
            open_folders.pop()
            continue
        except OSError as error:
            if not folder:
                raise InputError(f"{printable(base)} cannot be listed: {error.strerror}") from None
            open_folders.pop()
            yield entry_of(base, folder[:-1])
            continue
        path = folder + name
        if is_folder:
            if path_filter.descends(path):
                open_folders.append((path + b"/", _names(base + path)))
        elif path_filter.matches(path):
            yield _entry(path, found)


def _below(base: bytes, path: bytes) -> bytes:
    """Return the whole path; a list may have named one that is not below its folder."""
    return path if path.startswith(b"/") else base + path


def entry_of(base: bytes, path: bytes) -> Entry:
    """Return what is known of a path: no size and time where it cannot be looked at."""
    try:
        facts = os.stat(os.path.join(base, path))  # noqa: PTH116, PTH118 - bytes, any name
    except (OSError, ValueError):
        return Entry(path, None, None)
    return Entry(path, facts.st_size, facts.st_mtime_ns)


def read_file(path: bytes) -> Content:
    """Return the bytes of a regular file, all of one moment: a file that changes is read again.

    The number of a name that comes again is none of the file's name.

    Raises:
        Undecodable: it cannot be opened, is no regular file, is too large, or changes again.
    """
    name = ARRIVAL.sub(b"", path)
    return _read_once(name) or _read_once(name) or _changing(name)


def _names(folder: bytes) -> Iterator[tuple[bytes, bool, "os.DirEntry[bytes]"]]:
    with os.scandir(folder) as found:
        while run := [
            (entry.name, entry.is_dir(follow_symlinks=False), entry)
            for entry in islice(found, SORTED_TOGETHER)
        ]:
            run.sort(key=_name_of)
            yield from run


def _name_of(found: tuple[bytes, bool, "os.DirEntry[bytes]"]) -> bytes:
    return found[0]


def _entry(path: bytes, found: "os.DirEntry[bytes]") -> Entry:
    try:
        facts = found.stat()
    except OSError:
        return Entry(path, None, None)
    return Entry(path, facts.st_size, facts.st_mtime_ns)


def _read_once(path: bytes) -> Content | None:
    """Return a file, or nothing if it changed in between."""
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except (OSError, ValueError) as error:
        raise _unopened(path, error) from None
    try:
        before = _at_rest(descriptor)
        if before is None:
            return None
        size, time = before.st_size, before.st_mtime_ns
        if not stat.S_ISREG(before.st_mode):
            raise Undecodable(Reason.UNSUPPORTED_FORMAT, "not a regular file", size, time)
        if size > MAX_BYTES:
            raise too_large(size, time)
        data = os.read(descriptor, size + 1)
        while 0 < len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
            data += more
        after = os.fstat(descriptor)
    except OSError as error:
        detail = f"{type(error).__name__}: {error.strerror}"
        raise Undecodable(Reason.STORAGE_ERROR, detail) from None
    finally:
        os.close(descriptor)
    whole = len(data) == size == after.st_size and after.st_mtime_ns == time
    return Content(data, size, time) if whole else None


def _at_rest(descriptor: int) -> os.stat_result | None:
    """Return size and time of a file whose last write is over, or nothing if others follow it.

    A file's time is that at which a write begins, in steps of some milliseconds: of a file that was
    written to just now it does not tell half of the write, or two of one step, from the whole.
    """
    for _ in range(2):
        facts = os.fstat(descriptor)
        left = facts.st_mtime_ns + REST_NS - time_ns()
        if not 0 < left <= REST_NS:  # long ago, or by a clock that is not ours
            return facts
        sleep(left / 1e9)
    return None


def too_large(size: int, mtime_ns: int | None) -> Undecodable:
    """Return the refusal of a file whose size is over the limit."""
    detail = f"{size:,} bytes, limit {MAX_BYTES:,}"
    return Undecodable(Reason.TOO_LARGE, detail, size, mtime_ns)


def _changing(path: bytes) -> Content:
    _, size, time = entry_of(b"", path)
    raise Undecodable(Reason.CHANGED, "changed while it was read, twice", size, time)


def _unopened(path: bytes, error: OSError | ValueError) -> Undecodable:
    _, size, time = entry_of(b"", path)
    if isinstance(error, ValueError):  # a NUL byte in the name
        return Undecodable(Reason.VANISHED, str(error))
    return Undecodable(reason_of(error), f"{type(error).__name__}: {error.strerror}", size, time)


def reason_of(error: OSError) -> Reason:
    """Return why a file that cannot be opened is rejected."""
    if isinstance(error, PermissionError):
        return Reason.PERMISSION_DENIED
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Reason.VANISHED
    return Reason.UNREADABLE if error.errno in NO_FILE else Reason.STORAGE_ERROR
