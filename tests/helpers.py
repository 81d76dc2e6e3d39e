"""What several tests need to set up."""

import json
import shutil
import socket
from pathlib import Path

from tasks.decode import Undecodable
from tasks.inputs import Inputs
from tasks.reasons import Reason
from tasks.registry import Registry, Version


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def register_champion(home: Path, onnx: Path, name: str = "tiny") -> Version:
    """Register a model with a card that says the gate accepted it, and promote it."""
    keras = home / "model.keras"
    keras.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(onnx, keras)
    card = {
        "version": name,
        "created_at": "2026-01-01T00:00:00+00:00",
        "dataset": {"name": "made"},
        "settings": {"recipe": "quick"},
        "metrics": {"accuracy": 0.5},
        "verdict": {"accepted": True, "checks": []},
    }
    registry = Registry(home / "models")
    version = registry.register(json.loads(json.dumps(card)), onnx, keras)
    registry.promote(version, "made for a test")
    return version


def reason_of(inputs: Inputs, path: bytes) -> Reason | None:
    """Return why a path cannot be read, or nothing if it can."""
    try:
        inputs.read(path)
    except Undecodable as trouble:
        return trouble.reason
    return None
