"""A Prefect server with its UI, every deployment, and a worker, on this machine until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from flows.maintenance.upgrade import trouble_of_reading
from flows.server.credentials import kept_login, private_folder
from flows.server.defaults import set_defaults
from flows.server.descendants import adopt_orphans, end_descendants
from flows.server.server_process import (
    CODE,
    STOP_S,
    Server,
    announced,
    listening_socket,
    running_server,
    start_server,
    stop,
    trouble_in,
    wait_until_it_answers,
    with_our_code,
)
from tasks.atomic import make_folder
from tasks.errors import DigitflowError, InputError
from tasks.settings import home, inbox, models_place, results_table

POOL = "digitflow"
SERVER_START_S = 180.0  # until the server has to answer

Say = Callable[[str, str], None]


def up(port: int, say: Say, *, no_auth: bool = False) -> None:
    """Start everything, say where it is, and stop it again at Ctrl-C or SIGTERM.

    Whatever ends this process, nothing that it has started outlives it.

    Args:
        port: of the server.
        say: prints a line.
        no_auth: ask nobody for credentials.

    Raises:
        InputError: the port is taken, or `up` runs already for this home.
        DigitflowError: the server or the worker did not start, or stopped by itself.
    """
    listening = listening_socket(port)
    already = running_server()
    if already:
        listening.close()
        raise InputError(f"`digitflow up` runs for {home()} already: {already.url}")
    private_folder(home())
    login = (
        None if no_auth else os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or kept_login(home())
    )
    server = Server(port, login)
    environment = _environment(server)
    signal.signal(signal.SIGTERM, _as_interrupt)
    adopt_orphans()
    try:
        with _log("server") as log, _serving(server, listening, environment, log) as process:
            say("Server", f"starting, log in {log.name}")
            wait_until_it_answers(server, process, SERVER_START_S, log)
            _deploy(environment)
            program = ["prefect", "worker", "start", "--pool", POOL, "--name", f"digitflow-{port}"]
            with (
                _log("worker") as worker_log,
                _stopped(_module(environment, program, worker_log)) as worker,
                announced(server),
            ):
                _say_what_reads(say)
                _welcome(server, say)
                _wait({"server": (process, log), "worker": (worker, worker_log)})
    except KeyboardInterrupt:
        say("Stopped", "worker and server have ended")
    finally:
        end_descendants(STOP_S)


def _environment(server: Server) -> dict[str, str]:
    """Return the environment of the worker, and of the runs that it starts."""
    set_defaults()
    make_folder(Path(inbox()))
    ours = {name: value for name, value in os.environ.items() if name not in _OF_SERVERS}
    return {
        **ours,
        **server.client_environment(),
        "DIGITFLOW_HOME": str(home()),
        "DIGITFLOW_MODELS": models_place(),
        "DIGITFLOW_RESULTS": results_table(),
        "PYTHONPATH": with_our_code(os.environ),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",  # the logs here are files
    }


# how a server is reached and logged in to: where the user has set it, it is for another one
_OF_SERVERS = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_SERVER_API_AUTH_STRING")


def _log(name: str) -> IO[bytes]:
    folder = private_folder(home() / "logs")
    return (folder / f"{name}.log").open("ab+")


@contextmanager
def _serving(
    server: Server, listening: socket.socket, environment: dict[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    with listening:  # the process has its own copy, and the port is free when that ends
        process = start_server(server, listening, environment, log)
    with _stopped(process):
        yield process


@contextmanager
def _stopped(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Stop a process when the block ends; a second Ctrl-C does not leave half of it behind."""
    try:
        yield process
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            stop(process)
        finally:
            signal.signal(signal.SIGINT, before)


def _deploy(environment: dict[str, str]) -> None:
    """Make the work pool, apply prefect.yaml and the automations, and see that they are there."""
    for module, *arguments in (
        ["prefect", "--no-prompt", "work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"],
        ["flows.orchestration.automations"],
    ):
        with _log("deploy") as log:
            log.truncate(0)
            with _stopped(_module(environment, [module, *arguments], log)) as process:
                if process.wait():
                    raise DigitflowError(
                        f"`{' '.join([module, *arguments])}` failed: {trouble_in(log)}"
                    )


def _module(
    environment: dict[str, str], arguments: list[str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a Python module as a program, of which nothing outlives this process."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-m", "flows.server.subreaper", *arguments],
        cwd=CODE,
        env=environment,
        stdin=subprocess.PIPE,  # held open as long as this process lives
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches this process, which stops them in order
    )


def _welcome(server: Server, say: Say) -> None:
    show = "digitflow credentials"
    if os.environ.get("DIGITFLOW_HOME"):
        show = f"DIGITFLOW_HOME={home()} {show}"
    say("UI", server.url)
    if server.login is None:
        say("Login", "none (--no-auth): any user of this machine can run commands as you")
    elif sys.stdout.isatty():
        say("Login", f"{server.login} (shown again by `{show}`)")
    else:
        say("Login", f"shown by `{show}`")
    say("Schedules", "train/weekly, Sundays 03:00 UTC; predict/inbox, every five minutes;")
    say("", "maintain/nightly, 01:30 UTC")
    say("Inbox", inbox())
    say("", "From another terminal:")
    say("", f"  export $({show})")
    say("", "  prefect deployment run train/weekly")
    say("", """  prefect deployment run predict/inbox -p settings='{"source": "/path/to/scans"}'""")
    say("", "Ctrl-C stops it all.")


def _say_what_reads(say: Say) -> None:
    """Say which model will not read, before a run fails by it."""
    try:
        trouble = trouble_of_reading()
    except DigitflowError as error:
        trouble = str(error)
    if trouble:
        say("Model", trouble)


def _wait(watched: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]]) -> None:
    while True:
        for name, (process, log) in watched.items():
            if process.poll() is not None:
                raise DigitflowError(
                    f"the {name} stopped by itself (code {process.returncode}): {trouble_in(log)}"
                )
        time.sleep(0.5)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
