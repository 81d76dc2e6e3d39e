"""Requests to one bucket, by the S3 protocol; boto3 is loaded by the first of them.

Endpoint, region and credentials come from where AWS's own programs take them
(`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ..., profiles, the machine's role). The lighter obstore
(0.12) finds no profile.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import lru_cache
from multiprocessing.pool import AsyncResult, ThreadPool
from threading import Lock
from typing import Any, NamedTuple

from tasks.errors import DigitflowError, InputError, error_text

PAUSES = (0.2, 0.8, 3.2)  # seconds before an object whose bytes did not all come is asked for again
ATTEMPTS = 1 + len(PAUSES)  # of one request
# botocore's `standard` mode stops trying again once some hundred requests have failed: it asked a
# store that was too busy 345 times for 200 objects, where `legacy` asked the 800 times it is told
RETRIES = {"mode": "legacy", "total_max_attempts": ATTEMPTS}
IN_FLIGHT = 16  # objects of `get_each` that are on their way at a time
PAGE = 1000  # objects of a listing that come together: S3's own limit
ADVICE = (
    "check the name, the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the endpoint "
    "(AWS_ENDPOINT_URL)"
)


class Listed(NamedTuple):
    """What a listing says of an object."""

    key: str
    size: int
    modified: datetime
    etag: str  # another one for other content


class Object(NamedTuple):
    """An object as it was at one moment."""

    data: bytes | None  # None: larger than was asked for
    size: int
    modified: datetime
    etag: str


class Conflict(Exception):
    """An object is not as the writer has seen it."""


ERRORS: dict[int, type[Exception]] = {  # by the HTTP status of the answer
    403: PermissionError,
    404: FileNotFoundError,
    409: Conflict,  # whether the condition of the write holds is not sure: another one is going on
    412: Conflict,
}


class Bucket:
    """A bucket; threads may share it, and a process that it is pickled to connects by itself.

    What is asked for raises
        InputError: boto3 is missing.
        FileNotFoundError: there is no such object, or no such bucket.
        PermissionError: the server refuses it.
        Exception: of botocore or urllib3, after ATTEMPTS; they have no class in common.
    """

    def __init__(self, name: str, place: str) -> None:
        """Take its name, and the URL that errors name; nothing is asked yet."""
        self._name, self._place = name, place

    def holds(self, prefix: str) -> bool:
        """Tell whether there is an object whose key begins so."""
        with self._asking() as client:
            return "Contents" in client.list_objects_v2(Bucket=self._name, Prefix=prefix, MaxKeys=1)

    def objects(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects whose key begins so, in the order of their keys."""
        with self._asking() as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=prefix, PaginationConfig={"PageSize": PAGE}
            )
            for found in pages:
                for each in found.get("Contents", ()):
                    yield Listed(each["Key"], each["Size"], each["LastModified"], each["ETag"])

    def exists(self, key: str) -> bool:
        """Tell whether there is an object of this key."""
        try:
            with self._asking() as client:
                client.head_object(Bucket=self._name, Key=key)
        except FileNotFoundError:
            return False
        return True

    def get(self, key: str, limit: int | None = None) -> Object:
        """Return an object by one request, so of one moment.

        boto3 tries again until an answer begins; one that breaks off is asked for anew.

        Args:
            key: of the object.
            limit: bytes; of an object that has more, the content is left out.
        """
        pauses = iter(PAUSES)
        while True:
            with self._asking() as client:
                answer = client.get_object(Bucket=self._name, Key=key)
            facts = (answer["ContentLength"], answer["LastModified"], answer.get("ETag", ""))
            with closing(answer["Body"]) as body:  # by itself it gives urllib3's, which checks less
                if limit is not None and facts[0] > limit:
                    return Object(None, *facts)
                try:
                    return Object(body.read(), *facts)
                except Exception:  # of botocore or urllib3; the last one tells
                    pause = next(pauses, None)
                    if pause is None:
                        raise
            time.sleep(pause)

    def get_each(
        self, keys: Iterable[str], limit: int | None = None
    ) -> Generator[Object | Exception, None, None]:
        """Yield each object, or the error of `get`, in order; IN_FLIGHT are asked for at a time."""
        waiting: deque[AsyncResult[Object]] = deque()
        # its threads hold up neither Ctrl-C nor the end of the process, as those of futures do
        with ThreadPool(IN_FLIGHT) as threads:
            for key in keys:
                waiting.append(threads.apply_async(self.get, (key, limit)))
                if len(waiting) == IN_FLIGHT:
                    yield outcome(waiting.popleft().get)
            while waiting:
                yield outcome(waiting.popleft().get)

    def put(self, key: str, data: bytes, *, instead_of: str | None) -> None:
        """Write an object, if it is as it was.

        Args:
            key: of the object.
            data: its content.
            instead_of: the ETag that it had, or None if it was not there.

        Raises:
            Conflict: it is not; where an answer was lost, also because this very write was done.
        """
        condition = {"IfMatch": instead_of} if instead_of else {"IfNoneMatch": "*"}
        try:
            with self._asking() as client:
                client.put_object(Bucket=self._name, Key=key, Body=data, **condition)
        except FileNotFoundError as error:
            if instead_of and not lacks_bucket(error):
                raise Conflict(*error.args) from error
            raise

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with self._asking() as client:
            client.delete_object(Bucket=self._name, Key=key)

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """Give boto3's client; what the server says by a status becomes an error of Python."""
        try:
            from botocore.exceptions import ClientError
        except ImportError:
            raise InputError(f"{self._place} needs boto3: pip install 'digitflow[s3]'") from None
        told = (item for item in os.environ.items() if item[0].startswith(("AWS_", "HOME")))
        with _making:
            client = _client(tuple(sorted(told)))
        try:
            yield client
        except ClientError as error:
            kind = ERRORS.get(error.response["ResponseMetadata"]["HTTPStatusCode"])
            if kind is None:
                raise
            raise kind(error.response["Error"]["Message"]) from error


def lacks_bucket(error: FileNotFoundError) -> bool:
    """Tell whether not the object alone, but its bucket is missing."""
    response = getattr(error.__cause__, "response", None)
    return bool(response and response["Error"]["Code"] == "NoSuchBucket")


def outcome(ask: Callable[[], Object]) -> Object | Exception:
    """Return an object that is asked for, or the error; only InputError is raised."""
    try:
        return ask()
    except InputError:
        raise
    except Exception as error:  # of botocore or urllib3
        return error


@contextmanager
def failing_as(kind: type[DigitflowError], what: str) -> Iterator[None]:
    """Raise an error of ours, which says what was asked and what to do, for one of `Bucket`."""
    try:
        yield
    except (Conflict, DigitflowError):
        raise
    except Exception as error:  # of botocore or urllib3
        raise kind(f"{what}: {error_text(error)}; {ADVICE}") from error


_making = Lock()  # the cache alone would let each thread that comes first make one


@lru_cache(maxsize=2)
def _client(told: tuple[tuple[str, str], ...]) -> Any:  # told: what boto3 finds by itself
    """Return boto3's client, which threads share; making it takes a tenth of a second."""
    from boto3.session import Session
    from botocore.config import Config

    return Session().client("s3", config=Config(retries=RETRIES, max_pool_connections=IN_FLIGHT))
