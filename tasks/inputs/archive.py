"""Pictures in a zip or tar archive, read in place: nothing is unpacked to disk."""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from tasks.archives.member import Member, Members, OpenedMembers
from tasks.archives.tar_format import TarMembers, begins_like_tar
from tasks.archives.unpacking import allowance, beyond
from tasks.archives.zip_format import ZipMembers, is_zip
from tasks.errors import InputError
from tasks.inputs.base import AGAIN, Content, Entry, Inputs, printable
from tasks.inputs.local import too_large
from tasks.inputs.name_index import NameIndex
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import MAX_BYTES, Reason, Undecodable


class Archive(Inputs):
    """The members of one archive file, whose time is the time of each of them.

    A member's path is its name without `.`, `..` and slashes too many, so it stays below any
    folder. If a path comes again in the archive, that member's path ends in `//2`, `//3`, ...
    """

    def __init__(self, file: Path, members: type[OpenedMembers], path_filter: PathFilter) -> None:
        """Go through the whole archive once.

        Raises:
            InputError: the archive is broken or cannot be read.
        """
        self.root = printable(os.fsencode(file))
        self._file, self._format, self._filter = file, members, path_filter
        try:
            self._facts = _facts(file)
            self._opened = _Opened(members(file), allowance(self._facts[0]))
        except OSError as error:
            raise self._out_of_reach(error) from None

    def __getstate__(self) -> dict[str, object]:
        """Leave the open file and the index behind: each process makes its own."""
        return self.__dict__ | {"_opened": None}

    def entries(self) -> Iterator[Entry]:
        """Yield the members in the archive's order, which is the fast one to read in."""
        opened = self._open()
        earlier = opened.index.occurrences()
        try:
            for member in opened.members.scan():
                path = clean(member.name)
                if before := earlier.before(path):
                    path += AGAIN + str(before + 1).encode()
                if self._filter.matches(path):
                    yield Entry(path, member.size, self._facts[1])
        except OSError as error:
            raise self._out_of_reach(error) from None

    def read(self, path: bytes) -> Content:
        """Return a member, checked against its checksum where the format has one.

        Raises:
            Undecodable: it is a link, encrypted, damaged, too large, or the archive has changed
                or cannot be read.
        """
        opened, time = self._open(), self._facts[1]
        try:
            data = opened.content(path)
        except Undecodable as error:
            self._check_unchanged()
            error.mtime_ns = time
            raise
        except OSError as error:
            detail = f"{type(error).__name__}: {error.strerror}"
            raise Undecodable(Reason.STORAGE_ERROR, detail, mtime_ns=time) from None
        self._check_unchanged()
        return Content(data, len(data), time)

    def _open(self) -> "_Opened":
        if self._opened is None:
            self._check_unchanged()
            try:
                self._opened = _Opened(self._format(self._file), allowance(self._facts[0]))
            except (OSError, InputError) as error:
                raise Undecodable(Reason.STORAGE_ERROR, str(error)) from None
        return self._opened

    def _out_of_reach(self, error: OSError) -> InputError:
        return InputError(f"{self.root} cannot be read: {error.strerror}")

    def _check_unchanged(self) -> None:
        try:
            same = _facts(self._file) == self._facts
        except OSError as error:
            raise Undecodable(Reason.VANISHED, f"the archive is gone: {error.strerror}") from None
        if not same:
            raise Undecodable(Reason.CHANGED, "the archive changed after it was listed")


class _Opened:
    """An open archive with the index of its members."""

    def __init__(self, members: Members, limit: int) -> None:
        """Go through the members; taken together they may unpack to `limit` bytes."""
        self.members, self._limit, self._left = members, limit, limit
        self._beyond = array("q")  # positions of those that would unpack to more, ascending
        self.index = NameIndex(self._named_positions())

    def content(self, path: bytes) -> bytes:
        member = self._find(path)
        try:
            if refusal := _refusal(member):
                raise refusal
            if self._is_beyond(member.position):
                raise Undecodable(Reason.TOO_LARGE, f"the archive {beyond(self._limit)}")
            return self.members.content(member)
        except Undecodable as error:
            error.size = member.size
            raise

    def _named_positions(self) -> Iterator[tuple[bytes, int]]:
        for member in self.members.scan():
            cost = member.size if _refusal(member) is None else 0
            if cost > self._left:
                self._beyond.append(member.position)  # smaller ones after it may still have room
            else:
                self._left -= cost
            yield clean(member.name), member.position

    def _is_beyond(self, position: int) -> bool:
        at = bisect_left(self._beyond, position)
        return at < len(self._beyond) and self._beyond[at] == position

    def _find(self, path: bytes) -> Member:
        name, _, number = path.rpartition(AGAIN) if AGAIN in path else (path, b"", b"1")
        try:
            wanted = int(number) - 1
            positions = self.index.positions(name)
            # names with one hash are rare: one look is enough, also where all members have one name
            member = self.members.at(positions[wanted])
            if clean(member.name) == name:
                return member
            found = map(self.members.at, positions)
            return [member for member in found if clean(member.name) == name][wanted]
        except (IndexError, ValueError):
            raise Undecodable(Reason.VANISHED, "no such member") from None


def _refusal(member: Member) -> Undecodable | None:
    """Return why a member is not read whatever it holds."""
    if (size := max(member.size, member.packed)) > MAX_BYTES:
        return too_large(size, None)
    return Undecodable(*member.refusal) if member.refusal else None


def open_archive(file: Path, path_filter: PathFilter) -> Archive | None:
    """Return the archive, found by its content, or nothing if the file is none.

    Raises:
        InputError: it begins like an archive, but is broken, or is compressed and holds no tar.
    """
    try:
        with file.open("rb") as opened:
            start = opened.read(512)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    if is_zip(file, start):
        return Archive(file, ZipMembers, path_filter)
    if begins_like_tar(start):
        return Archive(file, TarMembers, path_filter)
    return None


def clean(name: bytes) -> bytes:
    """Return a member's name as a relative path that leads nowhere else."""
    if b"/" not in name:
        return name if name not in (b"", b".", b"..") else b"."
    parts = [part for part in name.split(b"/") if part not in (b"", b".", b"..")]
    return b"/".join(parts) or b"."


def _facts(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
