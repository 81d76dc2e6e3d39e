"""Data on the user's disk: three layouts, and every way in which they are found wrong."""

import gzip
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.data import idx, labelled_arrays
from tasks.data.labelled_arrays import Labelled, read
from tasks.errors import DatasetError
from tasks.imaging.canonical import canonical

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


def picture(digit: int, size: int) -> NDArray[np.uint8]:
    """Return a digit drawn dark on light."""
    paper = np.full((80, 80), 255, np.uint8)
    cv2.putText(paper, str(digit), (15, 65), cv2.FONT_HERSHEY_SIMPLEX, 2, 0, 2 + size % 10)
    return paper


def write_folders(root: Path, copies: int = 3) -> Path:
    for digit in range(10):
        (root / str(digit)).mkdir(parents=True)
        for copy in range(copies):
            cv2.imwrite(str(root / str(digit) / f"{copy}.png"), picture(digit, copy))
    return root


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


def test_label_folders_give_the_canonical_form_of_every_picture(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits")
    seen: list[tuple[str, int, int]] = []
    labelled = read(root, lambda *step: seen.append(step))
    assert labelled.test is None
    assert labelled.labels.tolist() == [digit for digit in range(10) for _ in range(3)]
    assert np.array_equal(labelled.images[22], canonical(picture(7, 1))[0])
    assert seen[-1] == ("reading pictures", 30, 30)


def test_train_and_test_folders_above_the_labels_decide_the_split(tmp_path: Path) -> None:
    write_folders(tmp_path / "digits" / "train", copies=4)
    write_folders(tmp_path / "digits" / "test", copies=2)
    labelled = read_quietly(tmp_path / "digits")
    assert labelled.test is not None
    assert labelled.test.tolist() == [False] * 40 + [True] * 20


@pytest.mark.parametrize("name", ["ten", "cats", "10", "00"])
def test_an_unknown_label_folder_is_refused_by_name(tmp_path: Path, name: str) -> None:
    root = write_folders(tmp_path / "digits", copies=1)
    (root / name).mkdir()
    with pytest.raises(DatasetError, match=f"unknown label folder '{name}'; expected .*0, 1, 2"):
        read_quietly(root)


def test_a_missing_label_folder_is_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits", copies=1)
    (root / "7" / "0.png").unlink()
    (root / "7").rmdir()
    with pytest.raises(DatasetError, match="missing: 7"):
        read_quietly(root)


def test_train_without_test_is_refused(tmp_path: Path) -> None:
    write_folders(tmp_path / "digits" / "train", copies=1)
    with pytest.raises(DatasetError, match="missing: test"):
        read_quietly(tmp_path / "digits")


def test_hidden_and_left_behind_files_are_ignored_but_counted(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits")
    (root / "3" / ".ipynb_checkpoints").mkdir()
    for name in ("README.txt", "3/.DS_Store", "3/Thumbs.db", "3/.ipynb_checkpoints/0.png"):
        (root / name).write_bytes(b"no picture")
    labelled = read_quietly(root)
    assert len(labelled.labels) == 30
    assert labelled.skipped.facts() == {"ignored": 4, "files": []}


def test_a_few_files_without_a_picture_are_written_down_with_their_reasons(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits", copies=30)
    (root / "4" / "odd").mkdir()
    (root / "4" / "odd" / "empty.png").write_bytes(b"")
    cv2.imwrite(str(root / "5" / "blank.png"), np.full((50, 50), 255, np.uint8))
    (root / "6" / "gone.png").symlink_to(root / "nowhere.png")
    labelled = read_quietly(root)
    assert len(labelled.labels) == 300
    assert [(file.path, str(file.reason)) for file in labelled.skipped.files] == [
        ("4/odd/empty.png", "empty_file"),
        ("5/blank.png", "blank"),
        ("6/gone.png", "unreadable"),
    ]


def test_a_file_that_keeps_its_decoder_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_arrays, "DECODE_S", 1.0)
    monkeypatch.setattr(labelled_arrays, "FILES_A_PROCESS", 100)
    root = write_folders(tmp_path / "digits", copies=30)
    # the values of such a picture are brought to another scale in Python, one by one
    slow = b"P5\n4000 4000\n1000\n" + bytes(2 * 4000 * 4000)
    (root / "5" / "slow.pgm").write_bytes(slow)
    labelled = read_quietly(root)
    assert len(labelled.labels) == 300
    assert [(file.path, str(file.reason)) for file in labelled.skipped.files] == [
        ("5/slow.pgm", "decoder_timeout")
    ]
    assert np.array_equal(labelled.images[-1], canonical(picture(9, 9))[0])


def test_many_files_without_a_picture_are_an_error_with_an_example(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits")
    (root / "4" / "notes.txt").write_text("no picture")
    with pytest.raises(DatasetError, match=r"1 of 31 .* at most 1% .* 4/notes\.txt: unsupported"):
        read_quietly(root)


def test_label_folders_without_a_file_are_an_error(tmp_path: Path) -> None:
    write_folders(tmp_path / "digits", copies=0)
    with pytest.raises(DatasetError, match="0 of 0 files"):
        read_quietly(tmp_path / "digits")


@pytest.mark.parametrize(
    ("name", "says"), [("nowhere", "does not exist"), ("table.csv", "is another kind of file")]
)
def test_a_path_that_is_no_dataset_is_refused_with_what_is_expected(
    tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(DatasetError, match=f"{says}; expected 'mnist', a folder of IDX files"):
        read_quietly(tmp_path / name)
