"""What a long stage tells the person who watches: lines and bars, wherever those are shown."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

Advance = Callable[[float], None]
"""Is told how many units are done by now."""


class ProgressLog(Protocol):
    """Where lines and bars go."""

    def log(self, label: str, text: str) -> None:
        """Write one line with its label."""

    def bar(self, title: str, total: int, unit: str = "") -> AbstractContextManager[Advance]:
        """Show how far something is, of so many units; without a name of them, as a share."""
