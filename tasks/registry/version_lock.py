"""Who reads with a version holds a lock on its card, so that nobody deletes it in the meantime.

The lock is the system's, so that it ends with its process. It is seen wherever the folder is
mounted; of a bucket, only what this machine has copied is locked.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tasks.errors import ModelError
from tasks.registry.version import CARD_FILE


@contextmanager
def in_use(onnx: Path) -> Iterator[None]:
    """Keep the version that a model file belongs to, if to any, until the block ends.

    Raises:
        ModelError: it was deleted since it was found.
    """
    card = onnx.parent / CARD_FILE
    if not card.is_file():
        if not onnx.is_file():
            raise ModelError(f"{onnx} was deleted: choose another version")
        yield
        return
    with card.open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        if not card.is_file() or not os.path.samestat(card.stat(), os.fstat(held.fileno())):
            raise ModelError(f"{onnx} was deleted: choose another version")
        yield


@contextmanager
def unused(folders: Iterable[Path]) -> Iterator[bool]:
    """Tell whether nobody reads with a version, and let nobody begin until the block ends.

    Args:
        folders: with copies of it.
    """
    with ExitStack() as held:
        cards = (folder / CARD_FILE for folder in folders)
        for card in (card for card in cards if card.is_file()):
            opened = held.enter_context(card.open("rb+"))  # NFS locks alone only what it may write
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True
