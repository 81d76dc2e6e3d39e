"""`digitflow up` for real: server, worker, deployments, a schedule that fires, and a clean end."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from deltalake import DeltaTable

from flows.orchestration.up import _welcome
from flows.server.server_process import Server
from tasks.registry import registry
from tests.helpers import free_port, register_champion
from tests.inference.test_worker import is_running
from tests.prefect_api import Api

pytestmark = [pytest.mark.slow, pytest.mark.server]

STARTED = 200.0  # seconds, on a busy machine
RUN_DONE = 120.0


@dataclass
class Running:
    """A `digitflow up` in its own home."""

    process: subprocess.Popen[str]
    home: Path
    environment: dict[str, str]
    api: Api

    def deployment(self, name: str) -> dict[str, Any]:
        """Return one deployment."""
        found: dict[str, Any] = self.api.ask("GET", f"/deployments/name/{name}")
        return found

    def flow_runs(self, deployment: str) -> list[dict[str, Any]]:
        """Return the runs of a deployment that are not merely planned."""
        wanted = {"deployments": {"id": {"any_": [self.deployment(deployment)["id"]]}}}
        runs = self.api.post("/flow_runs/filter", wanted)
        return [run for run in runs if run["state_type"] != "SCHEDULED"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """Return one that all tests share but those that end it."""
    parent = tmp_path_factory.mktemp("parent")
    with pytest.MonkeyPatch.context() as patch:  # as each test has it, but for all of them
        patch.setattr(registry, "READY", parent / "bundled_model")
        home = furnished(parent / "home", model_file)
    with started(home) as up:
        yield up


def furnished(home: Path, model_file: Path) -> Path:
    """Return the home, with a champion in a shared place and one picture in the inbox."""
    register_champion(home, model_file, place=str(home / "shared"))
    (home / "inbox").mkdir()
    cv2.imwrite(str(home / "inbox" / "ring.png"), _ring())
    return home


@contextmanager
def started(home: Path, port: int | None = None) -> Iterator[Running]:
    """Run `digitflow up` in a home, and stop it at last by Ctrl-C."""
    environment = {
        **os.environ,
        "DIGITFLOW_HOME": str(home),
        "DIGITFLOW_MODELS": str(home / "shared"),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    environment.pop("PREFECT_API_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", "up", "--port", str(port or free_port())],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: "PREFECT_API_URL" in credentials(environment), STARTED, process)
        given = credentials(environment)
        api = Api(given["PREFECT_API_URL"], given["PREFECT_API_AUTH_STRING"])
        up = Running(process, home, environment, api)
        until(lambda: _worker_is_online(up), STARTED, process)
        yield up
    finally:
        process.send_signal(signal.SIGINT)  # nothing where it has ended
        process.wait(60)


def credentials(environment: dict[str, str]) -> dict[str, str]:
    """Return what `digitflow credentials` prints, nothing if no server runs."""
    command = [sys.executable, "-m", "flows.cli.main", "credentials"]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return dict(line.split("=", 1) for line in printed.stdout.splitlines())


def until(happened: Callable[[], bool], seconds: float, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        if process.poll() is not None:
            pytest.fail(f"digitflow up ended: {process.stdout.read() if process.stdout else ''}")
        if time.monotonic() > deadline:
            pytest.fail(f"nothing happened within {seconds} s")
        time.sleep(0.5)


def test_both_flows_are_deployed_with_a_schedule_and_training_runs_one_at_a_time(
    running: Running,
) -> None:
    train, inbox = running.deployment("train/weekly"), running.deployment("predict/inbox")
    crons = [d["schedules"][0]["schedule"]["cron"] for d in (train, inbox)]
    assert crons == ["0 3 * * 0", "*/5 * * * *"]
    assert train["concurrency_limit"] == 1 or train["global_concurrency_limit"]["limit"] == 1
    assert inbox["global_concurrency_limit"]["limit"] == 1
    assert inbox["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"


def test_what_dies_is_noticed_by_an_automation(running: Running) -> None:
    there = {each["name"]: each["enabled"] for each in running.api.post("/automations/filter", {})}
    assert there["digitflow: what is not heard of has crashed"]
    assert there["digitflow: what does not begin has crashed"]


def test_a_schedule_fires_and_the_worker_reads_the_inbox(running: Running) -> None:
    deployment = running.deployment("predict/inbox")
    every = {"active": True, "schedule": {"interval": 5, "timezone": "UTC"}}
    schedules = f"/deployments/{deployment['id']}/schedules"
    made = running.api.post(schedules, [every])[0]

    def fired() -> list[dict[str, Any]]:
        return [run for run in running.flow_runs("predict/inbox") if run["auto_scheduled"]]

    def read() -> bool:
        runs = fired()
        assert not [r["state"]["message"] for r in runs if r["state_type"] in ("FAILED", "CRASHED")]
        return any(run["state_type"] == "COMPLETED" for run in runs)

    # one is enough: on a busy machine they would pile up
    until(lambda: bool(fired()), RUN_DONE, running.process)
    running.api.ask("DELETE", f"{schedules}/{made['id']}")
    until(read, RUN_DONE, running.process)
    until(
        lambda: none_goes_on(running), RUN_DONE, running.process
    )  # it would have the new cancelled
    table = DeltaTable(str(running.home / "results")).to_pyarrow_table()
    rows = [row for row in table.to_pylist() if row["path"] == "ring.png"]
    assert {row["model_version"] for row in rows} == {"tiny"}
    reports = running.api.post("/artifacts/filter", {})
    assert {"reading-report", "reading"} <= {artifact["key"] for artifact in reports}


def none_goes_on(running: Running) -> bool:
    return not any(
        run["state_type"] in ("PENDING", "RUNNING") for run in running.flow_runs("predict/inbox")
    )


def test_a_run_with_its_own_folder_can_be_asked_for_from_another_terminal(
    running: Running, tmp_path: Path
) -> None:
    picture = _ring()
    cv2.imwrite(str(tmp_path / "elsewhere.png"), picture)
    settings = json.dumps({"source": str(tmp_path)})
    asked = subprocess.run(
        [
            *(sys.executable, "-m", "prefect", "deployment", "run", "predict/inbox", "--watch"),
            *("--param", f"settings={settings}"),
        ],
        env=running.environment | credentials(running.environment),
        capture_output=True,
        text=True,
        timeout=RUN_DONE,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    rows = DeltaTable(str(running.home / "results")).to_pyarrow_table().to_pylist()
    assert "elsewhere.png" in {row["path"] for row in rows}


def test_a_command_uses_the_running_server_and_a_second_up_is_refused(running: Running) -> None:
    def command(
        *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.cli.main", *arguments],
            env=environment or running.environment,
            capture_output=True,
            text=True,
            timeout=RUN_DONE,
            check=False,
        )

    before = len(running.api.post("/flow_runs/filter", {}))
    read = command("predict", str(running.home / "inbox"), "--again", "--json")
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["found"] == 1
    assert len(running.api.post("/flow_runs/filter", {})) > before
    taken = command("up", "--port", running.api.url.split(":")[2].split("/")[0])
    assert taken.returncode == 2
    assert (
        f"runs for {running.home} already: {running.api.url.removesuffix('/api')}" in taken.stderr
    )
    second = command("up", "--port", str(free_port()))
    assert second.returncode == 2
    assert f"process {running.process.pid}" in second.stderr
    elsewhere = running.environment | {"DIGITFLOW_HOME": f"{running.home}-2"}
    other_home = command("up", "--port", str(free_port()), environment=elsewhere)
    assert other_home.returncode == 2
    assert "set PREFECT_HOME to another folder" in other_home.stderr


@pytest.mark.skipif(bool(find_spec("prefect_docker")), reason="its worker can run here")
def test_a_pool_whose_worker_cannot_run_here_is_refused_before_anything_starts(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "digitflow.toml").write_text('[pool]\ntype = "docker"\n')
    command = [sys.executable, "-m", "flows.cli.main", "up", "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "needs the package prefect-docker" in " ".join(done.stderr.split())
    assert not (home / "prefect").exists()


def test_who_has_not_the_login_is_told_where_it_is(running: Running) -> None:
    refused = httpx.get(f"{running.api.url}/deployments/name/train/weekly")
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert "export $(digitflow credentials)" in refused.json()["exception_message"]
    foreign = {"Origin": "http://evil.test", "Access-Control-Request-Method": "POST"}
    assert httpx.options(f"{running.api.url}/deployments/", headers=foreign).status_code == 400
    led_here = httpx.get(f"{running.api.url}/health", headers={"Host": "evil.test"})
    assert led_here.status_code == httpx.codes.BAD_REQUEST


def test_the_login_is_for_its_user_alone(running: Running) -> None:
    secret = credentials(running.environment)["PREFECT_API_AUTH_STRING"].split(":")[1]
    assert len(secret) > 40
    for pid in [running.process.pid, *_descendants(running.process.pid)]:
        assert secret.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    holds = [
        file
        for file in running.home.rglob("*")
        if file.is_file() and secret.encode() in file.read_bytes()
    ]
    assert {"login", "server.json"} <= {file.name for file in holds}
    assert not [file for file in holds if file.stat().st_mode & 0o077]


WAITS = """
import subprocess, sys, time
from importlib.util import find_spec
from pathlib import Path
from prefect import flow

