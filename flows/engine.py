"""What runs the stages of a flow: plainly here, or as tasks of an orchestrator.

A flow is one function that is given an engine, so the same sentence runs with Prefect and without.
"""

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar

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
from rich.text import Text

from tasks.errors import InputError
from tasks.visible import visible

if TYPE_CHECKING:
    from tasks.reporting.document import Report

P = ParamSpec("P")
T = TypeVar("T")
LOCAL = "local"
LABEL_WIDTH = 13  # characters before the text of a line
WIDTH_OF_A_FILE = 200  # characters of a table that is not written to a terminal

Advance = Callable[[float], None]
"""Says how many units are done by now."""

AdvanceBy = Callable[[int, int], None]
"""Says how many more units are done, and how many were rejected; from any thread."""


class Crew(NamedTuple):
    """Who runs a stage that is spread: so many threads of this program, or a cluster."""

    width: int
    runner: str = LOCAL
    address: str | None = None  # of a cluster; without one a local cluster is started


class Engine(Protocol):
    """How a flow runs its stages and shows what it does."""

    def stage(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one stage and return what it returns."""

    def download(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a stage that reaches out of this machine, so that another try can help."""

    def spread(
        self,
        function: Callable[..., T],
        jobs: Iterable[tuple[Any, ...]],
        crew: Crew,
        stop: Callable[[], None],
    ) -> Iterator[T]:
        """Run one stage for each job, some beside each other; yield the results in order.

        Args:
            function: the stage.
            jobs: its arguments.
            crew: who runs it.
            stop: is called when one fails, or the wait is interrupted, so that the others end soon.
        """

    def require(self, crew: Crew) -> None:
        """Refuse a crew that it cannot spread stages on, before any work is done."""

    def say(self, label: str, text: str) -> None:
        """Tell the person who watches one line."""

    def progress(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Show how far a long stage is."""

    def reading(self, total: int) -> AbstractContextManager[AdvanceBy]:
        """Show how many of the files were read, how fast, and how many pages were rejected."""

    def publish(self, key: str, report: "Report") -> None:
        """Show a report where the person who watches finds it."""

    def publish_table(self, key: str, rows: list[dict[str, Any]], sentence: str) -> None:
        """Show rows under a plain sentence, in the same place."""


class _Output(Console):
    """Standard output; where nobody reads it any more, who writes has to know."""

    def on_broken_pipe(self) -> None:
        """Write nothing more, and raise what was caught, instead of ending this process."""
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None


class PlainEngine:
    """Runs the stages in this process and writes lines and bars to the terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Write nothing at all when quiet: for programs that read the answer."""
        self.console = _Output(quiet=quiet, highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = WIDTH_OF_A_FILE
        self.bars = Console(file=sys.stderr, quiet=quiet)

    def stage(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function."""
        return function(*args, **kwargs)

    def download(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function."""
        return function(*args, **kwargs)

    def spread(
        self,
        function: Callable[..., T],
        jobs: Iterable[tuple[Any, ...]],
        crew: Crew,
        stop: Callable[[], None],
    ) -> Iterator[T]:
        """Call the function in threads.

        Raises:
            InputError: the crew is a cluster, which is reached through the orchestrator.
        """
        self.require(crew)
        pool = ThreadPoolExecutor(crew.width, thread_name_prefix=function.__name__)
        try:
            for future in [pool.submit(function, *job) for job in jobs]:
                yield future.result()
        except BaseException:
            stop()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def require(self, crew: Crew) -> None:
        """Refuse clusters.

        Raises:
            InputError: the crew is one, which is reached through the orchestrator.
        """
        if crew.runner != LOCAL:
            raise InputError(f"--runner {crew.runner} is Prefect's: leave out --no-prefect")

    def say(self, label: str, text: str) -> None:
        """Write a line with its label in a column of its own."""
        self.console.print(_shown(f"{label:<{LABEL_WIDTH}}", "bold"), end="")
        self.console.print(_shown(text))

    def heading(self, text: str) -> None:
        """Write a line that opens a new part."""
        self.console.print()
        self.console.print(_shown(text, "bold"))

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        styles: Sequence[str] | None = None,
    ) -> None:
        """Write rows under the names of their columns, each row in its style if there are any."""
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(_shown(column, "bold"))
        for number, row in enumerate(rows):
            style = styles[number] if styles else None
            table.add_row(*(_shown(cell) for cell in row), style=style)
        self.console.print(table)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar on a terminal, and nothing elsewhere."""
        columns = (
            TextColumn(f"{{task.description:<{LABEL_WIDTH}}}", markup=False),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        hidden = not self.bars.is_terminal
        with Progress(*columns, console=self.bars, transient=True, disable=hidden) as progress:
            bar = progress.add_task(visible(title), total=total)
            yield lambda done: progress.update(bar, completed=done)

    @contextmanager
    def reading(self, total: int) -> Iterator[AdvanceBy]:
        """Show a bar with rate, rejects and time left on a terminal, and nothing elsewhere."""
        columns = (
            TextColumn(f"{'Reading':<{LABEL_WIDTH}}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[rejected]:,} rejected"),
            TimeRemainingColumn(),
        )
        hidden, lock = not self.bars.is_terminal, threading.Lock()
        with Progress(*columns, console=self.bars, transient=True, disable=hidden) as progress:
            bar = progress.add_task("Reading", total=total, rate="", rejected=0)

            def advance(files: int, rejected: int) -> None:
                with lock:
                    task = progress.tasks[0]
                    speed = f"{task.speed:,.0f}/s" if task.speed else ""
                    rejects = task.fields["rejected"] + rejected
                    progress.update(bar, advance=files, rate=speed, rejected=rejects)

            yield advance

    def publish(self, key: str, report: "Report") -> None:
        """Do nothing: the report is a file that the flow names."""

    def publish_table(self, key: str, rows: list[dict[str, Any]], sentence: str) -> None:
        """Do nothing: the report holds the same."""


def _shown(text: str, style: str = "") -> Text:
    """Return text as it may be shown; rich looks for markup and emoji in no `Text`."""
    return Text(visible(text), style)
