"""What a person sees of a flow run: lines in its log, and progress as artifacts that move."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from flows.console import AdvanceBy, Console
from tasks.progress import Advance
from tasks.visible import visible

ARTIFACT_EVERY = 10.0  # seconds between two updates of a progress artifact


class RunConsole(Console):
    """Shows what a console does, in the Prefect UI, too; needs a flow run around it."""

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
