"""A Prefect server of one's own, to which is applied what is declared, and workers anywhere."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows.server.defaults import DEFAULTS
from flows.server.server_process import (
    Server,
    listening_socket,
    start_server,
    stop,
    wait_until_it_answers,
)
from tests.prefect_api import Api

ROOT = Path(__file__).parents[3]
DECLARED = ROOT / "deployments" / "prefect.yaml"
SERVER_S = 200.0  # on a busy machine
RUN_DONE = 200.0
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class Own:
    """A server to which prefect.yaml and the automations were applied."""

    server: Server
    folder: Path
    environment: dict[str, str]  # of workers and users
    secrets: dict[str, str]  # variables of the server alone
    worker: list[str]  # the command that starts one
    api: Api = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Start nothing yet."""
        self.api = Api(self.server.api_url, self.server.login)

    def start(self) -> None:
        """Start the server, for the first time or after it was killed."""
        with (
            (self.folder / "server.log").open("ab+") as log,
            listening_socket(self.server.port) as listening,
        ):
            environment = self.environment | self.secrets
            self.process = start_server(self.server, listening, environment, log)
            wait_until_it_answers(self.server, self.process, SERVER_S, log)

    def ask_for(self, settings: dict[str, Any], late: timedelta | None = None) -> str:
        """Make a run of `predict/inbox`, some time ago, and return its id."""
        deployment = self.api.ask("GET", "/deployments/name/predict/inbox")["id"]
        state: dict[str, Any] = {"type": "SCHEDULED"}
        if late:
            state["state_details"] = {"scheduled_time": (datetime.now(UTC) - late).isoformat()}
        asked = {"state": state} | ({"parameters": {"settings": settings}} if settings else {})
        made: str = self.api.post(f"/deployments/{deployment}/create_flow_run", asked)["id"]
        return made

    def ask_to_read_again(self) -> str:
        """Make a run of `predict/on-promotion` that a worker has taken, and return its id."""
        deployment = self.api.ask("GET", "/deployments/name/predict/on-promotion")["id"]
        made: str = self.api.post(f"/deployments/{deployment}/create_flow_run", {})["id"]
        taken = self.api.post(f"/flow_runs/{made}/set_state", {"state": {"type": "PENDING"}})
        assert taken["status"] == "ACCEPT", taken
        return made

    def run(self, made: str) -> dict[str, Any]:
        """Return a run as it is now."""
        found: dict[str, Any] = self.api.ask("GET", f"/flow_runs/{made}")
        return found

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs that are not merely planned, the newest 200."""
        runs = self.api.post("/flow_runs/filter", {"sort": "EXPECTED_START_TIME_DESC"})
        return [run for run in runs if run["state_type"] != "SCHEDULED"]

    def ended(self, made: str) -> dict[str, Any]:
        """Wait until a run is in a final state, and return it."""
        until(lambda: self.run(made)["state_type"] in FINAL)
        return self.run(made)

    def log_of(self, made: str) -> list[str]:
        """Return the lines that the server has of a run."""
        wanted = {"logs": {"flow_run_id": {"any_": [made]}}, "sort": "TIMESTAMP_ASC"}
        return [line["message"] for line in self.api.post("/logs/filter", wanted)]

    def prefect(self, *arguments: str) -> str:
        """Give a Prefect command as a user of the server does, and return what it prints."""
        return self.program("prefect", *arguments)

    def program(self, module: str, *arguments: str, **variables: str) -> str:
        """Run a module as a user of the server does, and return what it prints."""
        command = [sys.executable, "-m", module, *arguments]
        place: dict[str, Any] = {"cwd": self.folder, "env": self.environment | variables}
        done = subprocess.run(command, **place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)


def until(happened: Callable[[], bool], seconds: float = RUN_DONE) -> None:
    """Wait for something, and fail where it does not happen."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"nothing happened within {seconds} s"
        time.sleep(0.3)


@contextmanager
def own_server(folder: Path, **secrets: str) -> Iterator[Own]:
    """Start a server, apply prefect.yaml and the automations to it, and stop it at last.

    Args:
        folder: which holds nothing but `deployments/prefect.yaml` for who deploys.
        secrets: variables of the server alone.
    """
    (folder / "deployments").mkdir()
    shutil.copy(DECLARED, folder / "deployments")
    with listening_socket(0) as listening:
        server = Server(listening.getsockname()[1], "someone:secret")
    pool, deploy, worker = declared_commands()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DIGITFLOW_HOME"},
        **DEFAULTS,
        **server.client_environment(),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "PYTHONPATH": str(ROOT),
    }
    own = Own(server, folder, environment, secrets, worker)
    own.start()
    try:
        for command in (pool, deploy):
            own.prefect(*command)
        own.program("flows.cli.main", "deploy", DIGITFLOW_HOME=str(folder))  # automations, too
        # or a run that is asked for at the wrong second gives way to one that is due
        own.prefect("deployment", "schedule", "pause", "--all")
        yield own
    finally:
        stop(own.process)


def declared_commands() -> list[list[str]]:
    """Return the words after `prefect` of the commands that prefect.yaml gives its reader."""
    lines = re.findall(r"^#   (.*)$", DECLARED.read_text(), re.MULTILINE)
    commands = [line.split() for line in lines]
    assert {command[0] for command in commands} == {"prefect"}
    return [command[1:] for command in commands]


@contextmanager
def worker_of(own: Own, home: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in a folder and a home of its own, and stop it at last."""
    folder = home.parent / "anywhere"
    folder.mkdir(exist_ok=True, parents=True)
    environment = own.environment | {"DIGITFLOW_HOME": str(home)} | variables
    command = [sys.executable, "-m", "prefect", *own.worker]
    with (folder / "log").open("ab") as log:
        worker = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGTERM)  # nothing where it has ended
        worker.wait()
