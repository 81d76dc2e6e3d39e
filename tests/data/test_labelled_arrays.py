"""IDX files and .npz, and every way in which they are found wrong."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.data import idx
from tasks.data.labelled import Labelled
from tasks.data.sources import read
from tasks.errors import DatasetError

pytestmark = pytest.mark.processes

random = np.random.default_rng(5)
IMAGES = random.integers(0, 200, (60, 28, 28), dtype=np.uint8)
LABELS = (np.arange(60) % 10).astype(np.uint8)
TRAIN = 40
IDX: dict[str, NDArray[np.uint8]] = {
    "train-images-idx3-ubyte": IMAGES[:TRAIN],
    "train-labels-idx1-ubyte": LABELS[:TRAIN],
    "t10k-images-idx3-ubyte": IMAGES[TRAIN:],
    "t10k-labels-idx1-ubyte": LABELS[TRAIN:],
}
NPZ: dict[str, NDArray[Any]] = {
    "x_train": IMAGES[:TRAIN],
    "y_train": LABELS[:TRAIN],
    "x_test": IMAGES[TRAIN:],
    "y_test": LABELS[TRAIN:],
}


def read_quietly(path: Path) -> Labelled:
    return read(path, lambda what, done, total: None)


def write_idx(
    folder: Path, packed: bool = False, dot: str = "-", other: dict[str, bytes] | None = None
) -> Path:
    """Write the four files, some with other content, named by the beginning of the file's name."""
    folder.mkdir()
    for name, array in IDX.items():
        data = (other or {}).get(name.partition("-idx")[0], idx.to_bytes(array))
        path = folder / (name.replace("-idx", f"{dot}idx") + (".gz" if packed else ""))
        path.write_bytes(gzip.compress(data) if packed else data)
    return folder


def write_npz(path: Path, **other: Any) -> Path:
    np.savez_compressed(path, **{**NPZ, **other})
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_idx_files_are_read_plain_and_packed_under_both_spellings(
    tmp_path: Path, packed: bool, dot: str
) -> None:
    labelled = read_quietly(write_idx(tmp_path / "digits", packed, dot))
    assert np.array_equal(labelled.images, IMAGES)
    assert np.array_equal(labelled.labels, LABELS)
    assert labelled.test is not None
    assert np.array_equal(np.flatnonzero(labelled.test), np.arange(TRAIN, 60))


def test_keras_npz_is_read(tmp_path: Path) -> None:
    labelled = read_quietly(write_npz(tmp_path / "mine.npz", y_train=LABELS[:TRAIN].astype("i8")))
    assert labelled.name == "mine"
    assert np.array_equal(labelled.images, IMAGES)
    assert labelled.labels.dtype == np.int8
    assert np.array_equal(labelled.labels, LABELS)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"train-images": idx.to_bytes(IMAGES[:TRAIN])[:-5]}, "train-images.*: truncated"),
        ({"t10k-labels": idx.to_bytes(IMAGES[:2])}, "t10k-labels.*: expected the IDX magic"),
        (
            {"train-labels": idx.to_bytes(LABELS[: TRAIN + 1])},
            "train-labels.*: more labels than pictures: 41 labels for the 40 pictures of .*images",
        ),
        (
            {"t10k-labels": idx.to_bytes(LABELS[:19])},
            "t10k-labels.*: more pictures than labels: 19 labels for the 20 pictures",
        ),
        (
            {"train-labels": idx.to_bytes(LABELS[:TRAIN] + 1)},
            "train-labels.*: expected labels 0 to 9, found 10 at index 9",
        ),
        (
            {"train-images": idx.to_bytes(IMAGES[:TRAIN, 1:])},
            r"train-images.*: expected uint8 \(N, 28, 28\), found uint8 \(40, 27, 28\)",
        ),
        (
            {"train-images": idx.to_bytes(255 - IMAGES[:TRAIN])},
            "train-images.*: expected bright ink on 0, found a mean of 15[0-9] of 255",
        ),
    ],
    ids=["truncated", "magic", "more labels", "more pictures", "label 10", "size", "inverted"],
)
def test_wrong_idx_files_are_refused_with_file_expectation_and_finding(
    tmp_path: Path, other: dict[str, bytes], says: str
) -> None:
    with pytest.raises(DatasetError, match=says):
        read_quietly(write_idx(tmp_path / "digits", other=other))


def test_a_missing_idx_file_is_named(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "digits")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetError, match="found no t10k-labels-idx1-ubyte"):
        read_quietly(folder)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"x_train": IMAGES[:TRAIN] / 255}, "mine.npz, x_train: expected uint8 .* found float64"),
        ({"x_test": IMAGES[TRAIN:, :, 1:]}, r"mine.npz, x_test: .* found uint8 \(20, 28, 27\)"),
        ({"y_test": LABELS[TRAIN:] / 1.0}, "mine.npz, y_test: expected one integer per picture"),
        ({"y_test": LABELS[TRAIN:, None]}, r"mine.npz, y_test: .* found uint8 \(20, 1\)"),
        ({"y_train": -LABELS[:TRAIN].astype(int)}, "y_train: .* found -1 at index 1"),
        ({"y_train": np.array([object()] * TRAIN)}, "y_train.npy holds objects, which are never"),
    ],
    ids=["float pixels", "size", "float labels", "label columns", "negative label", "objects"],
)
def test_wrong_npz_members_are_refused_with_name_expectation_and_finding(
    tmp_path: Path, other: dict[str, Any], says: str
) -> None:
    with pytest.raises(DatasetError, match=says):
        read_quietly(write_npz(tmp_path / "mine.npz", **other))


def test_an_npz_without_all_four_arrays_says_which_is_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES)
    with pytest.raises(DatasetError, match=r"missing: \['y_test'\]"):
        read_quietly(tmp_path / "mine.npz")


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "npy"])
def test_a_damaged_npz_is_refused(tmp_path: Path, damage: str) -> None:
    path = write_npz(tmp_path / "mine.npz")
    if damage == "npy":
        np.save(tmp_path / "one.npy", IMAGES)
        (tmp_path / "one.npy").rename(path)
    else:
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "text": b"text", "truncated": whole[:-200]}[damage])
    with pytest.raises(DatasetError, match=r"mine\.npz: cannot be read as \.npz"):
        read_quietly(path)
