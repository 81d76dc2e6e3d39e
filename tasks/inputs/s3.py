"""Pictures in a bucket, by the S3 protocol."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing
from datetime import datetime
from itertools import tee

from tasks.errors import InputError
from tasks.inputs.base import Content, Entry, Inputs, refusal
from tasks.inputs.local import too_large
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import MAX_BYTES, Reason, Undecodable
from tasks.storage.s3 import Bucket, Listed, Object, failing_as, outcome

AHEAD = 8 * 2**20  # bytes: what is larger is fetched when it is its turn, so that memory holds one
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class S3Bucket(Inputs):
    """The objects whose key begins with a prefix, by the S3 protocol."""

    def __init__(self, place: str, path_filter: PathFilter) -> None:
        """Ask for the first object.

        Raises:
            InputError: the bucket does not exist, or cannot be reached or listed; boto3 is missing.
        """
        bucket, _, prefix = place.partition("/")
        if not bucket:
            raise InputError("s3:// names no bucket: give s3://BUCKET or s3://BUCKET/FOLDER")
        self._filter, self._only = path_filter, ""
        name = prefix.removesuffix("/")
        self._prefix = name and name + "/"
        self.root = f"s3://{bucket}/{self._prefix}".removesuffix("/")
        self._bucket = Bucket(bucket, self.root)
        if not self._holds_any() and name and self._is_object(name):
            self._only, self._prefix = name, name[: name.rfind("/") + 1]
            self.root = f"s3://{bucket}/{self._prefix}".removesuffix("/")

    def entries(self) -> Iterator[Entry]:
        """Yield the objects in the order of their keys, a page of a thousand at a time.

        Empty objects whose key ends in a slash only mark folders.
        """
        for found in self._listed():
            path = found.key.removeprefix(self._prefix).encode()
            marker = found.key.endswith("/") and not found.size
            other = self._only and found.key != self._only
            if not marker and not other and self._filter.matches(path):
                yield Entry(path, found.size, _whole_seconds(found.modified))

    def read(self, path: bytes) -> Content:
        """Return an object by one request, so of one moment; errors that pass are retried.

        Raises:
            Undecodable: with a reason.
        """
        content = _content(self._asked(path))
        if isinstance(content, Undecodable):
            raise content
        return content

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each object or why it cannot be read, in order; several are asked for at once."""
        ahead, paths = tee(paths)
        limit = min(AHEAD, MAX_BYTES)
        with closing(self._bucket.get_each(map(self._key, ahead), limit)) as each:
            for path, found in zip(paths, each, strict=True):
                large = isinstance(found, Object) and limit < found.size <= MAX_BYTES
                yield _content(self._asked(path) if large else found)

    def _asked(self, path: bytes) -> Object | Exception:
        return outcome(lambda: self._bucket.get(self._key(path), MAX_BYTES))

    def _key(self, path: bytes) -> str:
        return self._prefix + path.decode("utf-8", "surrogateescape")

    def _holds_any(self) -> bool:
        with self._listing():
            return self._bucket.holds(self._prefix)

    def _listed(self) -> Iterator[Listed]:
        with self._listing():
            yield from self._bucket.objects(self._only or self._prefix)

    def _listing(self) -> AbstractContextManager[None]:
        return failing_as(InputError, f"{self.root} cannot be listed")

    def _is_object(self, key: str) -> bool:
        with self._listing():
            there = self._bucket.exists(key)
        if there and key.lower().endswith(ARCHIVES):
            raise InputError(f"{self.root} is an archive: copy it to a disk and give that file")
        return there


def _content(found: Object | Exception) -> Content | Undecodable:
    """Return an object or, as no error of one may end the run, why it cannot be read."""
    if isinstance(found, UnicodeEncodeError):
        return Undecodable(Reason.VANISHED, "no key of a bucket, as it is no UTF-8")
    if isinstance(found, Exception):
        return refusal(found)
    time_ns = _whole_seconds(found.modified)
    if found.data is None:
        return too_large(found.size, time_ns)
    return Content(found.data, found.size, time_ns)


def _whole_seconds(time: datetime) -> int:
    """Return nanoseconds; the listing may have milliseconds, an object's own header has none."""
    return int(time.timestamp()) * 1_000_000_000
