"""What runs the stages of a flow: plainly here, or as tasks of an orchestrator.

A flow is one function that is given an engine, so the same sentence runs with Prefect and without.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from tasks.report import Report

P = ParamSpec("P")
T = TypeVar("T")
LABEL_WIDTH = 13  # characters before the text of a line
WIDTH_OF_A_FILE = 200  # characters of a table that is not written to a terminal

Advance = Callable[[float], None]
"""Says how many units are done by now."""


class Engine(Protocol):
    """How a flow runs its stages and shows what it does."""

    def stage(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one stage and return what it returns."""

    def download(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a stage that reaches out of this machine, so that another try can help."""

    def say(self, label: str, text: str) -> None:
        """Tell the person who watches one line."""

    def progress(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Show how far a long stage is."""

    def publish(self, key: str, report: "Report") -> None:
        """Show a report where the person who watches finds it."""

    def publish_table(self, key: str, rows: list[dict[str, Any]], sentence: str) -> None:
        """Show rows under a plain sentence, in the same place."""


class PlainEngine:
    """Runs the stages in this process and writes lines and bars to the terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Write nothing at all when quiet: for programs that read the answer."""
        self.console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = WIDTH_OF_A_FILE
        self.bars = Console(file=sys.stderr, quiet=quiet)

    def stage(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function."""
        return function(*args, **kwargs)

    def download(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function."""
        return function(*args, **kwargs)

    def say(self, label: str, text: str) -> None:
        """Write a line with its label in a column of its own."""
        self.console.print(f"{label:<{LABEL_WIDTH}}", style="bold", end="", markup=False)
        self.console.print(text, markup=False)

    def heading(self, text: str) -> None:
        """Write a line that opens a new part."""
        self.console.print(f"\n{text}", style="bold", markup=False)

    def show(self, table: Table) -> None:
        """Write a table."""
        self.console.print(table)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar on a terminal, and nothing elsewhere."""
        columns = (
            TextColumn(f"{title:<{LABEL_WIDTH}}"),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        hidden = not self.bars.is_terminal
        with Progress(*columns, console=self.bars, transient=True, disable=hidden) as progress:
            bar = progress.add_task(title, total=total)
            yield lambda done: progress.update(bar, completed=done)

    def publish(self, key: str, report: "Report") -> None:
        """Do nothing: the report is a file that the flow names."""

    def publish_table(self, key: str, rows: list[dict[str, Any]], sentence: str) -> None:
        """Do nothing: the report holds the same."""
