"""The orchestrated flows, called from this process: on a server where one runs, else embedded."""

import atexit
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, cast

from flows.alerting.known_server import ours_in_use, talking_to
from flows.server.credentials import new_login
from flows.server.defaults import set_defaults
from flows.server.server_process import (
    HOST,
    PORT,
    Server,
    listening_socket,
    running_server,
    start_server,
    stop,
    wait_until_it_answers,
    without_login,
)
from flows.terminal.console import quietly
from tasks.errors import InputError
from tasks.gc_control import uncollected
from tasks.settings.base import MaintainSettings, home
from tasks.settings.reading import PredictSettings
from tasks.settings.training import TrainSettings

if TYPE_CHECKING:
    from flows.maintenance.maintain import Maintained
    from flows.train import Outcome
    from tasks.results.summary import Summary

EMBEDDED_STOP_S = 5.0
STATE = ("DIGITFLOW_HOME", "PREFECT_HOME")  # variables for where reports and runs are kept


def run_train(settings: TrainSettings, *, quiet: bool = False) -> "Outcome":
    """Run the train flow and return its outcome."""
    with _prefect(quiet=quiet):
        with uncollected():
            from flows.orchestration.flows import train

        return cast("Outcome", train(settings))


def run_predict(settings: PredictSettings, *, quiet: bool = False) -> "Summary":
    """Run the predict flow and return its summary, also that of a strict run that failed."""
    with _prefect(quiet=quiet):
        with uncollected():
            from flows.orchestration.flows import predict
            from flows.predict import PicturesRejected

        try:
            return cast("Summary", predict(settings))
        except PicturesRejected as error:
            return error.summary


def run_maintain(settings: MaintainSettings, *, quiet: bool = False) -> "Maintained":
    """Run the maintain flow and return what it did."""
    with _prefect(quiet=quiet):
        with uncollected():
            from flows.orchestration.flows import maintain

        return cast("Maintained", maintain(settings))


def where_runs_are_listed() -> str:
    """Return the address of the list of runs, or what to do to see it."""
    from prefect.settings import PREFECT_API_URL

    configured, running = PREFECT_API_URL.value(), running_server()
    if running and configured in (None, running.api_url):
        return f"{running.url}/runs"
    if configured:
        return f"{without_login(configured).removesuffix('/api')}/runs"
    places = [f"{name}={shlex.quote(os.environ[name])}" for name in STATE if os.environ.get(name)]
    return f"`{' '.join([*places, 'digitflow up'])}`, then http://{HOST}:{PORT}/runs"


@contextmanager
def lasting_server() -> Iterator[None]:
    """Set Prefect up for the server that is configured, or for that of `digitflow up`.

    Raises:
        InputError: there is neither.
        DigitflowError: the server cannot be used.
    """
    with _prefect(quiet=False, lasting=True):
        yield


@contextmanager
def _prefect(*, quiet: bool, lasting: bool = False) -> Iterator[None]:
    """Set Prefect up for a flow: for the server that is configured, or for one of ours.

    Args:
        quiet: show no progress.
        lasting: start no server that would end with this process.

    Raises:
        DigitflowError: the server cannot be used.
    """
    set_defaults()
    with uncollected():
        from prefect import tags
        from prefect.settings import PREFECT_API_URL

        from flows.deploying.remembered import TAG
        from flows.server.server_check import require_usable, said_in_words

    configured = PREFECT_API_URL.value()
    ours = _server(configured, lasting=lasting)
    # workers of a cluster on this machine are processes, which log without these settings
    inherited = _inherited(ours.client_environment() if ours else {})
    with quietly(on=quiet), talking_to(ours), inherited:
        require_usable()
        with said_in_words(), tags(TAG):
            yield


@contextmanager
def _inherited(variables: dict[str, str]) -> Iterator[None]:
    """Give variables to the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _server(configured: str | None, *, lasting: bool) -> Server | None:
    """Return the server of ours that is to be used, None where another is configured."""
    if configured:
        return ours_in_use(configured)
    running = running_server()
    if lasting and running is None:
        raise InputError(
            f"no Prefect server runs for {home()}, and none is configured: start `digitflow up`, "
            "or set PREFECT_API_URL and PREFECT_API_AUTH_STRING"
        )
    return running or _embedded()


@cache
def _embedded() -> Server:
    """Start a server for this process alone, and stop it at its end.

    Prefect has one, too, but it answers every page and every user, and outlives a command that is
    killed.

    Raises:
        DigitflowError: it does not start.
    """
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    listening = listening_socket(0)
    server = Server(listening.getsockname()[1], new_login())
    environment = {
        **os.environ,
        **settings.to_environment_variables(exclude_unset=True),
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT_SERVER_UI_ENABLED": "false",
    }
    log = tempfile.TemporaryFile()  # noqa: SIM115 - written as long as the process lives
    with listening:
        process = start_server(server, listening, environment, log)
    atexit.register(stop, process, EMBEDDED_STOP_S)
    seconds = settings.server.ephemeral.startup_timeout_seconds
    wait_until_it_answers(server, process, seconds, log)
    return server
