"""A run goes on where its Prefect server is away, or takes it for dead, and is put right again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from prefect import flow_engine
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Running

from flows.orchestration.stale_runs import note_process
from flows.patience import no_answer

S = TypeVar("S")

RETRY_S = 10.0  # between two tries to keep a place
RENEWED = 0.75  # of the time that a place is kept for, until it is asked for again
LOOK_S = 30.0  # between two looks at what the server says of a run: a heartbeat
GOES_ON = "It was taken for dead, and goes on: the server had not heard of it for a while."


def outlive_the_server() -> None:
    """Let the runs of deployments keep their work where the server does not answer.

    By itself Prefect cancels a run whose place it could not renew for a minute. Two runs at a time
    do no harm here, an hour of work that is thrown away does.
    """
    flow_engine.maintain_concurrency_lease = _keeping_place  # type: ignore[attr-defined,assignment]


@contextmanager
def _keeping_place(lease: UUID, seconds: float, **_: Any) -> Iterator[None]:
    """Stands in for what Prefect's engine has around a run with a place of a concurrency limit."""
    with _meanwhile(lambda over: _keep_place(lease, seconds, over)):
        yield


def _keep_place(lease: UUID, seconds: float, over: threading.Event) -> None:
    pause = 0.0
    while not over.wait(pause):
        try:
            with get_client(sync_client=True) as client:
                client.renew_concurrency_lease(lease, seconds)
            pause = RENEWED * seconds
        except Exception as error:
            if not no_answer(error):  # 404: it was given away
                get_run_logger().warning("This run goes on without its place: %s", error)
                return
            pause = RETRY_S


@contextmanager
def seen_alive() -> Iterator[None]:
    """Say which process the run around this is, and that it lives, until the block ends.

    It is brought back to Running if it is taken for dead: a server that was away, or a machine that
    slept, finds that heartbeats are missing before it gets the next one.
    """
    note_process()
    run = UUID(flow_run.id)
    with _meanwhile(lambda over: _stay_alive(run, over)):
        yield


def running_seen_alive(work: Callable[[S], Any]) -> Callable[[S], Any]:
    """Let a flow run within `seen_alive`.

    That itself as a decorator holds a generator, and flows are pickled for a cluster.
    """

    @wraps(work)
    def call(settings: S) -> Any:
        with seen_alive():
            return work(settings)

    return call


def _stay_alive(run: UUID, over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        try:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(run).state
                if state and state.is_crashed():
                    client.set_flow_run_state(run, Running(message=GOES_ON))
        except Exception as error:
            if not no_answer(error):
                get_run_logger().warning("The state of this run is not looked at: %s", error)
                return


@contextmanager
def _meanwhile(what: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something in a thread until the block ends, and wait for the end of that.

    What is done may not come after what the run itself says at its end.
    """
    over = threading.Event()

    def run() -> None:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # it is tried again here
            what(over)

    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
