"""One file in an archive by what its header says, and what every archive format can do."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from tasks.outcomes import Reason


class Member(NamedTuple):
    """One file in an archive, by what its header says."""

    name: bytes  # as the archive has it
    position: int  # of its header
    size: int  # bytes of its content
    start: int  # of its content, or (zip) of the header before it
    refusal: tuple[Reason, str] | None = None  # why it cannot be read
    packed: int = 0
    method: int = 0
    checksum: int = 0


class Members(Protocol):
    """An open archive."""

    def scan(self) -> Iterator[Member]:
        """Yield every member that is no folder, in order; raise InputError if it is broken."""

    def at(self, position: int) -> Member:
        """Return the member whose header is there."""

    def content(self, member: Member) -> bytes:
        """Return its bytes, or raise Undecodable; its size is within the limit."""


class OpenedMembers(Members, Protocol):
    """A format: how an archive file is opened."""

    def __init__(self, file: Path) -> None:
        """Open it, or raise InputError."""
