"""A Prefect server with its UI, every deployment, and a worker, on this machine until Ctrl-C."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from types import FrameType
from typing import IO

from flows.deploying.declared import declaration
from flows.deploying.settings_file import notify_settings, read_settings_file
from flows.maintenance.upgrade import trouble_of_reading
from flows.server.credentials import kept_login, private_folder
from flows.server.defaults import prefect_home, set_defaults
from flows.server.descendants import adopt_orphans, end_descendants, reap_orphans
from flows.server.log_files import keep_small
from flows.server.only_one import only_one
from flows.server.restarted import Restarted, Say
from flows.server.server_process import (
    CODE,
    HOST,
    STOP_S,
    Server,
    announced,
    listening_socket,
    start_server,
    stop,
    trouble_in,
    wait_until_it_answers,
    with_our_code,
)
from flows.status.address import STATUS_PAGE
from tasks.atomic import make_folder
from tasks.errors import DigitflowError, InputError
from tasks.settings.base import home, inbox, models_place, results_table

USUAL_INBOX = "predict/inbox"  # of a home without a settings file
SERVER_START_S = 180.0  # until the server has to answer
STALE_RUNS = "flows.orchestration.stale_runs"
LOOK_S = 0.5  # between two looks at server and worker
ENDS = (signal.SIGTERM, signal.SIGHUP)  # that end `up` as Ctrl-C does


def up(port: int, say: Say, *, no_auth: bool = False) -> None:
    """Start everything, say where it is, and stop it again at Ctrl-C, SIGTERM or SIGHUP.

    A server or a worker that dies is started again, and the runs go on. Ended, this process ends
    the runs, the worker and the server. Killed, it takes worker and server with it, and the runs
    finish their work.

    Args:
        port: of the server.
        say: prints a line.
        no_auth: ask nobody for credentials.

    Raises:
        InputError: the port is taken, `up` runs already for this home or on Prefect's state, the
            settings file or a variable of alerts is wrong, or no worker of its pool can run here.
        DigitflowError: the server did not start, or server or worker died again and again.
    """
    said = read_settings_file()
    pool = declaration(said).pool
    require_worker(pool.type)
    notify_settings(said)  # is refused here, if it is wrong
    set_defaults()
    private_folder(home())
    url = f"http://{HOST}:{port}"
    shared = (
        f"`digitflow up` of another home keeps its runs in {prefect_home()}: set PREFECT_HOME to "
        "another folder, or end that one"
    )
    with (
        only_one(home(), url, f"`digitflow up` runs for {home()} already"),
        only_one(prefect_home(), url, shared),
        listening_socket(port) as listening,
        _log("server") as server_log,
        _log("worker") as worker_log,
    ):
        login = _login(no_auth=no_auth)
        _run(Server(port, login), pool.name, listening, say, server_log, worker_log)


def require_worker(pool_type: str) -> None:
    """See that a worker of a pool of this type can run in this environment.

    Raises:
        InputError: what it needs is not installed.
    """
    package = f"prefect-{pool_type}"
    if pool_type != "process" and find_spec(package.replace("-", "_")) is None:
        raise InputError(
            f"digitflow.toml, [pool] type {pool_type}: its worker needs the package {package} in "
            "digitflow's environment: install it there, or run the worker where it is"
        )


def _login(*, no_auth: bool) -> str | None:
    if no_auth:
        return None
    return os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or kept_login(home())


def _run(
    server: Server,
    pool: str,
    listening: socket.socket,
    say: Say,
    server_log: IO[bytes],
    worker_log: IO[bytes],
) -> None:
    environment = _environment(server)
    worker_command = ["flows.orchestration.worker", f"digitflow-{server.port}", pool]
    kept: dict[str, Restarted] = {}
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup does
            signal.signal(number, _as_interrupt)
    adopt_orphans()
    try:
        kept["server"] = Restarted(
            "server",
            lambda: start_server(server, listening, environment, server_log),
            server_log,
            say,
        )
        say("Server", f"starting, log in {server_log.name}")
        wait_until_it_answers(server, kept["server"].process, SERVER_START_S, server_log)
        schedules = _deploy(environment, say)
        kept["worker"] = Restarted(
            "worker",
            lambda: _module(environment, worker_command, worker_log),
            worker_log,
            say,
            may_start=server.answers,
        )
        with announced(server):
            _say_what_reads(say)
            _welcome(server, schedules, say)
            while True:
                for each in kept.values():
                    each.look_after()
                reap_orphans([each.process.pid for each in kept.values()])
                for log in (server_log, worker_log):
                    keep_small(log)
                time.sleep(LOOK_S)
    except KeyboardInterrupt:
        say("Stopped", "runs, worker and server have ended")
    finally:
        _end(kept, lambda: _module(environment, [STALE_RUNS, pool], worker_log))


def _end(kept: dict[str, Restarted], crash_runs: Callable[[], subprocess.Popen[bytes]]) -> None:
    """End the worker, the runs, and then the server, which is told of it; nothing interrupts that.

    The worker is not asked: it would wait for its runs. Without it they are ours, and no other is
    begun.

    Args:
        kept: server and worker, as far as they were started.
        crash_runs: starts the program that tells the server which runs are gone.
    """
    for number in (signal.SIGINT, *ENDS):
        signal.signal(number, signal.SIG_IGN)
    if "worker" in kept:
        kept["worker"].process.kill()
        kept["worker"].process.wait()
    if "server" in kept:
        server = kept["server"].process.pid
        if end_descendants(STOP_S, but=[server]):
            with suppress(subprocess.TimeoutExpired):  # the next start tells it
                crash_runs().wait(STOP_S)
        kept["server"].stop()
    end_descendants(STOP_S)


def _environment(server: Server) -> dict[str, str]:
    """Return the environment of the worker, and of the runs that it starts."""
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


def _deploy(environment: dict[str, str], say: Say) -> dict[str, str]:
    """Apply what is declared, in a process of its own, whose memory is given back.

    Returns:
        When each deployment runs, by its name.

    Raises:
        DigitflowError: it could not be applied.
    """
    with _log("deploy") as log:
        log.truncate(0)
        answer = Path(str(log.name)).with_suffix(".json")
        with answer.open("wb") as output:
            command = ["flows.cli.main", "deploy", "--json"]
            with _stopped(_module(environment, command, output, log)) as process:
                if process.wait():
                    raise DigitflowError(f"`digitflow deploy` failed: {trouble_in(log)}")
    applied = json.loads(answer.read_text(encoding="utf-8"))
    for note in applied["notes"]:
        if note["kind"] not in ("as declared", "made"):
            say(note["kind"].capitalize(), f"{note['what']}: {note['text']}")
    schedules: dict[str, str] = applied["schedules"]
    return schedules


def _module(
    environment: dict[str, str],
    arguments: list[str],
    output: IO[bytes],
    errors: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a Python module as a program that ends with this process."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-m", "flows.server.with_parent", *arguments],
        cwd=CODE,
        env=environment,
        stdin=subprocess.PIPE,  # held open as long as this process lives
        stdout=output,
        stderr=errors or subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches this process, which stops them in order
    )


def _welcome(server: Server, schedules: dict[str, str], say: Say) -> None:
    show = "digitflow credentials"
    if os.environ.get("DIGITFLOW_HOME"):
        show = f"DIGITFLOW_HOME={shlex.quote(str(home()))} {show}"
    say("UI", server.url)
    if server.login is None:
        say("Login", "none (--no-auth): any user of this machine can run commands as you")
    elif sys.stdout.isatty():
        say("Login", f"{server.login} (shown again by `{show}`)")
    else:
        say("Login", f"shown by `{show}`")
    lines = [f"{what}: {when}" for what, when in schedules.items()]
    for label, line in zip_longest(["Schedules"], lines, fillvalue=""):
        say(label, line)
    say("Status", f"{server.url}{STATUS_PAGE}, or `digitflow status`")
    reading = next((what for what in schedules if what.startswith("predict/")), USUAL_INBOX)
    if reading == USUAL_INBOX:
        say("Inbox", inbox())
    say("", "From another terminal:")
    say("", f"  export $({show})")
    say("", "  prefect deployment run train/weekly")
    say("", f"""  prefect deployment run {reading} -p settings='{{"source": "/path/to/scans"}}'""")
    say("", "Ctrl-C stops it all.")


def _say_what_reads(say: Say) -> None:
    """Say which model will not read, before a run fails by it."""
    try:
        trouble = trouble_of_reading()
    except DigitflowError as error:
        trouble = str(error)
    if trouble:
        say("Model", trouble)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
