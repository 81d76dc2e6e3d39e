"""What a person sees of a flow run: lines in its log, and progress as artifacts that move."""

import contextvars
import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.runtime import deployment

from flows.patience import no_answer
from flows.terminal.console import AdvanceBy, Console, is_quiet
from tasks.progress import Advance
from tasks.visible import visible

ARTIFACT_EVERY = 10.0  # seconds between two updates of a progress artifact
SECONDS_IN_WORDS = 120  # from here on minutes


class RunConsole(Console):
    """Shows what a console does, in the Prefect UI, too; needs a flow run around it."""

    def __init__(self) -> None:
        """Let the run of a deployment outlive its worker, which reads the output of the run.

        Where a command is the run, its output is what was asked for, as of `digitflow | head`.
        """
        deployed = deployment.id is not None
        if deployed:
            outlive_readers()
        super().__init__(quiet=is_quiet(), unread_is_error=not deployed)

    def log(self, label: str, text: str) -> None:
        """Write the line to the terminal and to the log of the run."""
        super().log(label, text)
        get_run_logger().info("%s", visible(f"{label}: {text}" if label else text))

    @contextmanager
    def bar(self, title: str, total: int, unit: str = "") -> Iterator[Advance]:
        """Show a bar on a terminal, and a progress artifact."""
        with super().bar(title, total, unit) as show, RunProgress(title, total, unit) as progress:

            def advance(done: float) -> None:
                progress.done = done
                show(done)

            yield advance

    @contextmanager
    def reading(self, total: int) -> Iterator[AdvanceBy]:
        """Show a bar on a terminal, and a progress artifact."""
        lock = threading.Lock()
        with super().reading(total) as show, RunProgress("Reading", total, "files") as progress:

            def advance(files: int, rejected: int) -> None:
                with lock:
                    progress.done += files
                    progress.rejected += rejected
                show(files, rejected)

            yield advance


class RunProgress:
    """A progress artifact, which a thread keeps up to date; its card shows the description alone.

    Each update costs 25 ms, in that thread.
    """

    def __init__(self, title: str, total: int, unit: str) -> None:
        """Make none yet.

        Args:
            title: of what is done; its small letters are the key of the artifact.
            total: units.
            unit: their name in the plural; none: how many there are says nothing.
        """
        self.done, self.rejected = 0.0, 0
        self._title, self._total, self._unit = title, total, unit
        self._over = threading.Event()

    def __enter__(self) -> Self:
        """Make the artifact."""
        self._began = time.monotonic()
        self._artifact: UUID | None = None
        with _unless_away():
            artifact = create_progress_artifact(
                0.0, key=self._title.lower(), description=self.sentence(0.0)
            )
            assert isinstance(artifact, UUID)  # noqa: S101 - a coroutine only inside an async flow
            self._artifact = artifact
        # in this context, of which the settings by which the server is found are a part
        within = contextvars.copy_context()
        self._keeper = threading.Thread(target=within.run, args=(self._keep_up,), daemon=True)
        self._keeper.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Show that it is done, or how far it came."""
        self._over.set()
        self._keeper.join()
        if kind is None:
            self.done = self._total
        self._show()

    def sentence(self, seconds: float) -> str:
        """Return how far it is after so many seconds, and what is left, in the order of worth.

        A card shows some 40 characters.
        """
        share = self._share()
        words = [f"{100 * share:.0f} %"]
        if share == 1 and seconds:
            words[0] += f" in {_spent(seconds)}"
        elif share and seconds:
            words.append(f"{_spent(seconds / share * (1 - share))} left")
        if self._unit and self.done and seconds:
            words.append(_rate(self.done / seconds))
        if self._unit:
            words.append(f"of {self._total:,} {self._unit}")
        if self.rejected:
            words.append(f"{self.rejected:,} rejected")
        return ", ".join(words)

    def _share(self) -> float:
        return self.done / self._total if self._total else 1.0

    def _keep_up(self) -> None:
        while not self._over.wait(ARTIFACT_EVERY):
            self._show()

    def _show(self) -> None:
        sentence = self.sentence(time.monotonic() - self._began)
        with _unless_away():
            if self._artifact:
                update_progress_artifact(self._artifact, 100.0 * self._share(), sentence)


@contextmanager
def _unless_away() -> Iterator[None]:
    """Go on where the server does not answer: the work counts, and the next look tells."""
    try:
        yield
    except Exception as error:
        if not no_answer(error):
            raise


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f} a second" if per_second >= 1 else f"{_spent(1 / per_second)} each"


def _spent(seconds: float) -> str:
    if seconds < SECONDS_IN_WORDS:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    return f"{seconds / 60:.0f} min"


def outlive_readers() -> None:
    """Let Prefect drop log lines for a terminal that nobody reads, where rich ends the process.

    What is raised instead is an error as any other that a handler of `logging` has as it writes.
    The log of the run reaches the server by another handler.
    """
    for name in ("", *logging.root.manager.loggerDict):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, PrefectConsoleHandler):
                handler.console.on_broken_pipe = _raise_broken_pipe  # type: ignore[method-assign]


def _raise_broken_pipe() -> None:
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
