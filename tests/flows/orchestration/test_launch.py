"""A command that starts a Prefect server leaves neither that nor a process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cli.commands import Up
from flows.cli.main import INTERRUPTED
from flows.orchestration import launch
from flows.server.server_process import Server
from tests.bars import bar, encoded
from tests.flows.test_accidents import children_of
from tests.inference.test_worker import is_running

pytestmark = pytest.mark.server

FILES = 2_000
PATIENCE_S = 200.0  # for a server to start on a busy machine


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    (folder / "0.png").write_bytes(encoded(bar(3)))
    for number in range(1, FILES):
        os.link(folder / "0.png", folder / f"{number}.png")
    return folder


def starts(command: str) -> bool:
    return "flows.server.app" in command


def reads(command: str) -> bool:
    return "tasks.inference.worker" in command


@pytest.mark.parametrize(
    ("when", "how"),
    [(starts, signal.SIGKILL), (reads, signal.SIGKILL), (reads, signal.SIGINT)],
)
@pytest.mark.slow
def test_a_command_that_is_killed_or_stopped_leaves_no_server_and_no_process(
    tmp_path: Path, many: Path, model_file: Path, when: Callable[[str], bool], how: signal.Signals
) -> None:
    (tmp_path / "prefect").mkdir()
    environment = {
        **os.environ,
        "DIGITFLOW_HOME": str(tmp_path / "home"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    environment.pop("PREFECT_API_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", "predict", str(many), "--model", str(model_file)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not any(map(when, map(_command, children_of(process.pid)))):
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = children_of(process.pid)
    held = [child for child in children if how == signal.SIGINT and reads(_command(child))]
    _signal(held, signal.SIGSTOP)  # so that the command cannot have ended before
    process.send_signal(how)
    out, _ = process.communicate(timeout=60)
    # Python ends itself by SIGINT, which a shell calls 130 as well, where that came amid `exec`
    ends = {INTERRUPTED, -how} if how == signal.SIGINT else {-how}
    assert process.returncode in ends, out
    # one that was held before it looked after its parent can only see now that this is gone
    _signal(held, signal.SIGCONT)
    while left := [child for child in children if is_running(int(child))]:
        assert time.monotonic() < deadline, list(map(_command, left))
        time.sleep(0.05)


def _signal(pids: list[str], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(int(pid), number)


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_where_runs_are_listed_is_where_they_were_run(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.delenv("DIGITFLOW_HOME")
    local = f"http://127.0.0.1:{Up.model_fields['port'].default}/runs"
    monkeypatch.setattr(launch, "running_server", lambda: None)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert launch.where_runs_are_listed().endswith(f"digitflow up`, then {local}")
        monkeypatch.setenv("DIGITFLOW_HOME", "/my home")
        assert "DIGITFLOW_HOME='/my home' " in launch.where_runs_are_listed()
        monkeypatch.setattr(launch, "running_server", lambda: Server(4711, "digitflow:secret"))
        assert launch.where_runs_are_listed() == "http://127.0.0.1:4711/runs"
    with temporary_settings({PREFECT_API_URL: "https://me:secret@prefect.example.org/api"}):
        assert launch.where_runs_are_listed() == "https://prefect.example.org/runs"