@flow
def waits():
    here = Path(__file__).parent
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (here / "pid.part").write_text(f"{left.pid}")
    (here / "pid.part").rename(here / "pid")
    while not (here / "go").exists():
        time.sleep(0.1)
    left.kill()
"""


@pytest.mark.timeout(900)  # it starts twice, beside whatever else goes on
def test_a_run_outlives_worker_server_and_up_and_ends_with_that(
    home: Path, model_file: Path, tmp_path: Path
) -> None:
    with started(furnished(home, model_file)) as up:
        environment = up.environment
        login = credentials(environment)["PREFECT_API_AUTH_STRING"]
        outlives = _Waiting(up, tmp_path / "outlives")
        for program in ("flows.orchestration.worker", "flows.server.app"):
            _killed_and_started_again(up, program)
        until(lambda: _worker_is_online(up), STARTED, up.process)
        outlives.go()
        until(lambda: outlives.state() == "COMPLETED", RUN_DONE, up.process)

        left_alone = _Waiting(up, tmp_path / "left_alone")
        ours = [*_children(up, "flows.orchestration.worker"), *_children(up, "flows.server.app")]
        os.kill(up.process.pid, signal.SIGKILL)
        up.process.wait()
        _wait_for_the_end_of(ours)
        assert is_running(left_alone.pid)
    assert (home / "server.json").exists()
    assert credentials(environment) == {}

    port = int(up.api.url.split(":")[2].split("/")[0])
    with started(home, port) as up:
        assert credentials(environment)["PREFECT_API_AUTH_STRING"] == login
        left_alone.up = up
        assert left_alone.state() == "RUNNING"
        left_alone.go()
        until(lambda: left_alone.state() == "COMPLETED", RUN_DONE, up.process)

        ended = _Waiting(up, tmp_path / "ended")
        left = [*_descendants(up.process.pid), ended.pid]
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(60) == 0
        _wait_for_the_end_of(left)
        assert not (home / "server.json").exists()
    with sqlite3.connect(home / "prefect" / "prefect.db") as database:
        [[state]] = database.execute(
            "select state_type from flow_run where id = ?", [ended.run]
        ).fetchall()
        assert state == "CRASHED"
    database.close()


class _Waiting:
    """The run of a flow that has started a process and waits."""

    def __init__(self, up: Running, folder: Path) -> None:
        self.up, self._folder = up, folder
        folder.mkdir()
        (folder / "waits.py").write_text(WAITS)
        go_there = {"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}
        flow = up.api.post("/flows/", {"name": "waits"})
        deployment = up.api.post(
            "/deployments/",
            {
                **{"name": folder.name, "flow_id": flow["id"], "work_pool_name": "digitflow"},
                **{"pull_steps": [go_there], "entrypoint": "waits.py:waits"},
            },
        )
        asked = {"state": {"type": "SCHEDULED"}}
        made = up.api.post(f"/deployments/{deployment['id']}/create_flow_run", asked)
        self.run: str = made["id"]
        until((folder / "pid").exists, RUN_DONE, up.process)
        self.pid = int((folder / "pid").read_text())

    def go(self) -> None:
        (self._folder / "go").touch()

    def state(self) -> str:
        state: str = self.up.api.ask("GET", f"/flow_runs/{self.run}")["state_type"]
        return state


def _killed_and_started_again(up: Running, program: str) -> None:
    [before] = _children(up, program)
    os.kill(before, signal.SIGKILL)
    until(lambda: _children(up, program) not in ([], [before]), STARTED, up.process)


def _children(up: Running, program: str) -> list[int]:
    """Return the process of a program that `up` has started itself, if it runs."""
    children = Path(f"/proc/{up.process.pid}/task/{up.process.pid}/children").read_text().split()
    with suppress(FileNotFoundError):  # it has ended in between
        return [
            int(child)
            for child in children
            if program.encode() in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
    return []


def _wait_for_the_end_of(pids: list[int]) -> None:
    deadline = time.monotonic() + 30
    while living := list(filter(is_running, pids)):
        assert time.monotonic() < deadline, living
        time.sleep(0.1)


def _descendants(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, listed) for each in (child, *_descendants(child))]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_line_for_another_terminal_may_be_pasted_where_the_home_has_a_space(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFLOW_HOME", f"{tmp_path}/it's a home")
    said: list[str] = []
    _welcome(Server(4200, None), {}, lambda _, line: said.append(line))
    [line] = [each for each in said if "export" in each]
    pasted = line.replace("export ", "echo ").replace("digitflow credentials", "printenv $NAME")
    environment = {"PATH": os.environ["PATH"], "NAME": "DIGITFLOW_HOME"}
    printed = subprocess.check_output([shell, "-c", pasted], env=environment, text=True)
    assert printed.strip() == f"{tmp_path}/it's a home"


def _worker_is_online(up: Running) -> bool:
    try:
        workers = up.api.post("/work_pools/digitflow/workers/filter", {})
    except httpx.TransportError:  # the server is being started again
        return False
    return any(worker["status"] == "ONLINE" for worker in workers)


def _ring() -> Any:
    return cv2.circle(np.full((64, 64), 255, np.uint8), (32, 32), 14, 0, 4)
