"""The README files are true: their commands and programs are run, their tables are the code's."""

import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

from flows.cli.main import INTERRUPTED, OUTPUT_CLOSED
from tasks.data.idx import to_bytes
from tasks.data.mnist import RAW_SHA256
from tasks.errors import GateRefused, InputError, RejectedInputs
from tasks.monitoring.hold_reasons import MEANINGS as HOLD_MEANINGS
from tasks.outcomes import MEANINGS
from tasks.registry import registry
from tasks.results.schema import SCHEMA
from tests import helpers
from tests.bars import bar, encoded
from tests.prefect_api import authorization
from tests.test_wheel import INSTALL

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "tasks/README.md", "deployments/README.md", "tests/bench/README.md")
PAGES = (*READMES, ".github/CONTRIBUTING.md", ".github/SECURITY.md")
README, TASKS, DEPLOYMENTS, BENCH = ((ROOT / name).read_text(encoding="utf-8") for name in READMES)
ALL = "\n".join((README, TASKS, DEPLOYMENTS, BENCH))
ELSEWHERE = {
    "make test": "Makefile",  # this is it
    **dict.fromkeys(
        (
            *("digitflow models show VERSION", "digitflow models diff VERSION OTHER"),
            'digitflow models promote VERSION --reason "..."',
            'digitflow models rollback --reason "..."',
            *("digitflow models reproduce VERSION", "digitflow models verify"),
        ),
        "tests/flows/test_promote.py",
    ),
    **dict.fromkeys(
        (
            "uv tool install --with-executables-from prefect .",
            "export PREFECT_API_URL=https://prefect.example.org/api",
            'export PREFECT_API_AUTH_STRING="$(cat /run/secrets/prefect)"',
            "export DIGITFLOW_MODELS=s3://bucket/models DIGITFLOW_RESULTS=s3://bucket/results",
            "prefect worker start --pool digitflow",
        ),
        "tests/flows/server/test_own_server.py",
    ),
    **dict.fromkeys(
        (
            "pg_dump --format custom --file prefect.dump prefect",
            "tar -czf digitflow.tgz -C /var/lib digitflow",
            "pg_restore --dbname restored prefect.dump",
        ),
        "tests/flows/server/test_backup.py",
    ),
    **dict.fromkeys(
        ("digitflow deploy", "digitflow deploy --dry-run"),
        "tests/flows/deploying/test_deploy.py",
    ),
    **dict.fromkeys(
        (
            *("digitflow up", "export $(digitflow credentials)"),
            "prefect deployment run train/weekly",
            "prefect deployment run predict/inbox --param settings="
            """'{"source": "/path/to/scans"}'""",
        ),
        "tests/flows/orchestration/test_up.py",
    ),
    "digitflow predict s3://bucket/scans --runner dask --address tcp://scheduler:8786": (
        "tests/flows/orchestration/test_task_runners.py"
    ),
    **dict.fromkeys(
        (
            "digitflow held show RUN",
            'digitflow held release RUN --reason "a new pen"',
            'digitflow held drop RUN --reason "wrong folder"',
        ),
        "tests/flows/holding/test_holding.py",
    ),
    'digitflow take-back RUN --reason "wrong folder"': "tests/results/test_take_back.py",
    **dict.fromkeys(
        (
            *("digitflow review", "digitflow review --source scans/ --reason ambiguous"),
            "digitflow review --add-person Ada",
            "digitflow review --host 192.0.2.5",
        ),
        "tests/flows/review/test_serve.py",
    ),
    "digitflow models upgrade": "tests/flows/maintenance/test_upgrade.py",
    "export DIGITFLOW_MODELS=s3://bucket/models": "tests/flows/test_shared_models.py",
    INSTALL: "tests/test_wheel.py",
}
EXIT_CODES = {
    "digitflow predict scans/ --strict": RejectedInputs.exit_code,
    "digitflow train --data idx/ --min-accuracy 0.99": GateRefused.exit_code,
}
SETTINGS = {  # of the small data, so that each training takes seconds
    "DIGITFLOW_DATA": "digits.npz",
    "DIGITFLOW_RECIPE": "quick",
    "DIGITFLOW_MIN_ACCURACY": "0.5",
    "DIGITFLOW_MIN_RECALL": "0.1",
    "DIGITFLOW_MAX_CALIBRATION_ERROR": "0.5",
    "DIGITFLOW_MAX_ERROR": "1",
    "DIGITFLOW_JUDGE_ON": "clean",
    "DIGITFLOW_MIN_COVERAGE": "0",
    "DIGITFLOW_MIN_SLICE_PICTURES": "100",
    # what ships knows far more than these small models, and was judged on more
    "DIGITFLOW_PROMOTE": "0",
    "DIGITFLOW_MAX_DROP": "1",
    "DIGITFLOW_MAX_OVERALL_DROP": "1",
}
SHIPPED = registry.READY  # tests are given none, users have it
pytestmark = pytest.mark.timeout(600)  # the first command waits for a server and a training
NAME = re.compile("[a-z][a-z-]*")  # of a sub-command
SERVER_S = 300.0  # until a server answers, on a busy machine


