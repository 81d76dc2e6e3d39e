"""Asking a Prefect server that may be away for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 600.0  # that the run of a deployment waits for a server that does not answer
COMMAND_PATIENCE_S = 60.0  # that a command waits, before which a person sits
PAUSE_S = 5.0  # until the server is asked again


def patiently(ask: Callable[[], T]) -> T:
    """Ask the Prefect server until it answers: the work is done, and a server may start anew."""
    from prefect.runtime import deployment

    patience = PATIENCE_S if deployment.id else COMMAND_PATIENCE_S
    deadline = time.monotonic() + patience
    while True:
        try:
            return ask()
        except Exception as error:
            if not no_answer(error) or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def no_answer(error: BaseException | None) -> bool:
    """Tell whether an error means that the server did not answer, or could not yet."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    if isinstance(error, RuntimeError):  # Prefect's, around one of those
        return no_answer(error.__cause__)
    return isinstance(error, httpx.TransportError)
