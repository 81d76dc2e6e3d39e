"""Small objects below one URL of a bucket: read whole, and written only where nobody else has.

Every write is a condition on what is there, which the server checks and writes in one step; that
is what takes the place of a lock between machines.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, NamedTuple

from tasks.errors import DigitflowError, InputError
from tasks.storage.s3 import (
    ADVICE,
    CONDITION_CODES,
    PAGE,
    Connection,
    Got,
    code_of,
    error_text,
    listed,
)

PROBE = ".conditional-write"  # is never there
NO_ETAG = '"0"'  # no object has it


class Facts(NamedTuple):
    """What a listing says of an object."""

    etag: str  # another one for other content
    modified: datetime


class Blob(NamedTuple):
    """An object."""

    data: bytes
    etag: str


class Conflict(Exception):
    """An object is not as the writer has seen it."""


class Objects:
    """The objects whose key begins with a prefix; names are what comes after it."""

    def __init__(self, url: str) -> None:
        """Take the URL; nothing is asked yet.

        Raises:
            InputError: it names no bucket.
        """
        self._bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
        if not self._bucket:
            raise InputError(f"{url} names no bucket: give s3://BUCKET or s3://BUCKET/FOLDER")
        self._prefix = prefix and prefix + "/"
        self.url = f"s3://{self._bucket}/{prefix}".removesuffix("/")
        self._server = Connection(self.url)
        self._keeps_conditions = False  # of writes, as far as was tried

    def get(self, name: str) -> Blob | None:
        """Return an object, or None where there is none.

        Raises:
            InputError: it cannot be read.
        """
        return self.get_each([name])[0]

    def get_each(self, names: Sequence[str]) -> list[Blob | None]:
        """Return several objects, which are on their way at the same time; see `get`."""
        begun = [self._server.get(self._bucket, self._prefix + name) for name in names]
        return [self._arrived(request) for request in begun]

    def _arrived(self, begun: "Future[Got]") -> Blob | None:
        try:
            found = begun.result()
        except Exception as error:  # of s3fs, botocore, aiohttp
            if isinstance(error, FileNotFoundError) and code_of(error) != "NoSuchBucket":
                return None
            raise self._out_of_reach(error) from error
        return Blob(found.data or b"", found.etag)

    def below(self, start: str) -> dict[str, Facts]:
        """Return the objects whose name begins so, by what follows in their name.

        Raises:
            InputError: they cannot be listed.
        """
        prefix = self._prefix + start

        def page(after: str | None) -> dict[str, Any]:
            more = {"ContinuationToken": after} if after else {}
            where = {"Bucket": self._bucket, "Prefix": prefix, "MaxKeys": PAGE}
            return self._server.ask("list_objects_v2", **where, **more)

        try:
            return {
                found["Key"].removeprefix(prefix): Facts(found["ETag"], found["LastModified"])
                for found in listed(page)
            }
        except InputError:
            raise
        except Exception as error:  # of s3fs, botocore, aiohttp
            raise self._out_of_reach(error) from error

    def put(self, name: str, data: bytes, *, instead_of: str | None) -> None:
        """Write an object, if it is as it was.

        Args:
            name: of the object.
            data: its content.
            instead_of: the ETag that it had, or None if it was not there.

        Raises:
            Conflict: it is not; where an answer was lost, also because this very write was done.
            DigitflowError: it cannot be written.
        """
        condition = {"IfMatch": instead_of} if instead_of else {"IfNoneMatch": "*"}
        where = {"Bucket": self._bucket, "Key": self._prefix + name}
        try:
            self._server.ask("put_object", **where, Body=data, **condition)
        except InputError:
            raise
        except Exception as error:  # of s3fs, botocore, aiohttp
            if code_of(error) in CONDITION_CODES | ({"NoSuchKey"} if instead_of else set()):
                raise Conflict(f"{self.url}/{name}") from error
            raise DigitflowError(
                f"{self.url}/{name}: writing failed: {error_text(error)}; {ADVICE}"
            ) from error

    def delete(self, name: str) -> None:
        """Delete an object, if it is there.

        Raises:
            DigitflowError: it cannot be deleted.
        """
        try:
            self._server.ask("delete_object", Bucket=self._bucket, Key=self._prefix + name)
        except InputError:
            raise
        except Exception as error:  # of s3fs, botocore, aiohttp
            raise DigitflowError(
                f"{self.url}/{name}: deleting failed: {error_text(error)}; {ADVICE}"
            ) from error

    def require_conditions(self) -> None:
        """Make sure that this may write, and that conditions of writes are kept.

        A server, or a version of botocore, that does not know them would leave them out in silence.

        Raises:
            InputError: they are not, or nothing may be written.
        """
        if self._keeps_conditions:
            return
        try:
            self.put(PROBE, b"", instead_of=NO_ETAG)
        except Conflict:
            self._keeps_conditions = True
            return
        except DigitflowError as error:
            raise InputError(str(error)) from error
        self.delete(PROBE)
        raise InputError(
            f"{self.url}: the server, or a botocore before 1.36 here, does not keep the condition "
            "of a write (If-Match), so that machines could not share this folder: use another "
            "store, or pip install --upgrade s3fs"
        )

    def _out_of_reach(self, error: Exception) -> InputError:
        return InputError(f"{self.url} cannot be read: {error_text(error)}; {ADVICE}")
