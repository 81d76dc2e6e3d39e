"""What several tests need to set up."""

import math
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from flows.cli.main import main
from tasks.contracts.verdict import Check
from tasks.inference.batch import Chunk, NoWatchdog, ReadPlan, read_chunks
from tasks.inference.model_file import model_in
from tasks.inference.session import ModelSession
from tasks.inputs.base import Entry, Inputs
from tasks.outcomes import Reason, Undecodable
from tasks.registry.card import CardContent
from tasks.registry.golden import golden_answers
from tasks.registry.registry import Registry, serving
from tasks.registry.version import Version
from tests.bars import bar
from tests.mutants import mutant, unchanged


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(*arguments: str) -> int:
    """Run a command line in this process and return its exit code."""
    try:
        main(list(arguments))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def answers_at_once(commands: Sequence[list[str]]) -> list[str]:
    """Let programs begin at the same moment and return what each then said.

    Each says that it is ready, and begins when a line comes.
    """
    root = Path(__file__).parents[1]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, cwd=root, **pipes) for command in commands]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.communicate()[0] for process in started]


def as_ordinary_user(*command: str) -> list[str]:
    """Return the command so that permissions bind it, also where the tests run as root."""
    powers = "-dac_override,-dac_read_search"
    return [*([] if os.getuid() else ["setpriv", f"--bounding-set={powers}"]), *command]


def register_champion(
    home: Path,
    onnx: Path,
    name: str = "tiny",
    place: str | None = None,
    checks: Sequence[Check] = (),
) -> Version:
    """Register a model with a card that says the gate accepted it, and promote it.

    Its copy says that it is of that name. The models of the home count if no other place is given.
    """
    keras = home / "model.keras"
    keras.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(onnx, keras)
    onnx = mutant(onnx, home / "model.onnx", unchanged, name)
    pictures = np.stack([bar(digit) for digit in range(10)])
    card = {
        "version": name,
        "created_at": "2026-01-01T00:00:00+00:00",
        "dataset": {"name": "made", "digest": "0" * 64},
        "settings": {"recipe": "quick"},
        "golden": golden_answers(model_in(onnx), pictures).to_dict(),
        "parity": None,
        "verdict": {
            **{"accepted": True, "sentence": "Accepted: made"},
            "checks": [check.to_dict() for check in checks],
            **{"against": None, "acceptance": {}},
        },
    }
    registry = Registry(place or home / "models")
    version = registry.register(CardContent.from_dict(card), onnx, keras)
    champion = serving(registry)
    registry.promote(version, "made for a test", against=champion.name if champion else None)
    return version


def do_once_before(
    patch: pytest.MonkeyPatch, module: ModuleType, name: str, act: Callable[[], object]
) -> None:
    """Do something once, just before a function is called that a module knows by that name."""
    function = getattr(module, name)

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        patch.setattr(module, name, function)
        act()
        return function(*args, **kwargs)

    patch.setattr(module, name, called)


def reason_of(inputs: Inputs, path: bytes) -> Reason | None:
    """Return why a path cannot be read, or nothing if it can."""
    try:
        inputs.read(path)
    except Undecodable as error:
        return error.reason
    return None


def read_batch(plan: ReadPlan, entries: Sequence[Entry], session: ModelSession) -> Chunk:
    """Return every page of the files and its row, one for each file at least."""
    [chunk] = read_chunks(plan, entries, session, NoWatchdog(), chunk_seconds=math.inf)
    return chunk
