"""Pictures in a bucket, by the S3 protocol; s3fs is loaded when one is opened."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from tasks.decode import Undecodable
from tasks.errors import InputError
from tasks.folders import too_large
from tasks.inputs import MAX_BYTES, Content, Entry, Inputs
from tasks.patterns import Chosen
from tasks.reasons import Reason

PAGE = 1000  # objects of a listing that come together: S3's own limit
PAUSES = (0.2, 0.8, 3.2)  # seconds before one request is tried again
IN_FLIGHT = 16  # objects of `read_each` that are on their way at a time
ONCE = {"retries": {"total_max_attempts": 1}}  # the retries are ours
LASTING = (FileNotFoundError, PermissionError, Undecodable)  # trying again does not help
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

T = TypeVar("T")


class S3Bucket(Inputs):
    """The objects whose key begins with a prefix, by the S3 protocol.

    Endpoint, region and credentials come from where AWS's own programs take them
    (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ..., profiles, the machine's role).
    """

    def __init__(self, place: str, chosen: Chosen) -> None:
        """Ask for the first object.

        Raises:
            InputError: the bucket does not exist, or cannot be reached or listed; s3fs is missing.
        """
        self._bucket, _, prefix = place.partition("/")
        self._chosen, self._only = chosen, ""
        self._files: Any = None
        name = prefix.removesuffix("/")
        self._prefix = name and name + "/"
        self.root = f"s3://{self._bucket}/{self._prefix}".removesuffix("/")
        if not self._bucket:
            raise InputError("s3:// names no bucket: give s3://BUCKET or s3://BUCKET/FOLDER")
        if not self._page(None, limit=1).get("Contents") and name and self._exists(name):
            self._only, self._prefix = name, name[: name.rfind("/") + 1]
            self.root = f"s3://{self._bucket}/{self._prefix}".removesuffix("/")

    def __getstate__(self) -> dict[str, object]:
        """Leave the connection behind: each process makes its own."""
        return self.__dict__ | {"_files": None}

    def entries(self) -> Iterator[Entry]:
        """Yield the objects in the order of their keys, a page of a thousand at a time.

        Empty objects whose key ends in a slash only mark folders.
        """
        after: str | None = None
        while True:
            page = self._page(after)
            for found in page.get("Contents", ()):
                key, size = found["Key"], found["Size"]
                path = key.removeprefix(self._prefix).encode()
                marker = key.endswith("/") and not size
                other = self._only and key != self._only
                if not marker and not other and self._chosen.keeps(path):
                    yield Entry(path, size, _whole_seconds(found["LastModified"]))
            if not page.get("IsTruncated"):
                return
            after = page["NextContinuationToken"]

    def read(self, path: bytes) -> Content:
        """Return an object by one request, so of one moment; trouble that passes is sat out.

        Raises:
            Undecodable: with a reason.
        """
        content: Content = self._begun(path).result()
        return content

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each object or why it cannot be read, in order; IN_FLIGHT are asked for at once."""
        waiting: deque[Any] = deque()
        try:
            for path in paths:
                waiting.append(self._begun(path))
                if len(waiting) == IN_FLIGHT:
                    yield _outcome(waiting.popleft())
            while waiting:
                yield _outcome(waiting.popleft())
        finally:
            for left in waiting:
                left.cancel()

    def _begun(self, path: bytes) -> Any:
        files = self._connected()
        return asyncio.run_coroutine_threadsafe(self._object(files, path), files.loop)

    async def _object(self, files: Any, path: bytes) -> Content:
        try:
            key = self._prefix + path.decode()
        except UnicodeDecodeError:
            raise Undecodable(Reason.VANISHED, "no key of a bucket, as it is no UTF-8") from None

        async def get() -> Content:
            answer = await files._call_s3("get_object", Bucket=self._bucket, Key=key)
            size, time_ns = answer["ContentLength"], _whole_seconds(answer["LastModified"])
            async with answer["Body"] as body:
                if size > MAX_BYTES:
                    raise too_large(size, time_ns)
                data = await body.read()
            if len(data) != size:
                raise EOFError(f"{len(data):,} of {size:,} bytes came")
            return Content(data, size, time_ns)

        try:
            return await _patiently(get)
        except Undecodable:
            raise
        except Exception as error:  # of s3fs, botocore, aiohttp: none may end the run
            raise refusal(error) from None

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
        from fsspec.asyn import sync

        files = self._connected()
        try:
            answer: dict[str, Any] = sync(
                files.loop, _patiently, lambda: files._call_s3(method, **arguments)
            )
        except Exception as error:  # of s3fs, botocore, aiohttp
            raise InputError(
                f"{self.root} cannot be listed: {said(error)}; check the name, the credentials "
                "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the endpoint (AWS_ENDPOINT_URL)"
            ) from error
        return answer

    def _connected(self) -> Any:
        if self._files is None:
            try:
                from s3fs import S3FileSystem
            except ImportError:
                raise InputError(f"{self.root} needs s3fs: pip install 'digitflow[s3]'") from None
            files: Any = S3FileSystem(config_kwargs=ONCE, skip_instance_cache=True)
            files.retries = 1
            self._files = files
        return self._files


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Return what a request gives, trying again after a while if it fails."""
    for pause in PAUSES:
        try:
            return await ask()
        except LASTING:
            raise
        except Exception:  # of s3fs, botocore, aiohttp; the last try tells
            await asyncio.sleep(pause)
    return await ask()


def refusal(error: Exception) -> Undecodable:
    """Return what trouble with a store means for the file that was asked for."""
    if isinstance(error, Undecodable):
        return error
    if isinstance(error, FileNotFoundError):
        return Undecodable(Reason.VANISHED, said(error))
    if isinstance(error, PermissionError):
        return Undecodable(Reason.PERMISSION_DENIED, said(error))
    return Undecodable(Reason.STORAGE_ERROR, said(error))


def said(error: Exception) -> str:
    """Return an error in one line with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _outcome(begun: Any) -> Content | Undecodable:
    try:
        content: Content = begun.result()
    except Undecodable as trouble:
        return trouble
    return content


def _whole_seconds(time: datetime) -> int:
    """Return nanoseconds; the listing may have milliseconds, an object's own header has none."""
    return int(time.timestamp()) * 1_000_000_000
