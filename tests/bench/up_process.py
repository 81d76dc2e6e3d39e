"""A `digitflow up` in its own home, seen from outside, and killed piece by piece."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.bench.watched import children_of, processes_of_run, words_of
from tests.helpers import free_port
from tests.prefect_api import Api

START_S = 300.0  # until it is there, or there again, on a busy machine
MODULES = {"server": b"flows.server.app", "worker": b"flows.orchestration.worker"}
GOING_ON = ["PENDING", "RUNNING", "CANCELLING"]
OURS = ("DIGITFLOW_", "PREFECT_", "AWS_")  # what variables begin with that steer our programs
PAGE = 200  # runs that the server gives at once


@dataclass
class Up:
    """One that runs; `api` asks its server."""

    home: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    killed: list[str] = field(default_factory=list)
    api: Api = field(init=False)

    def wait_until_ready(self) -> None:
        """Wait for the login of its server, and for its worker."""
        deadline = time.monotonic() + START_S
        while not (given := self._credentials()) or "worker" not in self.pids():
            self._require_running(deadline)
            time.sleep(1)
        self.environment |= given
        self.api = Api(given["PREFECT_API_URL"], given["PREFECT_API_AUTH_STRING"])

    def _credentials(self) -> dict[str, str]:
        command = [sys.executable, "-m", "flows.cli.main", "credentials"]
        told = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return dict(line.split("=", 1) for line in told.stdout.splitlines())

    def _require_running(self, deadline: float) -> None:
        if self.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"digitflow up: {(self.home / 'up.log').read_text()}")

    def pids(self) -> dict[str, int]:
        """Return its server and its worker, as far as they are there."""
        children = {pid: words_of(pid) for pid in children_of(self.process.pid)}
        return {
            role: pid
            for role, module in MODULES.items()
            for pid, words in children.items()
            if module in words
        }

    def prefect(self, *arguments: str) -> None:
        """Give a Prefect command as from another terminal."""
        command = [sys.executable, "-m", "prefect", *arguments]
        subprocess.run(command, env=self.environment, stdout=subprocess.DEVNULL, check=True)

    def kill_while_a_run_goes_on(self, role: str) -> None:
        """End a process of it by force."""
        deadline = time.monotonic() + START_S
        while not (any(map(processes_of_run, self.going_on())) and role in (pids := self.pids())):
            self._require_running(deadline)
            time.sleep(0.2)
        os.kill(pids[role], signal.SIGKILL)
        self.killed.append(role)

    def runs(self, **conditions: Any) -> list[dict[str, Any]]:
        """Return the runs that meet some conditions; a server that was killed is waited for."""
        deadline = time.monotonic() + START_S
        found: list[dict[str, Any]] = []
        body = {"flow_runs": conditions, "limit": PAGE, "sort": "ID_DESC"}
        while True:
            try:
                more = self.api.post("/flow_runs/filter", body | {"offset": len(found)})
            except httpx.TransportError:
                self._require_running(deadline)
                time.sleep(0.5)
                continue
            found += more
            if len(more) < PAGE:
                return found

    def begun(self) -> list[dict[str, Any]]:
        """Return the runs that are not merely planned."""
        return self.runs(state={"type": {"not_any_": ["SCHEDULED"]}})

    def going_on(self) -> list[str]:
        """Return the ids of the runs that go on by their state."""
        return [run["id"] for run in self.runs(state={"type": {"any_": GOING_ON}})]

    def database_bytes(self) -> int:
        """Return the size of the server's database."""
        file = self.home / "prefect" / "prefect.db"
        pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return int(database.execute(pages).fetchone()[0])


@contextmanager
def running_up(home: Path) -> Iterator[Up]:
    """Run it in a home until the block ends, then end it as a service manager does."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(OURS)},
        "DIGITFLOW_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
    }
    # nothing of it may be left where this program is killed
    command = ["setpriv", "--pdeathsig=TERM", sys.executable, "-m", "flows.cli.main", "up"]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(free_port())],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    up = Up(home, environment, process)
    try:
        up.wait_until_ready()
        yield up
    finally:
        process.terminate()  # nothing where it has ended
        process.wait(START_S)
