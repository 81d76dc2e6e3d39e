"""A Prefect server of one's own: prefect.yaml followed to the letter, and workers that come and go.

Each worker has a folder and a home of its own, of which the server and who deploys know nothing.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.server.defaults import DEFAULTS
from flows.server.server_process import (
    Server,
    listening_socket,
    start_server,
    stop,
    wait_until_it_answers,
)
from tests.bars import bar, encoded
from tests.helpers import register_champion
from tests.prefect_api import Api

pytestmark = [pytest.mark.slow, pytest.mark.server]

ROOT = Path(__file__).parents[3]
DECLARED = ROOT / "deployments" / "prefect.yaml"
SERVER_S = 200.0  # on a busy machine
RUN_DONE = 120.0
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class Own:
    """A server to which prefect.yaml was applied."""

    api: Api
    environment: dict[str, str]
    worker: list[str]  # the command that starts one

    def ask_for(self, settings: dict[str, Any], late: timedelta | None = None) -> str:
        """Make a run of `predict/inbox`, some time ago, and return its id."""
        deployment = self.api.ask("GET", "/deployments/name/predict/inbox")["id"]
        state: dict[str, Any] = {"type": "SCHEDULED"}
        if late:
            state["state_details"] = {"scheduled_time": (datetime.now(UTC) - late).isoformat()}
        asked = {"state": state} | ({"parameters": {"settings": settings}} if settings else {})
        made: str = self.api.post(f"/deployments/{deployment}/create_flow_run", asked)["id"]
        return made

    def run(self, made: str) -> dict[str, Any]:
        """Return a run as it is now."""
        found: dict[str, Any] = self.api.ask("GET", f"/flow_runs/{made}")
        return found

    def ended(self, made: str) -> dict[str, Any]:
        """Wait until a run is in a final state, and return it."""
        until(lambda: self.run(made)["state_type"] in FINAL)
        return self.run(made)

    def log_of(self, made: str) -> list[str]:
        """Return the lines that the server has of a run."""
        wanted = {"logs": {"flow_run_id": {"any_": [made]}}, "sort": "TIMESTAMP_ASC"}
        return [line["message"] for line in self.api.post("/logs/filter", wanted)]


def until(happened: Callable[[], bool], seconds: float = RUN_DONE) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"nothing happened within {seconds} s"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    folder = tmp_path_factory.mktemp("deployer")
    (folder / "deployments").mkdir()
    shutil.copy(DECLARED, folder / "deployments")
    listening = listening_socket(0)
    server = Server(listening.getsockname()[1], "someone:secret")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DIGITFLOW_HOME"},
        **DEFAULTS,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": str(ROOT),
    }
    with (folder / "server.log").open("wb+") as log:
        with listening:
            process = start_server(server, listening, environment, log)
        try:
            wait_until_it_answers(server, process, SERVER_S, log)
            environment |= server.client_environment()
            pool, deploy, worker = declared_commands()
            for command in (pool, deploy):
                subprocess.run(command, cwd=folder, env=environment, check=True)
            assert server.login
            yield Own(Api(server.api_url, server.login), environment, worker)
        finally:
            stop(process)


def declared_commands() -> list[list[str]]:
    """Return the commands that prefect.yaml tells its reader to give."""
    lines = re.findall(r"^#   (.*)$", DECLARED.read_text(), re.MULTILINE)
    commands = [line.split() for line in lines]
    assert {command[0] for command in commands} == {"prefect"}
    return [[sys.executable, "-m", *command] for command in commands]


@contextmanager
def worker_of(own: Own, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in a folder and a home of its own, and stop it at last."""
    folder = home.parent / "anywhere"
    folder.mkdir(exist_ok=True)
    environment = own.environment | {"DIGITFLOW_HOME": str(home)}
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(own.worker, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGTERM)  # nothing where it has ended
        worker.wait()


def test_a_worker_anywhere_reads_the_inbox_of_its_own_home(
    own: Own, home: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    with worker_of(own, home):
        run = own.ended(own.ask_for({}))
        assert run["state_type"] == "COMPLETED", run["state"]
        assert run["name"] == "inbox: nothing new"
        assert (home / "inbox").is_dir()
        (home / "inbox" / "7.png").write_bytes(encoded(bar(7)))
        run = own.ended(own.ask_for({}))
        assert run["state_type"] == "COMPLETED", run["state"]
        assert run["name"] == "inbox: 1 read, 0 for review, 0 rejected"
        (home / "inbox" / "broken.png").write_bytes(b"not a picture")
        run = own.ended(own.ask_for({"strict": True}))
    assert run["state_type"] == "FAILED"
    assert run["state"]["message"] == ("1 of the pictures that were found are rejected (--strict)")
    assert run["name"] == "inbox: 0 read, 0 for review, 1 rejected"


def test_of_the_runs_that_waited_for_a_worker_one_is_made(
    own: Own, home: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    waited = [own.ask_for({}, late=timedelta(hours=hours)) for hours in (3, 2, 1)]
    with worker_of(own, home):
        states = sorted(own.ended(made)["state_type"] for made in waited)
    assert states == ["CANCELLED", "CANCELLED", "COMPLETED"]


def test_a_run_whose_worker_is_killed_finishes_and_its_state_is_right(
    own: Own, home: Path, model_file: Path, tmp_path: Path
) -> None:
    register_champion(home, model_file)
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(500):
        (folder / f"{number}.png").write_bytes(encoded(bar(number % 10)))
    with worker_of(own, home) as worker:
        made = own.ask_for({"source": str(folder)})
        until(lambda: own.run(made)["state_type"] == "RUNNING")
        worker.kill()
        worker.wait()
        assert own.run(made)["state_type"] == "RUNNING"
        run = own.ended(made)
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["state"]["message"] == "500 read, 0 for review, 0 rejected"
    until(lambda: any(line.startswith("Report:") for line in own.log_of(made)))
