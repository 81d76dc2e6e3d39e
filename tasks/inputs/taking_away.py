"""Files of an inbox moved or deleted once they are read; nothing is overwritten or lost on the way.

A file is taken away only as long as it is the one that was read, by its size and time. It gets its
name in the other folder before it loses the one in the inbox, so that a process that is killed
leaves it under one or both: whoever comes next takes the second for what it is. A link goes as a
link; what it leads to stays.
"""

import errno
import filecmp
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tasks.atomic import make_folder, sync_file, sync_folder
from tasks.inputs.listing import int64s
from tasks.inputs.local import ARRIVAL
from tasks.inputs.stillness import markers_of

TOGETHER = 1_000  # files whose new names are on the disk before the old ones go
# a file system without hard links, or another one
NO_LINK = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}
SAME_TIME_NS = 2_000_000_000  # two times are one: FAT keeps every second second


class ReadFile(NamedTuple):
    """A file of an inbox as it was read, and where it goes."""

    root: bytes  # folder of the inbox
    path: bytes  # below it; may end in the number of a name that comes again
    size: int
    mtime_ns: int
    folder: Path | None  # that it is moved to; None: it is deleted


@dataclass
class TakenAway:
    """What became of files that were to go."""

    moved: int = 0
    deleted: int = 0
    failed: list[str] = field(default_factory=list)  # what could not be moved or deleted, and why


class _Going(NamedTuple):
    """A file that has its new name, and how it was when it got it."""

    source: bytes
    facts: os.stat_result  # of the name in the inbox
    target: Path | None = None
    made: bool = False  # by this run


def take_away(files: Sequence[ReadFile], marker: str = "") -> TakenAway:
    """Move or delete files; what has changed since it was read, or is gone, is left as it is.

    Args:
        files: whose rows are committed.
        marker: ending of the files that said of others that they are whole: these go along.
    """
    done = TakenAway()
    for start in range(0, len(files), TOGETHER):
        going = list(_renamed(files[start : start + TOGETHER], done))
        for folder in {each.target.parent for each in going if each.target}:
            sync_folder(folder)
        for each in going:
            try:
                _remove(each, marker, done)
            except OSError as error:
                done.failed.append(_said(each.source, error))
    return done


def _renamed(files: Sequence[ReadFile], done: TakenAway) -> Iterator[_Going]:
    for file in files:
        source = os.path.join(file.root, ARRIVAL.sub(b"", file.path))  # noqa: PTH118 - bytes
        try:
            facts = os.lstat(source)
            if _same_as_read(source, file):
                named = _named(source, facts, file) if file.folder else ()
                yield _Going(source, facts, *named)
        except FileNotFoundError:
            continue  # by another run, or its user
        except OSError as error:
            done.failed.append(_said(source, error))


def _same_as_read(source: bytes, file: ReadFile) -> bool:
    facts = os.stat(source)  # noqa: PTH116 - bytes; of a link, what was read
    size, mtime_ns = int64s([facts.st_size, facts.st_mtime_ns]).to_pylist()
    return bool((size, mtime_ns) == (file.size, file.mtime_ns))


def _named(source: bytes, facts: os.stat_result, file: ReadFile) -> tuple[Path, bool]:
    """Give a file a free name in its folder; return it, and whether it did not have it before."""
    assert file.folder  # noqa: S101 - that it goes to
    number = ARRIVAL.search(file.path)
    plain = file.folder / os.fsdecode(ARRIVAL.sub(b"", file.path))
    make_folder(plain.parent)
    for each in count(int(number[1]) if number else 1):
        target = plain if each == 1 else plain.with_stem(f"{plain.stem}-{each}")
        try:
            _claim(source, facts, target)
        except FileExistsError:
            if _is_there(source, facts, target):
                return target, False
        else:
            return target, True
    raise AssertionError  # numbers do not end


def _claim(source: bytes, facts: os.stat_result, target: Path) -> None:
    """Make a name of what the inbox has, or a copy where there can be none.

    Raises:
        FileExistsError: the name is taken.
        OSError: it cannot be made.
    """
    if stat.S_ISLNK(facts.st_mode):
        link = Path(os.fsdecode(source))
        target.symlink_to(link.parent / link.readlink())
        return
    try:
        os.link(source, target)  # noqa: PTH - bytes
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        _copy(source, target)


def _copy(source: bytes, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    temporary = target.with_name(f".digitflow-{secrets.token_hex(8)}.tmp")
    try:
        shutil.copy2(os.fsdecode(source), temporary)
        sync_file(temporary)
        try:
            os.link(temporary, target)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _is_there(source: bytes, facts: os.stat_result, target: Path) -> bool:
    """Tell whether a name that is taken is this file's, from one who was killed before the end."""
    there = target.lstat()
    if (there.st_dev, there.st_ino) == (facts.st_dev, facts.st_ino):
        return True
    if stat.S_ISLNK(facts.st_mode) or not stat.S_ISREG(there.st_mode):
        return False
    apart = abs(there.st_mtime_ns - facts.st_mtime_ns)
    same = there.st_size == facts.st_size and apart <= SAME_TIME_NS
    return same and filecmp.cmp(os.fsdecode(source), target, shallow=False)


def _remove(going: _Going, marker: str, done: TakenAway) -> None:
    """Take the name in the inbox away, unless it has become that of another file meanwhile."""
    source, facts, target, made = going
    with suppress(FileNotFoundError):
        after = os.lstat(source)
        if after.st_ino != facts.st_ino:
            return
        if (after.st_size, after.st_mtime_ns) != (facts.st_size, facts.st_mtime_ns):
            if target and made:
                target.unlink()  # it may hold half of what is being written
            return
        for each in markers_of(source, marker) if marker else ():
            with suppress(FileNotFoundError):
                os.unlink(each)  # noqa: PTH108 - bytes
        os.unlink(source)  # noqa: PTH108 - bytes
        if target:
            done.moved += 1
        else:
            done.deleted += 1


def _said(source: bytes, error: OSError) -> str:
    return f"{os.fsdecode(source)}: {error.strerror}"
