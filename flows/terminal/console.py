"""What a person sees of a command: lines, tables and bars."""

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console as Terminal
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

from tasks.progress import Advance
from tasks.visible import visible

LABEL_WIDTH = 13  # characters before the text of a line
WIDTH_OF_A_FILE = 200  # characters of a table that is not written to a terminal

AdvanceBy = Callable[[int, int], None]
"""Is told how many more units are done, and how many were rejected; from any thread."""

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def is_quiet() -> bool:
    """Tell whether flows of this context write nothing to the terminal."""
    return _quiet.get()


@contextmanager
def quietly(*, on: bool = True) -> Iterator[None]:
    """Let flows of this context write nothing to the terminal, if on."""
    token = _quiet.set(on)
    try:
        yield
    finally:
        _quiet.reset(token)


class _Output(Terminal):
    """Standard output; where nobody reads it any more, who writes has to know, or goes on."""

    unread_is_error = True

    def on_broken_pipe(self) -> None:
        """Write nothing more, and raise what was caught, instead of ending this process."""
        self.quiet = True
        if self.unread_is_error:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None


class Console:
    """Lines and tables on standard output, bars on standard error where that is a terminal."""

    def __init__(self, *, quiet: bool = False, unread_is_error: bool = True) -> None:
        """Open both outputs.

        Args:
            quiet: write nothing at all, for programs that read the answer.
            unread_is_error: raise BrokenPipeError where nobody reads standard output any more;
                otherwise nothing more is written, and the work goes on.
        """
        self._output = _Output(quiet=quiet, highlight=False, soft_wrap=True)
        self._output.unread_is_error = unread_is_error
        if not self._output.is_terminal:
            self._output.width = WIDTH_OF_A_FILE
        self._bars = Terminal(file=sys.stderr, quiet=quiet)

    def log(self, label: str, text: str) -> None:
        """Write a line with its label in a column of its own."""
        self._output.print(_shown(f"{label:<{LABEL_WIDTH}}", "bold"), end="")
        self._output.print(_shown(text))

    def heading(self, text: str) -> None:
        """Write a line that opens a new part."""
        self._output.print()
        self._output.print(_shown(text, "bold"))

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
        self._output.print(table)

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "") -> Iterator[Advance]:
        """Show a bar on a terminal, and nothing elsewhere."""
        columns = (
            TextColumn(f"{{task.description:<{LABEL_WIDTH}}}", markup=False),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        hidden = not self._bars.is_terminal
        with Progress(*columns, console=self._bars, transient=True, disable=hidden) as progress:
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
        hidden, lock = not self._bars.is_terminal, threading.Lock()
        with Progress(*columns, console=self._bars, transient=True, disable=hidden) as progress:
            bar = progress.add_task("Reading", total=total, rate="", rejected=0)

            def advance(files: int, rejected: int) -> None:
                with lock:
                    task = progress.tasks[0]
                    speed = f"{task.speed:,.0f}/s" if task.speed else ""
                    rejects = task.fields["rejected"] + rejected
                    progress.update(bar, advance=files, rate=speed, rejected=rejects)

            yield advance


def _shown(text: str, style: str = "") -> Text:
    """Return text as it may be shown; rich looks for markup and emoji in no `Text`."""
    return Text(visible(text), style)
