"""A connection to a server of the S3 protocol, whose requests are tried again; it loads s3fs.

Endpoint, region and credentials come from where AWS's own programs take them
(`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ..., profiles, the machine's role).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from tasks.errors import InputError

PAGE = 1000  # objects of a listing that come together: S3's own limit
PAUSES = (0.2, 0.8, 3.2)  # seconds before one request is tried again
ONCE = {"retries": {"total_max_attempts": 1}}  # the retries are ours
LASTING = (FileNotFoundError, PermissionError)  # trying again does not help
# what a server says to a conditional write whose condition does not hold, or not for sure
CONDITION_CODES = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
ADVICE = (
    "check the name, the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the endpoint "
    "(AWS_ENDPOINT_URL)"
)

T = TypeVar("T")


class Got(NamedTuple):
    """An object as it was at one moment."""

    data: bytes | None  # None: larger than was asked for
    size: int
    modified: datetime
    etag: str


class Connection:
    """Requests for the sake of one place; each process connects by itself, once for all places."""

    def __init__(self, place: str) -> None:
        """Take the URL that errors name; nothing is asked yet."""
        self._place = place

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to one request; errors that pass are retried.

        Raises:
            InputError: s3fs is missing.
            Exception: of s3fs, botocore or aiohttp.
        """
        files = self._connected()

        async def asked() -> dict[str, Any]:
            answer: dict[str, Any] = await files._call_s3(method, **arguments)
            return answer

        return self._started(asked).result()

    def get(self, bucket: str, key: str, limit: int | None = None) -> "Future[Got]":
        """Start to get an object by one request, so of one moment; see `ask` for what it raises.

        Args:
            bucket: its name.
            key: of the object.
            limit: bytes; of an object that has more, the content is left out.
        """
        files = self._connected()

        async def got() -> Got:
            answer = await files._call_s3("get_object", Bucket=bucket, Key=key)
            facts = (answer["ContentLength"], answer["LastModified"], answer.get("ETag", ""))
            async with answer["Body"] as body:
                if limit is not None and facts[0] > limit:
                    return Got(None, *facts)
                data = await body.read()
            if len(data) != facts[0]:
                raise EOFError(f"{len(data):,} of {facts[0]:,} bytes came")
            return Got(data, *facts)

        return self._started(got)

    def _started(self, request: Callable[[], Awaitable[T]]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(_patiently(request), self._connected().loop)

    def _connected(self) -> Any:
        try:
            import s3fs  # noqa: F401 - whether it is there
        except ImportError:
            raise InputError(f"{self._place} needs s3fs: pip install 'digitflow[s3]'") from None
        told = (item for item in os.environ.items() if item[0].startswith(("AWS_", "HOME")))
        return _filesystem(tuple(sorted(told)))


@lru_cache(maxsize=2)
def _filesystem(told: tuple[tuple[str, str], ...]) -> Any:  # told: what s3fs finds by itself
    """Return what makes the requests; making it takes a fifth of a second."""
    from s3fs import S3FileSystem

    files: Any = S3FileSystem(config_kwargs=ONCE, skip_instance_cache=True)
    files.retries = 1
    return files


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Return what a request gives, trying again after a while if it fails."""
    for pause in PAUSES:
        try:
            return await ask()
        except LASTING:
            raise
        except Exception as error:  # of s3fs, botocore, aiohttp; the last try tells
            if code_of(error) in CONDITION_CODES:
                raise
            await asyncio.sleep(pause)
    return await ask()


def listed(page: Callable[[str | None], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a listing; a function gives the first page, or that after a token."""
    after: str | None = None
    while True:
        answer = page(after)
        yield from answer.get("Contents", ())
        if not answer.get("IsTruncated"):
            return
        after = answer["NextContinuationToken"]


def code_of(error: Exception) -> str | None:
    """Return the code by which the server tells the kind of an error, if it was the server."""
    response = getattr(error.__cause__, "response", None)
    return str(response["Error"].get("Code")) if response else None


def error_text(error: Exception) -> str:
    """Return an error in one line with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
