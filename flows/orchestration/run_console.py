"""What a person sees of a flow run: lines in its log, and progress as artifacts that move."""

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.runtime import deployment

from flows.console import AdvanceBy, Console, is_quiet
from tasks.progress import Advance
from tasks.visible import visible

ARTIFACT_EVERY = 10.0  # seconds between two updates of a progress artifact


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
    def bar(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar on a terminal, and a progress artifact that is updated every ten seconds."""
        artifact = create_progress_artifact(
            0.0, key=title.lower(), description=f"{title} {total:,}"
        )
        assert isinstance(artifact, UUID)  # noqa: S101 - a coroutine only inside an async flow
        last = time.monotonic()
        with super().bar(title, total) as show:

            def advance(done: float) -> None:
                nonlocal last
                show(done)
                if time.monotonic() - last > ARTIFACT_EVERY:
                    update_progress_artifact(artifact, 100.0 * done / max(1, total))
                    last = time.monotonic()

            yield advance
        update_progress_artifact(artifact, 100.0)

    @contextmanager
    def reading(self, total: int) -> Iterator[AdvanceBy]:
        """Show a bar on a terminal, and a progress artifact that a thread keeps up to date."""
        artifact = create_progress_artifact(0.0, key="reading", description=f"{total:,} files")
        assert isinstance(artifact, UUID)  # noqa: S101 - a coroutine only inside an async flow
        done, over = 0, threading.Event()

        def keep_up() -> None:
            while not over.wait(ARTIFACT_EVERY):
                update_progress_artifact(artifact, 100.0 * done / max(1, total))

        keeper = threading.Thread(target=keep_up, daemon=True)
        keeper.start()
        try:
            with super().reading(total) as show:

                def advance(files: int, rejected: int) -> None:
                    nonlocal done
                    done += files
                    show(files, rejected)

                yield advance
        finally:
            over.set()
            keeper.join()
        update_progress_artifact(artifact, 100.0)


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
