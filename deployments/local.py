"""A Prefect server with its UI, every deployment, and a worker, on this machine until Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from flows.prefect_defaults import set_defaults
from tasks.errors import DigitflowError, InputError
from tasks.files import write_text
from tasks.settings import home, models_place, results_table

HOST = "127.0.0.1"
POOL = "digitflow"
CODE = Path(__file__).resolve().parents[1]  # the folder that holds flows/
SERVER_START = 180.0  # seconds until the server has to be healthy
STOP = 20.0  # seconds for a process to stop by itself
SERVER_FILE = "server.json"  # in the home folder while a server runs: its address and process

Say = Callable[[str, str], None]


def up(port: int, say: Say) -> None:
    """Start everything, say where it is, and stop it again at Ctrl-C or SIGTERM.

    Raises:
        InputError: the port is taken.
        DigitflowError: the server or the worker did not start, or stopped by itself.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(
                f"port {port} is taken ({error.strerror}): give another --port"
            ) from None
    environment = _environment(port)
    logs = home() / "logs"
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with _process(
            "server", ["server", "start", "--host", HOST, "--port", str(port)], environment, logs
        ) as server:
            say("Server", f"starting, log in {logs / 'server.log'}")
            _wait_until_healthy(port, server, logs)
            _deploy(environment)
            arguments = ["worker", "start", "--pool", POOL, "--name", f"digitflow-{port}"]
            with (
                _process("worker", arguments, environment, logs) as worker,
                _announced(port, server.pid),
            ):
                _welcome(port, say)
                _wait(server, worker, logs)
    except KeyboardInterrupt:
        say("Stopped", "worker and server have ended")


def running_server() -> str | None:
    """Return the API address of the server that `digitflow up` runs for this home, or None."""
    try:
        facts = json.loads((home() / SERVER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    url = str(facts["api_url"])
    return url if _healthy(url) else None


def _environment(port: int) -> dict[str, str]:
    set_defaults()
    inbox = home() / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "PREFECT_API_URL": _api_url(port),
        "DIGITFLOW_HOME": str(home()),
        "DIGITFLOW_MODELS": models_place(),
        "DIGITFLOW_RESULTS": results_table(),
        "DIGITFLOW_INBOX": str(inbox),
        "DIGITFLOW_CODE": str(CODE),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",  # the logs here are files
    }


def _api_url(port: int) -> str:
    return f"http://{HOST}:{port}/api"


@contextmanager
def _process(
    name: str, arguments: list[str], environment: dict[str, str], logs: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Prefect command with its output in a log, and stop it when the block ends."""
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", "prefect", *arguments],
            cwd=CODE,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process, which stops them in order
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started; a second Ctrl-C does not leave half of it behind."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _wait_until_healthy(port: int, server: subprocess.Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + SERVER_START
    while not _healthy(_api_url(port)):
        if server.poll() is not None:
            raise DigitflowError(f"the server did not start:\n{_tail(logs / 'server.log')}")
        if time.monotonic() > deadline:
            raise DigitflowError(
                f"the server is not healthy after {SERVER_START:.0f} s, see {logs / 'server.log'}"
            )
        time.sleep(0.3)


def _healthy(api_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=2) as answer:  # noqa: S310 - http on loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def _announced(port: int, pid: int) -> Iterator[None]:
    """Let other `digitflow` commands of this home find the server while it runs."""
    file = home() / SERVER_FILE
    write_text(file, json.dumps({"api_url": _api_url(port), "pid": pid}) + "\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _deploy(environment: dict[str, str]) -> None:
    """Make the work pool and apply prefect.yaml, and see that what it declares is there."""
    _prefect(environment, "work-pool", "create", POOL, "--type", "process", "--overwrite")
    _prefect(environment, "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")


def _prefect(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        command, cwd=CODE, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = " ".join(arguments)
        raise DigitflowError(f"`prefect {words}` failed:\n{done.stdout}{done.stderr}")


def _welcome(port: int, say: Say) -> None:
    say("UI", f"http://{HOST}:{port}")
    say("Schedules", "train/weekly, Sundays 03:00 UTC; predict/inbox, every hour at five past")
    say("Inbox", str(home() / "inbox"))
    say("", "From another terminal:")
    say("", f"  export PREFECT_API_URL={_api_url(port)}")
    say("", "  prefect deployment run train/weekly")
    say("", """  prefect deployment run predict/inbox -p settings='{"source": "/path/to/scans"}'""")
    say("", "Ctrl-C stops it all.")


def _wait(server: subprocess.Popen[bytes], worker: subprocess.Popen[bytes], logs: Path) -> None:
    while True:
        for name, process in (("server", server), ("worker", worker)):
            if process.poll() is not None:
                raise DigitflowError(
                    f"the {name} stopped by itself (code {process.returncode}):\n"
                    f"{_tail(logs / f'{name}.log')}"
                )
        time.sleep(0.5)


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
