"""What many tests need: MNIST, a small model with known answers, and state of their own."""

import os
from pathlib import Path

import platformdirs
import pytest

from tasks.dataset import ingest
from tests.bars import save_bar_model


@pytest.fixture(scope="session")
def mnist_datasets() -> Path:
    """Return a folder of datasets that holds MNIST, the same in every run of the tests."""
    cache = os.environ.get("DIGITFLOW_TEST_CACHE") or platformdirs.user_cache_dir("digitflow-tests")
    datasets = Path(cache) / "datasets"
    ingest("mnist", datasets)
    return datasets


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ONNX file that reads bars as digits."""
    return save_bar_model(tmp_path_factory.mktemp("model") / "bars.onnx")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, not there yet, that is `DIGITFLOW_HOME`, also for started processes."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DIGITFLOW_HOME", str(folder))
    return folder
