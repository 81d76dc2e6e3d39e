"""The two flows as Prefect flows: stages are task runs, reports and progress are artifacts.

`deployments/prefect.yaml` names these two. Importing this file imports Prefect, which costs two
seconds; without it the same sentences run by `flows.engine.PlainEngine`.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from prefect import Task, flow
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.utilities.callables import get_call_parameters

from flows.engine import Advance, AdvanceBy, Crew, PlainEngine
from flows.orchestration.quiet import is_quiet
from flows.orchestration.task_runners import require_reachable, task_runner
from flows.predict import predict as predict_sentence
from flows.train import train as train_sentence
from tasks.errors import DigitflowError
from tasks.reporting.document import Report, as_markdown, to_markdown
from tasks.settings import PredictSettings, TrainSettings
from tasks.visible import visible

P = ParamSpec("P")
T = TypeVar("T")

ARTIFACT_EVERY = 10.0  # seconds between two updates of a progress artifact
DOWNLOAD_WAITS = [5.0, 30.0]  # seconds before another try


class PrefectEngine(PlainEngine):
    """Runs each stage as a Prefect task run; needs a flow run around it."""

    def stage(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function as a task run that has its name."""
        return _as_task(function)(*args, **kwargs)

    def download(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function as a task run that is tried again, unless its input is at fault."""
        retried = _as_task(function).with_options(
            retries=len(DOWNLOAD_WAITS),
            retry_delay_seconds=DOWNLOAD_WAITS,
            retry_condition_fn=_may_pass_later,
        )
        return retried(*args, **kwargs)

    def spread(
        self,
        function: Callable[..., T],
        jobs: Iterable[tuple[Any, ...]],
        crew: Crew,
        stop: Callable[[], None],
    ) -> Iterator[T]:
        """Submit the function as task runs that have its name, to threads or to a cluster."""
        task = _as_task(function)
        with task_runner(crew) as runner:
            arguments = (get_call_parameters(function, job, {}) for job in jobs)
            futures = [runner.submit(task, one) for one in arguments]
            try:
                for future in futures:
                    yield future.result()
            except BaseException:
                stop()
                raise

    def require(self, crew: Crew) -> None:
        """Refuse a runner whose extra is not installed, and an address where nobody answers.

        Raises:
            InputError: with what to do.
        """
        task_runner(crew)
        require_reachable(crew)

    def say(self, label: str, text: str) -> None:
        """Write the line to the terminal and to the log of the run."""
        super().say(label, text)
        get_run_logger().info("%s", visible(f"{label}: {text}" if label else text))

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar on a terminal, and a progress artifact that is updated every ten seconds."""
        artifact = create_progress_artifact(
            0.0, key=title.lower(), description=f"{title} {total:,}"
        )
        assert isinstance(artifact, UUID)  # noqa: S101 - a coroutine only inside an async flow
        last = time.monotonic()
        with super().progress(title, total) as show:

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

    def publish(self, key: str, report: Report) -> None:
        """Make the report a markdown artifact of the run."""
        description = as_markdown(report.lead)
        create_markdown_artifact(to_markdown(report), key=key, description=description)

    def publish_table(self, key: str, rows: list[dict[str, Any]], sentence: str) -> None:
        """Make the rows a table artifact of the run."""
        cells = [{name: _shown(value) for name, value in row.items()} for row in rows]
        create_table_artifact(cells, key=key, description=as_markdown(sentence))


def _as_task(function: Callable[P, T]) -> Task[P, T]:
    name = getattr(function, "__name__", type(function).__name__).replace("_", " ")
    # NO_CACHE: hashing arguments costs more than it saves, and every stage is to run
    return Task(function, name=name, cache_policy=NO_CACHE)


def _may_pass_later(_task: object, _run: object, state: State[Any]) -> bool:
    try:
        state.result()
    except DigitflowError:
        return False
    except Exception:  # what a broken connection raises is the library's choice
        return True
    return False


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) else value


def _run_name() -> str:
    """Return the name of the flow run: what is done to what."""
    settings = flow_run.parameters["settings"]
    if isinstance(settings, TrainSettings):
        return visible(f"train {settings.recipe} on {settings.data}")
    return visible(f"read {settings.source}")


@flow(name="train", flow_run_name=_run_name)
def train(settings: TrainSettings) -> Any:
    """Train a network, judge it, and let it serve if it passes.

    A candidate that the gate refused is a completed run named Refused, not a crash. Who calls
    this gets the `Outcome`, which Prefect takes out of the state.
    """
    outcome = train_sentence(settings, PrefectEngine(quiet=is_quiet()))
    name = "Accepted" if outcome.accepted else "Refused"
    return Completed(name=name, message=visible(outcome.sentence), data=outcome)


@flow(name="predict", flow_run_name=_run_name)
def predict(settings: PredictSettings) -> Any:
    """Read every picture below a folder into the results table.

    Who calls this gets the `Summary`, which Prefect takes out of the state.
    """
    summary = predict_sentence(settings, PrefectEngine(quiet=is_quiet()))
    message = f"{summary.read} read, {summary.review} for review, {summary.rejected} rejected"
    return Completed(message=message, data=summary)