def blocks(language: str, text: str = ALL) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(program: str = "") -> list[str]:
    """Return the commands of all files that begin with a program, each once."""
    lines = "".join(blocks("sh")).splitlines()
    listed = (re.split(r"\s+#\s", line)[0].strip() for line in lines)
    return list(dict.fromkeys(line for line in listed if line and line.startswith(program)))


def run_here(program: str) -> list[str]:
    return [command for command in commands(program) if command not in ELSEWHERE]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with prefect_test_harness(server_startup_timeout=int(SERVER_S)):
        url = PREFECT_API_URL.value()
        assert url
        yield url


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, npz_sample: Path, server: str) -> Path:
    """Return a folder as the files assume it, whose user has trained a model and read pictures."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(npz_sample, folder / "digits.npz")
    with np.load(npz_sample) as arrays:
        parts = [arrays[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    (folder / "idx").mkdir()
    for name, part in zip(RAW_SHA256, parts, strict=True):
        (folder / "idx" / name).write_bytes(to_bytes(part.astype(np.uint8)))
    table = np.column_stack([parts[1], parts[0].reshape(len(parts[0]), -1)])
    header = ",".join(["label", *(f"pixel{number}" for number in range(784))])
    np.savetxt(folder / "train.csv", table, "%d", ",", header=header, comments="")
    for number, (image, label) in enumerate(zip(*parts[2:], strict=True)):
        file = folder / "digits" / str(label) / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    shutil.copytree(folder / "digits", folder / "checked")
    (folder / "scans").mkdir()
    (folder / "scans" / "three.png").write_bytes(encoded(bar(3)))
    (folder / "scans" / "broken.png").write_bytes(b"")
    (folder / "a.jpg").write_bytes(encoded(bar(4), "JPEG"))
    (folder / "more").mkdir()
    (folder / "more" / "five.png").write_bytes(encoded(bar(5)))
    with pytest.MonkeyPatch.context() as patch:
        become_user(patch, folder)
        assert helpers.run("train") == 0
        assert helpers.run("predict", "scans/") == 0
    [model] = (folder / ".digitflow" / "models").glob("*/model.onnx")
    shutil.copy(model, folder / "model.onnx")
    shutil.copytree(folder / ".digitflow", folder / "as_prepared")
    return folder


@pytest.fixture
def user(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be the user of that folder, in the state that it was prepared in."""
    become_user(monkeypatch, prepared)
    shutil.rmtree(prepared / ".digitflow")
    shutil.copytree(prepared / "as_prepared", prepared / ".digitflow")
    return prepared


def become_user(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)
    patch.setattr(registry, "READY", SHIPPED)
    patch.delenv("DIGITFLOW_HOME", raising=False)
    for name, value in {"HOME": str(folder), **SETTINGS}.items():
        patch.setenv(name, value)


def as_user(test: Any) -> Any:
    """Mark a test that needs what the user has trained and read."""
    return pytest.mark.slow(pytest.mark.server(pytest.mark.training(test)))


def said_to_digitflow(command: str) -> list[str]:
    """Return what a shell makes of the words of a command."""
    function = 'digitflow() { printf "%s\\0" "$@"; }'
    shell = ["bash", "-c", f"{function}; {command}"]
    said = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    return said.split("\0")[:-1]


@as_user
@pytest.mark.parametrize("command", run_here("digitflow"))
def test_the_command_works(command: str, user: Path) -> None:
    assert helpers.run(*said_to_digitflow(command)) == EXIT_CODES.get(command, 0)


@as_user
def test_the_file_that_is_asked_for_has_a_row_for_each_picture(user: Path) -> None:
    [command] = [line for line in commands("digitflow") if "--out read.csv" in line]
    assert helpers.run(*said_to_digitflow(command)) == 0
    assert (user / "read.csv").read_text().count("\n") == 3


