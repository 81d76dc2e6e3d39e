"""IDX files and .npz, and every way in which they are found wrong."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.data import array_forms, idx, npz
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
            r"train-images.*: expected pictures \(N, 28, 28\), found uint8 \(40, 27, 28\)",
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
        ({"x_test": IMAGES[TRAIN:, :, 1:]}, r"mine.npz, x_test: .* found uint8 \(20, 28, 27\)"),
        ({"y_test": LABELS[TRAIN:] / 2}, r"mine.npz, y_test: expected labels 0 to 9, found 0\.5"),
        ({"y_test": LABELS[TRAIN:].astype(str)}, r"found <U. \(20,\): save y.astype\('int64'\)"),
        ({"y_test": np.eye(11)[LABELS[TRAIN:]]}, r"found float64 \(20, 11\): one-hot .* have 10"),
        ({"y_test": np.full((20, 10), 0.1)}, r"one-hot rows .*: save y.argmax\(axis=1\)"),
        ({"y_train": LABELS[:TRAIN] + 1}, r"found 10 at index 9; if 10 is that of 0, save y % 10"),
        ({"x_train": IMAGES[:TRAIN] / 127.5 - 1}, r"found values from -1 .*save \(x \+ 1\) / 2"),
        ({"x_train": np.full((40, 28, 28), np.nan)}, "holds values that are no finite numbers"),
        ({"x_train": IMAGES[:TRAIN] / 255**2}, r"found values from 0 to 0\.003.*save x / x\.max"),
        ({"x_train": IMAGES[:TRAIN] // 16}, r"found values from 0 to 12, expected 0 to 255 or 0"),
        (
            {"x_train": IMAGES[:TRAIN] * np.uint16(257)},
            "found values from 0 to 5.*expected 0 to 255",
        ),
        ({"x_train": np.stack([IMAGES[:TRAIN]] * 3, 3)}, r"without colour, .*x\.mean\(axis=-1\)"),
        ({"x_train": np.moveaxis(IMAGES[:TRAIN], 0, 2)}, r"np\.moveaxis\(x, -1, 0\)"),
        ({"x_train": np.zeros((40, 32, 32))}, "save them as files in folders 0 to 9"),
        ({"X_Train": IMAGES[:TRAIN]}, "x_train and X_Train are both the same: leave one"),
        ({"y_train": -LABELS[:TRAIN].astype(int)}, "y_train: .* found -1 at index 1"),
        ({"y_train": np.array([object()] * TRAIN)}, "y_train.npy holds objects, which are never"),
    ],
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


HOT = np.eye(10)[LABELS]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"x_train": IMAGES[:TRAIN, ..., None], "x_test": IMAGES[TRAIN:, None]},
            {"x_train: (N, 28, 28, 1) to (N, 28, 28)", "x_test: (N, 1, 28, 28) to (N, 28, 28)"},
        ),
        ({"x_train": np.asfortranarray(IMAGES[:TRAIN]), "x_test": IMAGES[TRAIN:]}, set()),
        (
            {"x_train": IMAGES[:TRAIN].reshape(-1, 784)},
            {"x_train: (N, 784) to (N, 28, 28)"},
        ),
        (
            {"x_train": IMAGES[:TRAIN] / 255, "x_test": (IMAGES[TRAIN:] / 255).astype("f2")},
            {"x_train, x_test: floats 0 to 1 to whole numbers 0 to 255"},
        ),
        (
            {"x_test": IMAGES[TRAIN:].astype("f4"), "x_train": IMAGES[:TRAIN].astype("i8")},
            {
                "x_test: floats 0 to 255 to whole numbers 0 to 255",
                "x_train: integers 0 to 255 to whole numbers 0 to 255",
            },
        ),
        (
            {"y_train": HOT[:TRAIN], "y_test": HOT[TRAIN:].astype(bool)},
            {"y_train, y_test: one-hot labels to digits"},
        ),
        (
            {"y_train": LABELS[:TRAIN, None], "y_test": LABELS[TRAIN:] * 1.0},
            {
                "y_train: a column of labels to one label per picture",
                "y_test: labels that are floats to integers",
            },
        ),
        ({"note": np.zeros(3)}, {"left out: note"}),
    ],
)
def test_arrays_as_programs_hold_them_come_to_the_same_and_what_was_converted_is_told(
    tmp_path: Path, other: dict[str, Any], said: set[str]
) -> None:
    labelled = read_quietly(write_npz(tmp_path / "mine.npz", **other))
    assert labelled.images.dtype == np.uint8
    assert labelled.images.flags.c_contiguous
    assert np.array_equal(labelled.images, IMAGES)
    assert labelled.labels.dtype == np.int8
    assert np.array_equal(labelled.labels, LABELS)
    assert set(labelled.converted) == said


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float64])
def test_pictures_of_paper_and_ink_alone_get_full_ink(tmp_path: Path, dtype: type) -> None:
    ink = IMAGES > 150
    other = {"x_train": ink[:TRAIN].astype(dtype), "x_test": ink[TRAIN:].astype(dtype)}
    labelled = read_quietly(write_npz(tmp_path / "mine.npz", **other))
    assert np.array_equal(labelled.images, ink * np.uint8(255))
    assert len(labelled.converted) == 1


def test_arrays_that_need_no_conversion_are_told_of_nowhere(tmp_path: Path) -> None:
    assert read_quietly(write_npz(tmp_path / "mine.npz")).converted == ()
    assert read_quietly(write_idx(tmp_path / "digits")).converted == ()


@pytest.mark.parametrize(
    ("names", "tests", "said"),
    [
        (("train_images", "train_labels", "test_images", "test_labels"), "second", ()),
        (
            ("X_train", "Y_train", "X_valid", "Y_valid"),
            "second",
            ("no test part: the val part is",),
        ),
        (("images", "labels"), None, ("there is no test part: one is cut off",)),
    ],
)
def test_arrays_are_known_by_the_names_that_people_give_them(
    tmp_path: Path, names: tuple[str, ...], tests: str | None, said: tuple[str, ...]
) -> None:
    arrays = [IMAGES[:TRAIN], LABELS[:TRAIN], IMAGES[TRAIN:], LABELS[TRAIN:]]
    np.savez(tmp_path / "mine.npz", **dict(zip(names, arrays, strict=False)))
    labelled = read_quietly(tmp_path / "mine.npz")
    count = 60 if tests else TRAIN
    assert np.array_equal(labelled.images, IMAGES[:count])
    assert (labelled.test is None) == (tests is None)
    if labelled.test is not None:
        assert np.array_equal(labelled.test, np.arange(60) >= TRAIN)
    assert len(labelled.converted) == len(said)
    assert all(words in line for words, line in zip(said, labelled.converted, strict=True))


def test_a_validation_part_beside_a_test_part_is_learned_from(tmp_path: Path) -> None:
    more = {"x_val": IMAGES[:10], "y_val": LABELS[:10]}
    labelled = read_quietly(write_npz(tmp_path / "mine.npz", **more))
    assert labelled.test is not None
    assert labelled.test.tolist() == [False] * 50 + [True] * 20
    assert labelled.converted == ("the val part is learned from, too",)


def test_emnists_files_are_known_by_their_names(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "digits", packed=True)
    for file in list(folder.iterdir()):
        file.rename(folder / f"emnist-digits-{file.name.replace('t10k', 'test')}")
    labelled = read_quietly(folder)
    assert np.array_equal(labelled.images, IMAGES)
    assert labelled.test is not None
    assert labelled.test.sum() == 60 - TRAIN
    assert labelled.converted == ("the files of emnist-digits",)
    (folder / "emnist-letters-train-images-idx3-ubyte.gz").touch()
    with pytest.raises(DatasetError, match=r"several sets \('emnist-digits', 'emnist-letters'\)"):
        read_quietly(folder)


def test_an_array_that_is_no_uint8_may_not_be_as_long(tmp_path: Path) -> None:
    form = npz.Form(np.dtype("f8"), (400_000, 28, 28))
    with pytest.raises(DatasetError, match="400,000 pictures of float64 are more than 2 GB"):
        array_forms.require_pictures(form, "x_train")
    array_forms.require_pictures(npz.Form(np.dtype("u1"), (400_000, 28, 28)), "x_train")
