"""`digitflow up` for real: server, worker, deployments, a schedule that fires, and a clean end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from deltalake import DeltaTable

from tests.helpers import free_port, register_champion

STARTED = 150.0  # seconds, on a busy machine
RUN_DONE = 120.0


@dataclass
class Running:
    """A `digitflow up` in its own home."""

    process: subprocess.Popen[str]
    home: Path
    api: str
    environment: dict[str, str]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of the server's API; a locked database (503) is asked again."""
        for _ in range(20):
            answer = httpx.request(method, f"{self.api}{path}", json=body, timeout=20)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def post(self, path: str, body: Any) -> Any:
        """Return what the server answers to a filter or a thing to make."""
        return self.ask("POST", path, body)

    def deployment(self, name: str) -> dict[str, Any]:
        """Return one deployment."""
        found: dict[str, Any] = self.ask("GET", f"/deployments/name/{name}")
        return found

    def flow_runs(self, deployment: str) -> list[dict[str, Any]]:
        """Return the runs of a deployment that are not merely planned."""
        wanted = {"deployments": {"id": {"any_": [self.deployment(deployment)["id"]]}}}
        runs = self.post("/flow_runs/filter", wanted)
        return [run for run in runs if run["state_type"] != "SCHEDULED"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    register_champion(home, model_file, place=str(home / "shared"))
    (home / "inbox").mkdir()
    picture = _ring()
    cv2.imwrite(str(home / "inbox" / "ring.png"), picture)
    port = free_port()
    environment = {
        **os.environ,
        "DIGITFLOW_HOME": str(home),
        "DIGITFLOW_MODELS": str(home / "shared"),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    environment.pop("PREFECT_API_URL", None)
    # a job in the background, as CI may be, ignores Ctrl-C and would hand that down
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "up", "--port", str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        up = Running(process, home, f"http://127.0.0.1:{port}/api", environment)
        until((home / "server.json").exists, STARTED, process)
        until(lambda: _worker_is_online(up), STARTED, process)
        yield up
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


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
    assert crons == ["0 3 * * 0", "5 * * * *"]
    assert train["concurrency_limit"] == 1 or train["global_concurrency_limit"]["limit"] == 1
    assert inbox["parameters"]["settings"]["source"] == str(running.home / "inbox")
    assert train["job_variables"]["env"]["DIGITFLOW_HOME"] == str(running.home)


def test_a_schedule_fires_and_the_worker_reads_the_inbox(running: Running) -> None:
    deployment = running.deployment("predict/inbox")
    every = {"active": True, "schedule": {"interval": 5, "timezone": "UTC"}}
    schedules = f"/deployments/{deployment['id']}/schedules"
    made = running.post(schedules, [every])[0]

    def read() -> bool:
        runs = running.flow_runs("predict/inbox")
        assert not [r["state"]["message"] for r in runs if r["state_type"] in ("FAILED", "CRASHED")]
        return any(run["state_type"] == "COMPLETED" and run["auto_scheduled"] for run in runs)

    until(read, RUN_DONE, running.process)
    running.ask("DELETE", f"{schedules}/{made['id']}")
    rows = DeltaTable(str(running.home / "results")).to_pyarrow_table().to_pylist()
    assert {row["path"] for row in rows} == {"ring.png"}
    assert {row["model_version"] for row in rows} == {"tiny"}
    reports = running.post("/artifacts/filter", {})
    assert {"reading-report", "reading"} <= {artifact["key"] for artifact in reports}


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
        env={**running.environment, "PREFECT_API_URL": running.api},
        capture_output=True,
        text=True,
        timeout=RUN_DONE,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    rows = DeltaTable(str(running.home / "results")).to_pyarrow_table().to_pylist()
    assert "elsewhere.png" in {row["path"] for row in rows}


def test_a_command_uses_the_running_server_and_a_taken_port_is_refused(running: Running) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            env=running.environment,
            capture_output=True,
            text=True,
            timeout=RUN_DONE,
            check=False,
        )

    before = len(running.post("/flow_runs/filter", {}))
    read = command("predict", str(running.home / "inbox"), "--again", "--json")
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["found"] == 1
    assert len(running.post("/flow_runs/filter", {})) > before
    taken = command("up", "--port", running.api.split(":")[2].split("/")[0])
    assert taken.returncode == 2
    assert "is taken" in taken.stderr


def test_ctrl_c_ends_server_and_worker(running: Running) -> None:
    children = _children(running.process.pid)
    assert len(children) == 2
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert not (running.home / "server.json").exists()


def _worker_is_online(up: Running) -> bool:
    workers = up.post("/work_pools/digitflow/workers/filter", {})
    return any(worker["status"] == "ONLINE" for worker in workers)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def _ring() -> Any:
    return cv2.circle(np.full((64, 64), 255, np.uint8), (32, 32), 14, 0, 4)