@as_user
@pytest.mark.parametrize("command", run_here("make"))
def test_the_target_of_make_runs_a_command_that_works(command: str, user: Path) -> None:
    made = ["--dry-run", "--assume-old=.venv/.ready", "-C", str(ROOT)]
    shown = subprocess.run(
        [*command.split(), *made], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    [line] = [line for line in shown.splitlines() if line.startswith(".venv/bin/digitflow")]
    assert helpers.run(*line.split()[1:]) == 0


@as_user
@pytest.mark.parametrize("program", blocks("python"))
def test_the_program_works(program: str, user: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", run_here(".venv/bin/python"))
def test_the_benchmark_knows_its_words(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Parsed(Exception):
        pass

    def parse(parser: argparse.ArgumentParser, *arguments: object) -> None:
        understood(parser, *arguments)
        raise Parsed

    words = [word for word in command.split()[1:] if word != "-m"]
    name, given = Path(words[0].replace(".", "/").removesuffix("/py")).name, words[1:]
    monkeypatch.syspath_prepend(ROOT / "tests" / "bench")
    understood = argparse.ArgumentParser.parse_args
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.setattr(sys, "argv", [name, *given])
    with pytest.raises(Parsed):
        importlib.import_module(name).main()


@pytest.mark.parametrize("command", run_here("uv tool install"))
def test_the_extras_that_can_be_installed_are_there(command: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [extras] = re.findall(r"'\.\[([a-z0-9,]+)\]'$", command)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.slow
@pytest.mark.server
def test_a_server_of_ones_own_answers_who_has_the_login(tmp_path: Path) -> None:
    [block] = [block for block in blocks("sh", DEPLOYMENTS) if "uvicorn" in block]
    (tmp_path / "prefect").write_text("user:a-long-password")
    port = helpers.free_port()
    block = block.replace("/run/secrets/prefect", str(tmp_path / "prefect"))
    assert "--port 4200" in block
    block = block.replace("--port 4200", f"--port {port}").replace("uvicorn ", "exec uvicorn ")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFECT_HOME": str(tmp_path),
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", block], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        asked = httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=SERVER_S)
        until_it_listens(asked, process, tmp_path / "log")
        login, host = authorization("user:a-long-password"), {"Host": "prefect.example.org"}
        foreign = {"Host": "evil.test"}
        refused, answered, led_here = (
            asked.get("/admin/version", headers=headers).status_code
            for headers in (host, host | login, foreign | login)
        )
        assert refused == httpx.codes.UNAUTHORIZED
        assert answered == httpx.codes.OK
        assert led_here == httpx.codes.BAD_REQUEST
    finally:
        process.terminate()
        process.wait(60)


def until_it_listens(asked: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SERVER_S
    while True:
        try:
            asked.get("/health")
        except httpx.ConnectError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return


def test_what_the_prose_names_of_the_command_line_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    prose = re.sub(r"^```.*?^```", "", "\n".join((README, TASKS, DEPLOYMENTS)), flags=re.S | re.M)
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", prose)]
    written = [*commands("digitflow"), *(span for span in spans if span.startswith("digitflow "))]
    for words in sorted({tuple(takewhile(NAME.fullmatch, line.split()[1:])) for line in written}):
        assert helpers.run(*words, "--help") == 0, words
    known = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    assert {option for span in spans for option in re.findall(r"--[a-z][a-z-]+", span)} <= known


def test_every_command_is_run_here_or_elsewhere() -> None:
    own_server = set(next(b for b in blocks("sh", DEPLOYMENTS) if "uvicorn" in b).splitlines())
    server = {re.split(r"\s+#\s", line)[0].strip() for line in own_server}
    programs = ("digitflow", "make", ".venv/bin/python", "uv tool install")
    run = {command for program in programs for command in run_here(program)}
    assert set(commands()) == run | set(ELSEWHERE) | server
    assert all((ROOT / file).exists() for file in ELSEWHERE.values())


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_links_to_is_there(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    for target, _, anchor in (("".join(link)).partition("#") for link in links):
        if "://" in target:
            continue
        leads_to = page.parent / target if target else page
        assert leads_to.exists(), target
        if anchor:
            assert anchor in anchors(leads_to.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_map_has_a_line_for_each_room_and_the_drawing_names_no_other() -> None:
    rooms = {
        f"{top}/{file.parent.name}"
        for top in ("flows", "tasks")
        for file in (ROOT / top).glob("*/__init__.py")
    }
    named = re.findall(r"^\| `([a-z/_]+)` \|", section(README, "## The rooms"), re.MULTILINE)
    assert sorted(named) == sorted(rooms | {"flows", "deployments", "tests"})
    drawing = (ROOT / ".github" / "line.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"tasks/\w+", drawing)) <= rooms


def test_what_contributing_names_is_there() -> None:
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = re.findall(r"`((?:flows|tasks|tests|deployments)(?:/[\w.]+)*)`", text)
    assert [file for file in files if not (ROOT / file).exists()] == []
    modules = {file.name for top in ("flows", "tasks") for file in (ROOT / top).rglob("*.py")}
    assert set(re.findall(r"`([a-z_]+\.py)`", text)) <= modules


def test_the_targets_of_make_that_are_named_exist() -> None:
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in PAGES)
    assert set(re.findall(r"`make\s+([a-z-]+)", text)) <= make_targets()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_reason_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (?:read|review|rejected) \| `(\w+)` \| (.+) \|$", TASKS, re.MULTILINE)
    assert dict(rows) == {str(reason): meaning for reason, meaning in MEANINGS.items()}


def test_the_reasons_of_odd_batches_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section(TASKS, "### Why a batch is odd"), re.M)
    assert dict(rows) == {str(reason): meaning for reason, meaning in HOLD_MEANINGS.items()}


def test_the_results_columns_are_those_of_the_table() -> None:
    table = section(TASKS, "### Results table")
    named = set(re.findall(r"`(\w+)`", table)) | {f"p{digit}" for digit in range(10)}
    assert named == set(SCHEMA.names)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    table = section(TASKS, "## Exit codes")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    ours = {InputError.exit_code, GateRefused.exit_code, RejectedInputs.exit_code}
    assert codes == {0, 1, INTERRUPTED, OUTPUT_CLOSED} | ours


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one."""
    return re.split(r"^#", text.split(f"\n{heading}\n")[1], flags=re.MULTILINE)[0]
