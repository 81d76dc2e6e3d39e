"""The README is true: each of its commands and programs is run, its tables are the code's."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

from flows.cli.main import INTERRUPTED, OUTPUT_CLOSED
from tasks.data.idx import to_bytes
from tasks.data.mnist import RAW_SHA256
from tasks.errors import GateRefused, InputError, RejectedInputs
from tasks.outcomes import MEANINGS
from tasks.results.schema import SCHEMA
from tests.bars import bar, encoded

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = {
    "make test": "this is it",
    **{
        f"digitflow models {command}": "tests/flows/test_promote.py"
        for command in (
            *("show VERSION", "diff VERSION OTHER", 'promote VERSION --reason "..."'),
            *('rollback --reason "..."', "reproduce VERSION", "verify"),
        )
    },
    "digitflow up": "tests/flows/orchestration/test_up.py",
    "export $(digitflow credentials)": "tests/flows/orchestration/test_up.py",
    "prefect deployment run train/weekly": "tests/flows/orchestration/test_up.py",
    "prefect deployment run predict/inbox --param settings="
    """'{"source": "/path/to/scans"}'""": "tests/flows/orchestration/test_up.py",
}
CLUSTER = "digitflow predict s3://bucket/scans --runner dask --address tcp://scheduler:8786"
ELSEWHERE |= {
    "pip install 'digitflow[dask,s3]'": "the extras are those of pyproject.toml",
    "export DIGITFLOW_MODELS=s3://bucket/models": "tests/flows/test_shared_models.py",
    CLUSTER: "tests/flows/orchestration/test_task_runners.py and tests/flows/test_bucket.py",
}
EXIT_CODES = {
    "digitflow predict scans/ --strict": RejectedInputs.exit_code,
    # more than the few calibration pictures here can promise
    "digitflow predict scans/ --max-error 0.01": InputError.exit_code,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    lines = (
        line.split("  #")[0].split(" # ")[0].strip() for line in "".join(blocks("sh")).splitlines()
    )
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with prefect_test_harness(server_startup_timeout=120):
        url = PREFECT_API_URL.value()
        assert url
        yield url


@pytest.fixture(scope="module")
def terminal(
    tmp_path_factory: pytest.TempPathFactory, npz_sample: Path, server: str
) -> tuple[Path, dict[str, str]]:
    """Return a folder as the README assumes it, and the environment of its user."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(npz_sample, folder / "digits.npz")
    with np.load(npz_sample) as arrays:
        images, labels = arrays["x_test"], arrays["y_test"]
        parts = [arrays[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    (folder / "idx").mkdir()
    for name, part in zip(RAW_SHA256, parts, strict=True):
        (folder / "idx" / name).write_bytes(to_bytes(part.astype(np.uint8)))
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        file = folder / "digits" / str(label) / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    shutil.copytree(folder / "digits", folder / "checked")
    (folder / "scans").mkdir()
    (folder / "scans" / "three.png").write_bytes(encoded(bar(3)))
    (folder / "scans" / "broken.png").write_bytes(b"")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DIGITFLOW_HOME"},
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFECT_API_URL": server,
        # defaults of the small data, so that each training takes seconds
        "DIGITFLOW_DATA": "digits.npz",
        "DIGITFLOW_RECIPE": "quick",
        "DIGITFLOW_MIN_ACCURACY": "0.5",
        "DIGITFLOW_MIN_RECALL": "0.1",
        "DIGITFLOW_MAX_CALIBRATION_ERROR": "0.5",
        "DIGITFLOW_MAX_ERROR": "1",
        "DIGITFLOW_JUDGE_ON": "clean",
        "DIGITFLOW_MIN_COVERAGE": "0",
        "DIGITFLOW_MIN_SLICE_PICTURES": "100",
        # what ships knows far more than these small models
        "DIGITFLOW_MAX_DROP": "1",
        "DIGITFLOW_MAX_OVERALL_DROP": "1",
    }
    return folder, environment


def test_every_command_of_the_readme_works(terminal: tuple[Path, dict[str, str]]) -> None:
    folder, environment = terminal
    listed = [command for command in commands() if command not in ELSEWHERE]
    # a model is made before folders are read
    for command in sorted(listed, key=lambda line: not line.startswith("digitflow train")):
        where = ROOT if command.startswith("make") else folder
        arguments = environment
        if command.startswith("make"):
            arguments = environment | {"DIGITFLOW_DATA": str(folder / "digits.npz")}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=where,
            env=arguments,
            capture_output=True,
            text=True,
            check=False,
        )
        words = f"{command}\n{done.stdout}\n{done.stderr}"
        expected = GateRefused.exit_code if "--min-accuracy 0.99" in command else 0
        assert done.returncode == EXIT_CODES.get(command, expected), words
    assert (folder / "read.csv").read_text().count("\n") == 3


def test_every_program_of_the_readme_works(terminal: tuple[Path, dict[str, str]]) -> None:
    folder, environment = terminal
    if not (folder / ".digitflow" / "results").exists():
        pytest.fail("the commands have to run before the programs")
    model = next((folder / ".digitflow" / "models").glob("*/model.onnx"))
    shutil.copy(model, folder / "model.onnx")
    for program in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}\n{done.stderr}"


def test_what_is_run_elsewhere_still_stands_in_the_readme() -> None:
    assert set(ELSEWHERE) <= set(commands())


def test_the_reason_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (?:read|review|rejected) \| `(\w+)` \| (.+) \|$", README, re.MULTILINE)
    assert dict(rows) == {str(reason): meaning for reason, meaning in MEANINGS.items()}


def test_the_results_columns_are_those_of_the_table() -> None:
    table = README.split("### Results table")[1].split("### Reason codes")[0]
    named = set(re.findall(r"`(\w+)`", table)) | {f"p{digit}" for digit in range(10)}
    assert named == set(SCHEMA.names)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    table = README.split("### Exit codes")[1].split("###")[0]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    ours = {InputError.exit_code, GateRefused.exit_code, RejectedInputs.exit_code}
    assert codes == {0, 1, INTERRUPTED, OUTPUT_CLOSED} | ours
