"""Small objects below one URL of a bucket: read whole, and written only where nobody else has.

Every write is a condition on what is there, which the server checks and writes in one step; that
is what takes the place of a lock between machines.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple

from tasks.errors import DigitflowError, InputError
from tasks.storage.s3 import Bucket, Conflict, Object, failing_as, lacks_bucket, outcome

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


class Objects:
    """The objects whose key begins with a prefix; names are what comes after it."""

    def __init__(self, url: str) -> None:
        """Take the URL; nothing is asked yet.

        Raises:
            InputError: it names no bucket.
        """
        bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
        if not bucket:
            raise InputError(f"{url} names no bucket: give s3://BUCKET or s3://BUCKET/FOLDER")
        self._prefix = prefix and prefix + "/"
        self.url = f"s3://{bucket}/{prefix}".removesuffix("/")
        self._bucket = Bucket(bucket, self.url)
        self._keeps_conditions = False  # of writes, as far as was tried

    def get(self, name: str) -> Blob | None:
        """Return an object, or None where there is none.

        Raises:
            InputError: it cannot be read.
        """
        return self._blob(outcome(lambda: self._bucket.get(self._prefix + name)))

    def get_each(self, names: Sequence[str]) -> list[Blob | None]:
        """Return several objects, which are on their way at the same time; see `get`."""
        found = self._bucket.get_each(self._prefix + name for name in names)
        return [self._blob(each) for each in found]

    def _blob(self, found: Object | Exception) -> Blob | None:
        if isinstance(found, FileNotFoundError) and not lacks_bucket(found):
            return None
        with self._reading():
            if isinstance(found, Exception):
                raise found
            return Blob(found.data or b"", found.etag)

    def below(self, start: str) -> dict[str, Facts]:
        """Return the objects whose name begins so, by what follows in their name.

        Raises:
            InputError: they cannot be listed.
        """
        prefix = self._prefix + start
        with self._reading():
            return {
                found.key.removeprefix(prefix): Facts(found.etag, found.modified)
                for found in self._bucket.objects(prefix)
            }

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
        with failing_as(DigitflowError, f"{self.url}/{name}: writing failed"):
            self._bucket.put(self._prefix + name, data, instead_of=instead_of)

    def delete(self, name: str) -> None:
        """Delete an object, if it is there.

        Raises:
            DigitflowError: it cannot be deleted.
        """
        with failing_as(DigitflowError, f"{self.url}/{name}: deleting failed"):
            self._bucket.delete(self._prefix + name)

    def require_conditions(self) -> None:
        """Make sure that this may write, and that conditions of writes are kept.

        A server that does not know them leaves them out in silence.

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
            f"{self.url}: the server does not keep the condition of a write (If-Match), so that "
            "machines could not share this folder: use another store"
        )

    def _reading(self) -> AbstractContextManager[None]:
        return failing_as(InputError, f"{self.url} cannot be read")
