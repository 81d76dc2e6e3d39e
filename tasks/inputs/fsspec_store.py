"""Pictures in any other store that fsspec knows by its URL, such as `memory://` and `gcs://`."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tasks.errors import InputError, error_text
from tasks.inputs.base import Content, Entry, Inputs, refusal
from tasks.inputs.local import too_large
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import MAX_BYTES, Reason, Undecodable

PAUSES = (0.2, 0.8, 3.2)  # seconds before a file is asked for again
LASTING = (FileNotFoundError, PermissionError)  # asking again does not help
TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")  # as stores call it


class Store(Inputs):
    """The files below a URL, listed folder by folder."""

    def __init__(self, url: str, path_filter: PathFilter) -> None:
        """Look what is there.

        Raises:
            InputError: there is nothing, it is out of reach, or a package for it is missing.
        """
        self.root, self._filter = url.rstrip("/"), path_filter
        self._files, self._top = _opened(url)
        try:
            self._start = self._files.info(self._top)
        except Exception as error:  # each store has its own
            raise InputError(f"{url} cannot be read: {error_text(error)}") from error
        if self._start["type"] == "file":
            self.root = self.root.rpartition("/")[0]
            self._top = self._top.rpartition("/")[0]

    def __getstate__(self) -> dict[str, object]:
        """Leave the connection behind: each process makes its own."""
        return self.__dict__ | {"_files": None}

    def entries(self) -> Iterator[Entry]:
        """Yield what is no folder, each folder in order; the names of one folder are held."""
        ahead = [self._start]
        while ahead:
            info = ahead.pop()
            path = self._relative(info["name"])
            if info["type"] == "directory":
                if not path or self._filter.descends(path):
                    ahead += self._below(info["name"])
            elif self._filter.matches(path):
                yield Entry(path, _size_of(info), _time_of(info))

    def read(self, path: bytes) -> Content:
        """Return a file; errors that pass are retried.

        Raises:
            Undecodable: with a reason.
        """
        name = f"{self._top}/{path.decode('utf-8', 'surrogateescape')}"
        pauses = iter(PAUSES)
        while True:
            try:
                return self._read_once(name)
            except Undecodable:
                raise
            except Exception as error:  # each store has its own, and none may end the run
                pause = next(pauses, None)
                if pause is None or isinstance(error, LASTING):
                    raise refusal(error) from None
            time.sleep(pause)

    def _read_once(self, name: str) -> Content:
        files = self._connected()
        info = files.info(name)
        size, mtime_ns = _size_of(info), _time_of(info)
        if size is None:
            raise Undecodable(Reason.STORAGE_ERROR, "the store does not tell its size")
        if size > MAX_BYTES:
            raise too_large(size, mtime_ns)
        data = files.cat_file(name)
        if len(data) != size:
            raise EOFError(f"{len(data):,} of {size:,} bytes came")
        return Content(data, size, mtime_ns)

    def _below(self, folder: str) -> list[dict[str, Any]]:
        files = self._connected()
        try:
            found = files.ls(folder, detail=True)
        except Exception as error:  # each store has its own
            raise InputError(f"{folder} cannot be listed: {error_text(error)}") from error
        files.invalidate_cache(folder)
        others = [info for info in found if info["name"].rstrip("/") != folder.rstrip("/")]
        return sorted(others, key=lambda info: str(info["name"]), reverse=True)

    def _relative(self, name: str) -> bytes:
        path = name.rstrip("/").removeprefix(self._top).removeprefix("/")
        return path.encode("utf-8", "surrogateescape")

    def _connected(self) -> Any:
        if self._files is None:
            self._files, _ = _opened(self.root)
        return self._files


def _opened(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        files, top = url_to_fs(url)
    except (ImportError, ValueError) as error:  # a package is missing, or nobody knows the scheme
        raise InputError(f"{url} cannot be opened: {error}") from None
    return files, top.rstrip("/")


def _size_of(info: dict[str, Any]) -> int | None:
    size = info.get("size")
    return size if isinstance(size, int) and size >= 0 else None


def _time_of(info: dict[str, Any]) -> int | None:
    time: Any = next((info[name] for name in TIMES if info.get(name)), None)
    try:
        return int((time.timestamp() if isinstance(time, datetime) else time) * 1e9)
    except (TypeError, ValueError, OverflowError):  # text, not a number, a year without a name
        return None
