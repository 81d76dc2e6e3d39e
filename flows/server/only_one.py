"""One server of a kind at a time: a lock that the system takes back however its holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.server.credentials import private_folder
from tasks.errors import InputError

LOCK_FILE = "up.lock"  # in the home folder, and in Prefect's


@contextmanager
def only_one(folder: Path, url: str, refusal: str, name: str = LOCK_FILE) -> Iterator[None]:
    """Be the only `digitflow up` with a folder until the block ends, or server of another kind.

    Args:
        folder: made if it is not there.
        url: of the server, which others are told.
        refusal: what is said in front of that, if another one is there.
        name: of the file that is locked in the folder.

    Raises:
        InputError: another one is.
    """
    private_folder(folder)
    handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            which = held.read().strip() or "it is about to start"
            raise InputError(f"{refusal}: {which}") from None
        held.truncate()
        held.write(f"{url}, process {os.getpid()}\n")
        held.flush()
        try:
            yield
        finally:
            held.truncate(0)
