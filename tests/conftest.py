"""What many tests need: MNIST, a small model with known answers, and state of their own."""

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import platformdirs
import pytest
from hypothesis import settings

from tasks.data.snapshot import MNIST_DIGEST, Part, ingest, load
from tasks.registry import registry
from tasks.storage import s3 as s3_file
from tests.bars import save_bar_model
from tests.places import BucketPlace, FolderPlace, Place
from tests.s3 import Failing, access, s3_server

SAMPLE_PICTURES = 1_200  # of each part of `npz_sample`: enough to learn four digits of five


CACHE = "DIGITFLOW_TEST_CACHE"  # variable: a folder that is kept from run to run
SETTINGS = ("DIGITFLOW_", "PREFECT_", "AWS_")  # what variables begin with that steer our programs

settings.register_profile("digitflow", deadline=None)  # a busy machine is no defect
settings.load_profile("digitflow")


def pytest_configure(config: pytest.Config) -> None:
    """Keep this process, and all that it starts, away from settings and state of the user."""
    # a job in the background, as CI may be, ignores Ctrl-C and would hand that down
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(SETTINGS) and name != CACHE]:
        del os.environ[name]
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["DIGITFLOW_HOME"] = f"{folder.name}/digitflow"
    os.environ["PREFECT_HOME"] = f"{folder.name}/prefect"


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for the server of the S3 protocol."""
    for item in items:
        if "s3" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.bucket)


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home of its own, in which no model serves, not even a bundled one."""
    monkeypatch.setenv("DIGITFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(registry, "READY", tmp_path / "bundled_model")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the folder, not there yet, that is `DIGITFLOW_HOME`, also for started processes."""
    return tmp_path / "home"


@pytest.fixture(scope="session")
def mnist_datasets() -> Path:
    """Return a folder of datasets that holds MNIST, the same in every run of the tests."""
    cache = Path(os.environ.get(CACHE) or platformdirs.user_cache_dir("digitflow-tests"))
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # only the first of the processes that test fetches it
        ingest("mnist", cache / "datasets")
    return cache / "datasets"


@pytest.fixture(scope="session")
def npz_sample(mnist_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an .npz as Keras makes it, with the first pictures of MNIST's two parts."""
    snapshot = load(mnist_datasets / "mnist" / MNIST_DIGEST)
    (x_train, y_train), (x_test, y_test) = map(snapshot.part, (Part.TRAIN, Part.TEST))
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    file = tmp_path_factory.mktemp("data") / "sample.npz"
    np.savez(file, **{name: array[:SAMPLE_PICTURES] for name, array in arrays.items()})
    return file


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ONNX file that reads bars as digits."""
    return save_bar_model(tmp_path_factory.mktemp("model") / "bars.onnx")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a server of the S3 protocol that runs as long as the tests."""
    with s3_server(tmp_path_factory.mktemp("s3") / "server.log") as url:
        yield url


@pytest.fixture(scope="session")
def boto(s3: str) -> Any:
    """Return a client of that server; making one takes as long as a test."""
    import boto3

    keys = {"aws_access_key_id": "user", "aws_secret_access_key": "secret"}
    return boto3.client("s3", endpoint_url=s3, region_name="us-east-1", **keys)


@pytest.fixture
def s3_client(s3: str, boto: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return that client; the environment leads to its server, also that of started processes."""
    for name, value in access(s3).items():
        monkeypatch.setenv(name, value)
    return boto


@pytest.fixture
def failing(s3_client: Any, s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """Return a server in front of that one, which fails as it is told."""
    monkeypatch.setattr(s3_file, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    with Failing(s3).running() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.bucket)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return an empty place for models, of each kind in turn."""
    if request.param == "folder":
        return FolderPlace(tmp_path / "models")
    return BucketPlace(request.getfixturevalue("s3_client"))
