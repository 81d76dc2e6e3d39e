"""What many tests need: MNIST, a small model with known answers, and state of their own."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from tasks.data.snapshot import MNIST_DIGEST, Part, ingest, load
from tasks.registry import registry
from tasks.storage import s3 as s3_file
from tests.bars import save_bar_model
from tests.places import BucketPlace, FolderPlace, Place
from tests.s3 import Failing, access, s3_server

SAMPLE_PICTURES = 1_200  # of each part of `npz_sample`: enough to learn four digits of five


@pytest.fixture(scope="session")
def mnist_datasets() -> Path:
    """Return a folder of datasets that holds MNIST, the same in every run of the tests."""
    cache = os.environ.get("DIGITFLOW_TEST_CACHE") or platformdirs.user_cache_dir("digitflow-tests")
    datasets = Path(cache) / "datasets"
    ingest("mnist", datasets)
    return datasets


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
    with Failing(s3).running() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return an empty place for models, of each kind in turn, with a home of its own."""
    monkeypatch.setenv("DIGITFLOW_HOME", str(tmp_path / "home"))
    if request.param == "folder":
        return FolderPlace(tmp_path / "models")
    return BucketPlace(request.getfixturevalue("s3_client"))


@pytest.fixture(autouse=True)
def no_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package ship no model: a test that wants one puts it there."""
    monkeypatch.setattr(registry, "READY", tmp_path / "bundled_model")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, not there yet, that is `DIGITFLOW_HOME`, also for started processes."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DIGITFLOW_HOME", str(folder))
    return folder
