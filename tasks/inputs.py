"""Where pictures come from (stand-in until the helper's file is merged)."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from tasks.decode import Undecodable
from tasks.errors import InputError
from tasks.reasons import Reason

MAX_BYTES = 256 * 2**20


class Entry(NamedTuple):
    path: bytes
    size: int | None
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class Content:
    data: bytes
    size: int
    mtime_ns: int


class Inputs(Protocol):
    @property
    def root(self) -> str: ...

    def entries(self) -> Iterator[Entry]: ...

    def read(self, path: bytes) -> Content: ...


@dataclass(frozen=True)
class Folder:
    root: str

    def entries(self) -> Iterator[Entry]:
        base = os.fsencode(self.root)
        ahead = [b""]
        while ahead:
            below = ahead.pop()
            try:
                with os.scandir(os.path.join(base, below)) as scan:
                    found = sorted(scan, key=lambda e: e.name)
            except OSError:
                yield Entry(below, None, None)
                continue
            for e in found:
                path = os.path.join(below, e.name)
                if e.is_dir(follow_symlinks=False):
                    ahead.append(path)
                else:
                    facts = e.stat(follow_symlinks=False)
                    yield Entry(path, facts.st_size, facts.st_mtime_ns)

    def read(self, path: bytes) -> Content:
        try:
            descriptor = os.open(
                os.path.join(os.fsencode(self.root), path),
                os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC,
            )
        except OSError as error:
            reason = (
                Reason.PERMISSION_DENIED
                if isinstance(error, PermissionError)
                else Reason.VANISHED
                if isinstance(error, FileNotFoundError)
                else Reason.UNREADABLE
            )
            raise Undecodable(reason, f"{type(error).__name__}: {error.strerror}") from None
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Undecodable(
                    Reason.UNSUPPORTED_FORMAT,
                    "not a regular file",
                    facts.st_size,
                    facts.st_mtime_ns,
                )
            if facts.st_size > MAX_BYTES:
                raise Undecodable(
                    Reason.TOO_LARGE,
                    f"{facts.st_size:,} bytes, limit {MAX_BYTES:,}",
                    facts.st_size,
                    facts.st_mtime_ns,
                )
            return Content(os.read(descriptor, facts.st_size), facts.st_size, facts.st_mtime_ns)
        finally:
            os.close(descriptor)


def open_inputs(given: str, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Inputs:
    root = Path(given).expanduser().absolute()
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {what}: give a folder of pictures")
    return Folder(str(root))
