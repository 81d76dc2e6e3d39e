"""What a run reads with is not deleted, and what is deleted no run begins to read with."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.errors import ModelError
from tasks.registry.registry import Registry
from tasks.registry.version_lock import in_use
from tests.places import Place
from tests.registry.test_registry import card

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
READS = """
import sys
from pathlib import Path
from tasks.registry.version_lock import in_use
with in_use(Path(sys.argv[1])):
    print("reads", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def registry(place: Place, model_file: Path) -> Registry:
    found = Registry(place.url)
    found.register(card("v1"), model_file, model_file)
    return found


@contextmanager
def reading(model: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that reads with a version until the block ends."""
    command = [sys.executable, "-c", READS, str(model)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "reads\n"
        yield process
        process.stdin.close()


def unused(registry: Registry, name: str) -> bool:
    with registry.unused(name) as free:
        return free


def test_a_version_is_in_use_while_a_process_reads_with_it_and_not_once_it_was_killed(
    registry: Registry,
) -> None:
    model = registry.load("v1").onnx
    assert unused(registry, "v1")
    with reading(model), reading(model) as other:  # two may read at once
        assert not unused(registry, "v1")
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert not unused(registry, "v1")
    assert unused(registry, "v1")


def test_what_was_deleted_since_it_was_found_is_not_read_with(registry: Registry) -> None:
    model = registry.load("v1").onnx
    registry.remove(["v1"], "old", {})
    with (
        pytest.raises(ModelError, match=r"model.onnx was deleted: choose another version"),
        in_use(model),
    ):
        pass


def test_a_model_file_that_is_no_version_needs_no_lock(model_file: Path) -> None:
    with in_use(model_file):
        pass
