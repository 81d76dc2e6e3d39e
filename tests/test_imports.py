"""Reading loads neither TensorFlow nor Prefect: they cost seconds, and need not be installed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "tf2onnx", "onnx", "prefect", "boto3")
STARTS = [
    "flows.cli.main",
    "flows.predict",
    "flows.runner",
    "flows.cli.doctor",
    "flows.demo",
    "flows.train",
]
PROGRAM = """
import importlib, sys
for module in sys.argv[1].split():
    importlib.import_module(module)
    for heavy in sys.argv[2].split():
        if sys.modules.pop(heavy, None):
            print(module, "loads", heavy)
"""


def test_no_room_but_training_and_no_flow_loads_what_is_heavy() -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "tasks").rglob("[!_]*.py")]
    modules = STARTS + [".".join(path.parts) for path in paths if path.parts[1] != "training"]
    command = [sys.executable, "-c", PROGRAM, " ".join(modules), " ".join(HEAVY)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == ""


def test_a_reading_process_loads_no_settings_and_no_table() -> None:
    modules = "tasks.inference.worker tasks.inference.session tasks.inference.batch"
    command = [sys.executable, "-c", PROGRAM, modules, "pydantic deltalake"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == ""


LOOK = """
import sys, tempfile
from pathlib import Path
from flows.orchestration.inbox import tick
from tasks.settings.reading import InboxSettings

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "sub").mkdir()
    print(tick(InboxSettings(source=folder), None, None).sentence())
print({"numpy", "pyarrow", "deltalake", "rich", "prefect"}.intersection(sys.modules))
"""


def test_a_look_at_an_empty_inbox_loads_neither_a_table_nor_a_console() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "nothing new\nset()\n"


def test_a_run_of_a_deployment_loads_what_reads_and_reports_once_it_needs_it() -> None:
    heavy = "numpy pyarrow deltalake cv2 jinja2 tasks.reporting"
    command = [sys.executable, "-c", PROGRAM, "flows.orchestration.flows", heavy]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == ""


def test_packages_import_nothing() -> None:
    for package in ("flows", "tasks"):
        source = (ROOT / package / "__init__.py").read_text()
        assert [type(part) for part in ast.parse(source).body] == [ast.Expr]
