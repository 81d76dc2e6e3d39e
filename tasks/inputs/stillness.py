"""Which files of a local folder are whole, by what can be seen of them from outside.

A file is still if nothing of it changes between two looks. Its age would be quicker to see, but it
is told by the clock of whoever wrote it or of a share, which may be years off, and `cp -p`, `rsync`
and `unzip` give new files old times. Each look opens the file: a share asks its server then, and
answers from memory otherwise, for up to a minute.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tasks.inputs.base import Content, Entry, Inputs, Roots, unprintable
from tasks.inputs.local import OPEN_FLAGS, reason_of
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import Reason

EMPTY_S = 600.0  # of an empty file, which more often than not is one that was only just made


class Look(NamedTuple):
    """What was seen of a file; two looks are equal if it did not change in between."""

    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0  # of the whole file; no program can set it
    inode: int = 0
    refusal: Reason | None = None  # it could not be opened


def path_on_disk(roots: Roots, path: bytes) -> bytes | None:
    """Return the whole path of a file of some inputs; None where it is on no disk of this machine.

    Of a member of an archive it is that of the archive.
    """
    root, text = roots.place(path)
    if "://" in root:
        return None
    base = unprintable(root)
    return base if os.path.isfile(base) else os.path.join(base, unprintable(text))  # noqa: PTH113, PTH118 - bytes


def look(path: bytes) -> Look:
    """Look at a file as it is now, also where that is a share."""
    try:
        opened = os.open(path, OPEN_FLAGS)
    except (OSError, ValueError) as error:
        refusal = reason_of(error) if isinstance(error, OSError) else Reason.VANISHED
        return Look(refusal=refusal)
    try:
        facts = os.fstat(opened)
    finally:
        os.close(opened)
    return Look(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


def still(
    paths: Iterable[bytes], seconds: float, sleep: Callable[[float], None] = time.sleep
) -> list[bool]:
    """Tell of each file whether nothing of it changed for so many seconds.

    An empty one has to be empty for some minutes; where its time cannot be, that is not waited for.

    Args:
        paths: whole ones; several looks of one cost one look each.
        seconds: between the first look at the last file, and the second one.
        sleep: waits.
    """
    files = list(paths)
    if not seconds:
        return [True] * len(files)
    first = [look(path) for path in files]
    sleep(seconds)
    return [_unchanged(before, look(path)) for path, before in zip(files, first, strict=True)]


def _unchanged(before: Look, after: Look) -> bool:
    if before != after:
        return False
    if after.refusal or after.size:
        return True
    changed = max(after.mtime_ns, after.ctime_ns) / 1e9
    return abs(time.time() - changed) >= EMPTY_S


def has_marker(path: bytes, ending: str) -> bool:
    """Tell whether another file beside this one says that it is whole."""
    return any(os.path.lexists(marker) for marker in markers_of(path, ending))


def markers_of(path: bytes, ending: str) -> list[bytes]:
    """Return the files that may say so: `scan.png.done` and `scan.done` for `scan.png`."""
    end = os.fsencode(ending)
    return [path + end, os.path.splitext(path)[0] + end]  # noqa: PTH122 - bytes


class Arriving(Inputs):
    """Inputs without what is still being written by its name, and without what is no picture."""

    def __init__(
        self, inputs: Inputs, unfinished: PathFilter | None, leave_out: Callable[[bytes], bool]
    ) -> None:
        """Take what is listed.

        Args:
            inputs: the files.
            unfinished: matches the names of files that are being written, in lower case.
            leave_out: tells of a path whether it is none of them.
        """
        self._inputs, self._unfinished, self._leave_out = inputs, unfinished, leave_out
        self.root = inputs.root
        self.growing: list[str] = []  # files that are being written, once all is listed

    @property
    def roots(self) -> Roots:
        """Return where they lie."""
        return self._inputs.roots

    def entries(self) -> Iterator[Entry]:
        """Yield what is listed."""
        self.growing = []
        for entry in self._inputs.entries():
            if self._leave_out(entry.path):
                continue
            if self._unfinished and self._unfinished.matches(entry.path.lower()):
                self.growing.append(self.roots.shown(*self.roots.place(entry.path)))
                continue
            yield entry
        self.empty = self._inputs.empty

    def read(self, path: bytes) -> Content:
        """Return a file; see the inputs it is from."""
        return self._inputs.read(path)
