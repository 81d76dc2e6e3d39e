"""Pictures in a bucket, by the S3 protocol; s3fs is loaded when one is opened."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from tasks.errors import InputError
from tasks.inputs.base import Content, Entry, Inputs
from tasks.inputs.local import too_large
from tasks.inputs.path_filter import Chosen
from tasks.outcomes import MAX_BYTES, Reason, Undecodable
from tasks.storage.s3 import ADVICE, PAGE, Connection, Got, error_text, listed

IN_FLIGHT = 16  # objects of `read_each` that are on their way at a time
AHEAD = 8 * 2**20  # bytes: what is larger is fetched when it is its turn, so that memory holds one
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class S3Bucket(Inputs):
    """The objects whose key begins with a prefix, by the S3 protocol."""

    def __init__(self, place: str, chosen: Chosen) -> None:
        """Ask for the first object.

        Raises:
            InputError: the bucket does not exist, or cannot be reached or listed; s3fs is missing.
        """
        self._bucket, _, prefix = place.partition("/")
        self._chosen, self._only = chosen, ""
        name = prefix.removesuffix("/")
        self._prefix = name and name + "/"
        self.root = f"s3://{self._bucket}/{self._prefix}".removesuffix("/")
        self._server = Connection(self.root)
        if not self._bucket:
            raise InputError("s3:// names no bucket: give s3://BUCKET or s3://BUCKET/FOLDER")
        if not self._page(None, limit=1).get("Contents") and name and self._exists(name):
            self._only, self._prefix = name, name[: name.rfind("/") + 1]
            self.root = f"s3://{self._bucket}/{self._prefix}".removesuffix("/")

    def entries(self) -> Iterator[Entry]:
        """Yield the objects in the order of their keys, a page of a thousand at a time.

        Empty objects whose key ends in a slash only mark folders.
        """
        for found in listed(self._page):
            key, size = found["Key"], found["Size"]
            path = key.removeprefix(self._prefix).encode()
            marker = key.endswith("/") and not size
            other = self._only and key != self._only
            if not marker and not other and self._chosen.keeps(path):
                yield Entry(path, size, _whole_seconds(found["LastModified"]))

    def read(self, path: bytes) -> Content:
        """Return an object by one request, so of one moment; errors that pass are retried.

        Raises:
            Undecodable: with a reason.
        """
        outcome = self._outcome(path, self._begun(path, MAX_BYTES))
        if isinstance(outcome, Undecodable):
            raise outcome
        return outcome

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each object or why it cannot be read, in order; IN_FLIGHT are asked for at once."""
        waiting: deque[tuple[bytes, Future[Got] | Undecodable]] = deque()
        try:
            for path in paths:
                waiting.append((path, self._begun(path, min(AHEAD, MAX_BYTES))))
                if len(waiting) == IN_FLIGHT:
                    yield self._outcome(*waiting.popleft())
            while waiting:
                yield self._outcome(*waiting.popleft())
        finally:
            for _, left in waiting:
                if isinstance(left, Future):
                    left.cancel()

    def _begun(self, path: bytes, limit: int) -> "Future[Got] | Undecodable":
        try:
            key = self._prefix + path.decode()
        except UnicodeDecodeError:
            return Undecodable(Reason.VANISHED, "no key of a bucket, as it is no UTF-8")
        return self._server.get(self._bucket, key, limit)

    def _outcome(self, path: bytes, begun: "Future[Got] | Undecodable") -> Content | Undecodable:
        if isinstance(begun, Undecodable):
            return begun
        try:
            found = begun.result()
        except Exception as error:  # of s3fs, botocore, aiohttp: none may end the run
            return refusal(error)
        time_ns = _whole_seconds(found.modified)
        if found.data is not None:
            return Content(found.data, found.size, time_ns)
        if found.size > MAX_BYTES:
            return too_large(found.size, time_ns)
        return self._outcome(path, self._begun(path, MAX_BYTES))

    def _page(self, after: str | None, limit: int | None = None) -> dict[str, Any]:
        where = {
            "Bucket": self._bucket,
            "Prefix": self._only or self._prefix,
            "MaxKeys": limit or PAGE,
        }
        more = {"ContinuationToken": after} if after else {}
        return self._asked("list_objects_v2", **where, **more)

    def _exists(self, key: str) -> bool:
        try:
            self._asked("head_object", Bucket=self._bucket, Key=key)
        except InputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return False
            raise
        if key.lower().endswith(ARCHIVES):
            raise InputError(f"{self.root} is an archive: copy it to a disk and give that file")
        return True

    def _asked(self, method: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._server.ask(method, **arguments)
        except InputError:
            raise
        except Exception as error:  # of s3fs, botocore, aiohttp
            raise InputError(
                f"{self.root} cannot be listed: {error_text(error)}; {ADVICE}"
            ) from error


def refusal(error: Exception) -> Undecodable:
    """Return what an error of a store means for the file that was asked for."""
    if isinstance(error, Undecodable):
        return error
    if isinstance(error, FileNotFoundError):
        return Undecodable(Reason.VANISHED, error_text(error))
    if isinstance(error, PermissionError):
        return Undecodable(Reason.PERMISSION_DENIED, error_text(error))
    return Undecodable(Reason.STORAGE_ERROR, error_text(error))


def _whole_seconds(time: datetime) -> int:
    """Return nanoseconds; the listing may have milliseconds, an object's own header has none."""
    return int(time.timestamp()) * 1_000_000_000
