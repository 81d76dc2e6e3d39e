"""What one part of a maintenance removed, the room that gave back, and what it kept and why."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 2**20
SHOWN = 3  # names in a line
BLOCK = 512  # bytes, as `stat` counts them


@dataclass
class Tidied:
    """One part of a maintenance."""

    part: str
    removed: list[str] = field(default_factory=list)
    freed: int = 0  # bytes of this machine's disk
    kept: Counter[str] = field(default_factory=Counter)  # how many, by the reason
    notes: list[str] = field(default_factory=list)
    error: str | None = None  # why it is not done

    def remove(self, name: str, size: int = 0) -> None:
        """Note what was removed, and the bytes that it took."""
        self.removed.append(name)
        self.freed += size

    def keep(self, why: str, count: int = 1) -> None:
        """Note that something stays."""
        self.kept[why] += count

    def sentence(self, *, dry_run: bool) -> str:
        """Return in a line what was removed, or would be."""
        if not self.removed and not self.freed:
            return "nothing to remove"
        shown = ", ".join(self.removed[:SHOWN])
        more = len(self.removed) - SHOWN
        names = f" ({shown}{f' and {more:,} more' if more > 0 else ''})" if shown else ""
        verb = "would be removed" if dry_run else "removed"
        return f"{len(self.removed):,} {verb}{names}, {mib(self.freed)} given back"

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows."""
        return vars(self) | {"kept": dict(self.kept)}


def mib(size: int) -> str:
    """Return bytes as people read them."""
    return f"{size / MIB:,.1f} MiB"


def disk_use(folder: Path) -> int:
    """Return how many bytes of the disk a folder and all in it take."""
    total = 0
    for parent, _, names in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in names)):  # noqa: PTH118 - fast
            try:
                total += os.lstat(path).st_blocks * BLOCK
            except OSError:  # gone meanwhile
                continue
    return total
