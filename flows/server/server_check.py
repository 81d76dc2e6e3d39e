"""What is wrong with a Prefect server, in one line: before a flow starts, or while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import get_client
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from flows.server.server_process import without_login
from tasks.errors import DigitflowError

ANSWER_S = 20.0


def require_usable() -> None:
    """Ask the server of Prefect's settings for its version and, logged in, for a flow.

    Raises:
        DigitflowError: it does not answer, refuses the login, or is no Prefect server of this time.
    """
    once = {PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: ANSWER_S}
    try:
        with (
            said_in_words(),
            temporary_settings(once),
            get_client(sync_client=True) as client,
        ):
            client.raise_for_api_version_mismatch()
            client.read_flows(limit=1)
    except DigitflowError:
        raise
    except Exception as error:  # what Prefect's client makes of an answer that is no Prefect's
        error_text = _line(error.__cause__ or error)
        raise DigitflowError(
            f"{_server()} does not answer as one of this version ({error_text}): does "
            "PREFECT_API_URL end in /api, and is it Prefect 3?"
        ) from error


@contextmanager
def said_in_words() -> Iterator[None]:
    """Say what happened to the connection to the server.

    Raises:
        DigitflowError: it broke, or the server refused a request.
    """
    try:
        yield
    except httpx.HTTPError as error:
        raise DigitflowError(_in_words(error)) from error
    except RuntimeError as error:  # Prefect's, around one of those
        if not isinstance(error.__cause__, httpx.HTTPError):
            raise
        raise DigitflowError(_in_words(error.__cause__)) from error


def _in_words(error: httpx.HTTPError) -> str:
    if not isinstance(error, httpx.HTTPStatusError):
        advice = "start it, unset PREFECT_API_URL, or use --no-prefect"
        return f"{_server()} does not answer ({_line(error)}): {advice}"
    status = error.response.status_code
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        advice = "give one that it knows as PREFECT_API_AUTH_STRING or PREFECT_API_KEY"
        return f"{_server()} refuses the login ({status}): {advice}, or use --no-prefect"
    what = f"{status} {error.response.reason_phrase} for {error.request.url.path}"
    return f"{_server()} fails ({what}): does PREFECT_API_URL end in /api? Or use --no-prefect"


def _server() -> str:
    return f"the Prefect server at {without_login(PREFECT_API_URL.value() or '')}"


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
