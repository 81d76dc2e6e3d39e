"""The wheel in an empty environment reads a folder, deploys and serves, far from any checkout."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bars import bar, encoded
from tests.helpers import free_port
from tests.prefect_api import Api

DEPLOYED = {"weekly", "inbox", "nightly", "on-promotion", "held"}
ROOT = Path(__file__).parents[1]
INSTALL = "uv tool install --with-executables-from prefect ."  # as in README.md
UV = str(Path(sys.executable).with_name("uv"))
COMMAND_S = 300.0  # for a command whose bytecode is not compiled yet, on a busy machine
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Installed:
    """An environment with the wheel in it, and a user who has nothing else."""

    programs: Path
    place: Path
    folder: Path
    environment: dict[str, str]

    def run(self, program: str, *arguments: str, **variables: str) -> str:
        """Run a program of the environment and return what it printed."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel as the README says, in the versions of the lock file."""
    place = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", str(place / "dist"), str(ROOT))
    [wheel] = (place / "dist").glob("*.whl")
    *words, checkout = INSTALL.split()
    assert (words.pop(0), checkout) == ("uv", ".")
    uv(
        *words,
        str(wheel),
        UV_TOOL_DIR=str(place / "tools"),
        UV_TOOL_BIN_DIR=str(place / "bin"),
        UV_PYTHON=sys.executable,
        UV_CONSTRAINT=str(ROOT / "requirements.lock"),
    )
    folder = place / "user"
    for name in ("scans", ".digitflow/inbox"):
        (folder / name).mkdir(parents=True)
        for digit in range(3):
            (folder / name / f"{digit}.png").write_bytes(encoded(bar(digit)))
    variables = {
        "HOME": str(folder),
        "PATH": f"{place / 'bin'}:/usr/bin:/bin",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    return Installed(place / "bin", place / "tools" / "digitflow", folder, variables)


def uv(*arguments: str, **variables: str) -> None:
    """Run uv, which is to ask the index that pip asks."""
    pip = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(pip, capture_output=True, text=True, check=False).stdout.strip()
    index = os.environ.get("PIP_INDEX_URL") or configured
    asked = {"UV_DEFAULT_INDEX": index} if index else {}
    done = subprocess.run(
        [UV, *arguments],
        env=asked | os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_holds_all_that_its_code_reads_and_brings_no_tensorflow(installed: Installed) -> None:
    code = (
        "import importlib.util, json\n"
        "from flows.cli import main\n"
        "from tasks.registry import registry\n"
        "found = importlib.util.find_spec('tensorflow') is not None\n"
        "print(json.dumps([main.__file__, str(registry.READY), found]))"
    )
    python = os.path.relpath(installed.place / "bin" / "python", installed.programs)
    where, model, tensorflow = json.loads(installed.run(python, "-c", code))
    assert installed.place in Path(where).parents
    assert installed.place in Path(model).parents
    assert (Path(model) / "model.onnx").exists()
    assert not tensorflow


def test_it_reads_a_folder(installed: Installed) -> None:
    summary = json.loads(installed.run("digitflow", "predict", "scans", "--no-prefect", "--json"))
    assert summary["found"] == 3
    assert summary["read"] + summary["review"] + summary["rejected"] == 3
    assert summary["results"] == str(installed.folder / ".digitflow" / "results")
    rows = json.loads(installed.run("digitflow", "results", "--json"))
    assert {row["path"] for row in rows} == {"0.png", "1.png", "2.png"}


@pytest.fixture(scope="module")
def up(installed: Installed) -> Iterator[subprocess.Popen[str]]:
    """Run `digitflow up`, and stop it at last by Ctrl-C."""
    process = subprocess.Popen(
        [installed.programs / "digitflow", "up", "--port", str(free_port())],
        cwd=installed.folder,
        env=installed.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_it_deploys_both_flows_and_reads_its_inbox(
    installed: Installed, up: subprocess.Popen[str]
) -> None:
    def credentials() -> dict[str, str]:
        asked = subprocess.run(
            [installed.programs / "digitflow", "credentials"],
            env=installed.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return dict(line.split("=", 1) for line in asked.stdout.splitlines())

    until(lambda: bool(credentials()), up)
    given = credentials()
    api = Api(given["PREFECT_API_URL"], given["PREFECT_API_AUTH_STRING"])
    deployments = api.post("/deployments/filter", {})
    assert {deployment["name"] for deployment in deployments} == DEPLOYED
    watched = ("deployment", "run", "predict/inbox", "--watch")
    installed.run("prefect", *watched, **given)
    rows = json.loads(installed.run("digitflow", "results", "--json"))
    inbox = str(installed.folder / ".digitflow" / "inbox")
    assert {row["path"] for row in rows if row["root"] == inbox} == {"0.png", "1.png", "2.png"}
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0


def until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + COMMAND_S
    while not happened():
        if process.poll() is not None:
            pytest.fail(f"digitflow up ended: {process.stdout.read() if process.stdout else ''}")
        assert time.monotonic() < deadline, f"no server within {COMMAND_S} s"
        time.sleep(0.5)
