"""Snapshots: named by content, whole or absent, and split without a leak."""

import json
import logging
import resource
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.data import idx
from tasks.data.labelled import Labelled, Skipped, SkippedFile
from tasks.data.snapshot import MNIST_DIGEST, Part, Snapshot, cut, ingest, load, save
from tasks.errors import DatasetError
from tasks.outcomes import Reason

random = np.random.default_rng(7)
IMAGES = random.integers(0, 200, (600, 28, 28), dtype=np.uint8)
LABELS = (np.arange(600) % 10).astype(np.int8)
TEST = np.arange(600) >= 480


def labelled(**other: Any) -> Labelled:
    given_ = {"name": "Some Digits!", "source": "here", "licence": "CC0", "skipped": Skipped()}
    return Labelled(**{**given_, "images": IMAGES, "labels": LABELS, "test": TEST, **other})


def write_npz(path: Path) -> Path:
    train, test = IMAGES[~TEST], IMAGES[TEST]
    np.savez(path, x_train=train, y_train=LABELS[~TEST], x_test=test, y_test=LABELS[TEST])
    return path


def write_idx(folder: Path) -> Path:
    folder.mkdir()
    for part, chosen in (("train", ~TEST), ("t10k", TEST)):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx.to_bytes(IMAGES[chosen]))
        labels = idx.to_bytes(LABELS[chosen].astype(np.uint8))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    return folder


def parts_of(snapshot: Snapshot, pictures: NDArray[np.uint8]) -> set[int]:
    """Return the parts in which any of some pictures is."""
    wanted = {picture.tobytes() for picture in pictures}
    return {
        int(part)
        for image, part in zip(snapshot.images, snapshot.splits, strict=True)
        if image.tobytes() in wanted
    }


def test_a_snapshot_holds_the_arrays_of_the_contract(tmp_path: Path) -> None:
    snapshot = save(labelled(), tmp_path)
    assert snapshot.folder == tmp_path / "some-digits" / snapshot.digest
    assert sorted(path.name for path in snapshot.folder.iterdir()) == [
        "dataset.json",
        "images.npy",
        "labels.npy",
        "splits.npy",
    ]
    arrays = {name: getattr(snapshot, name) for name in ("images", "labels", "splits")}
    assert {name: (a.dtype.name, a.shape) for name, a in arrays.items()} == {
        "images": ("uint8", (600, 28, 28)),
        "labels": ("int8", (600,)),
        "splits": ("uint8", (600,)),
    }
    assert all(isinstance(array, np.memmap) for array in arrays.values())
    assert np.array_equal(snapshot.images, IMAGES)
    assert snapshot.facts.first_labels == list(range(10))
    assert (snapshot.facts.source, snapshot.facts.licence) == ("here", "CC0")
    assert snapshot.facts.counts == {
        "train": [44] * 10,
        "calibration": [4] * 10,
        "test": [12] * 10,
    }


def test_the_same_data_is_the_same_folder_however_it_comes(tmp_path: Path) -> None:
    datasets = tmp_path / "datasets"
    first = ingest(str(write_npz(tmp_path / "one.npz")), datasets)
    second = ingest(str(write_idx(tmp_path / "two")), datasets)
    alone = ingest(str(tmp_path / "two"), tmp_path / "elsewhere")
    assert first.folder == second.folder
    assert first.digest == alone.digest
    assert [path.name for path in datasets.iterdir()] == ["one"]


@pytest.mark.parametrize("change", ["pixel", "label", "split"])
def test_other_data_is_another_folder(tmp_path: Path, change: str) -> None:
    images, labels, test = IMAGES.copy(), LABELS.copy(), TEST.copy()
    if change == "pixel":
        images[0, 0, 0] ^= 1
    elif change == "label":
        labels[0] = 1
    else:
        test[0] = True
    before = save(labelled(), tmp_path)
    assert save(labelled(images=images, labels=labels, test=test), tmp_path).digest != before.digest


def test_parts_hold_their_pictures_in_order_and_are_disjoint(tmp_path: Path) -> None:
    snapshot = save(labelled(), tmp_path)
    images, labels = snapshot.part(Part.TEST)
    assert np.array_equal(images, IMAGES[TEST])
    assert np.array_equal(labels, LABELS[TEST])
    assert sum(len(snapshot.part(part)[1]) for part in Part) == 600


def test_the_calibration_part_is_cut_from_training_and_stratified(tmp_path: Path) -> None:
    snapshot = save(labelled(), tmp_path)
    assert not np.any(TEST & (snapshot.splits == Part.CALIBRATION))
    assert snapshot.facts.counts["calibration"] == [4] * 10  # 480 / 12, of each digit alike


def test_without_a_test_part_one_is_cut_of_every_digit_alike(tmp_path: Path) -> None:
    snapshot = save(labelled(test=None), tmp_path)
    assert sum(snapshot.facts.counts["test"]) == round(600 / 7)
    assert set(snapshot.facts.counts["test"]) == {8, 9}


def test_copies_of_a_picture_never_straddle_a_cut(tmp_path: Path) -> None:
    images = IMAGES.copy()
    for digit in range(10):
        images[digit:200:10] = images[digit]  # 20 copies in each class of 60
    snapshot = save(labelled(images=images, test=None), tmp_path)
    assert all(len(parts_of(snapshot, images[[digit]])) == 1 for digit in range(10))
    assert snapshot.facts.duplicates["train_test"] == 0


def test_a_cut_does_not_depend_on_the_order_of_the_pictures(tmp_path: Path) -> None:
    order = random.permutation(600)
    here = save(labelled(test=None), tmp_path)
    there = save(labelled(images=IMAGES[order], labels=LABELS[order], test=None), tmp_path)
    assert np.array_equal(here.splits[order], there.splits)


def test_a_given_test_part_is_kept_and_its_copies_in_training_are_counted(tmp_path: Path) -> None:
    images, labels = IMAGES.copy(), LABELS.copy()
    images[480:483] = images[:3]
    labels[1] = 5
    snapshot = save(labelled(images=images, labels=labels), tmp_path)
    assert np.array_equal(snapshot.splits == Part.TEST, TEST)
    assert snapshot.facts.duplicates == {"train_test": 3, "conflicting_labels": 1}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1), st.floats(0.01, 0.5))
def test_every_cut_keeps_groups_together_and_takes_some_of_each_digit(
    pictures: list[tuple[int, int]], share: float
) -> None:
    groups, labels = np.array([g for g, _ in pictures]), np.array([d for _, d in pictures], np.int8)
    chosen = cut(groups, labels, share)
    assert not set(groups[chosen]) & set(groups[~chosen])
    first_labels = dict(reversed(pictures))
    assert {first_labels[g] for g in groups[chosen]} == set(first_labels.values())


def test_a_part_without_a_digit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    test = TEST & (LABELS != 7)
    with pytest.raises(DatasetError, match="no 7 in the test part"):
        save(labelled(test=test), tmp_path / "datasets")
    assert not (tmp_path / "datasets").exists()


def test_a_write_that_fails_midway_leaves_nothing_behind(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (IMAGES.nbytes // 2, hard))
    try:
        with pytest.raises(OSError, match=r"requested and .* written"):
            save(labelled(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_left_out_files_are_in_the_facts_and_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    skipped = Skipped(2, (SkippedFile("3/odd \udcff.png", Reason.TRUNCATED, "ends early"),))
    with caplog.at_level(logging.WARNING):
        facts = save(labelled(skipped=skipped), tmp_path).facts
    assert "1 files of here left out" in caplog.text
    assert facts.skipped.to_dict() == {
        "ignored": 2,
        "files": [{"path": "3/odd \udcff.png", "reason": "truncated", "detail": "ends early"}],
    }


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "splits.npy"])
def test_a_changed_array_is_refused_by_name(tmp_path: Path, name: str) -> None:
    folder = save(labelled(), tmp_path).folder
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(DatasetError, match=f"{name}: expected .*, found .*; delete this folder"):
        load(folder)


def test_changed_facts_are_refused(tmp_path: Path) -> None:
    snapshot = save(labelled(), tmp_path)
    forged = {**snapshot.facts.to_dict(), "digest": "0" * 64}
    (snapshot.folder / "dataset.json").write_text(json.dumps(forged))
    with pytest.raises(DatasetError, match="its digest is not that of its hashes"):
        load(snapshot.folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 3}'])
def test_damaged_facts_are_refused(tmp_path: Path, text: str) -> None:
    folder = save(labelled(), tmp_path).folder
    (folder / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=f"snapshot {folder}: "):
        load(folder)


def test_another_dataset_in_the_folder_of_one_is_refused(tmp_path: Path) -> None:
    one, other = save(labelled(), tmp_path), save(labelled(images=IMAGES[::-1].copy()), tmp_path)
    shutil.rmtree(one.folder)
    other.folder.rename(one.folder)
    with pytest.raises(DatasetError, match=f"it holds other data, whose digest is {other.digest}"):
        load(one.folder)
    with pytest.raises(DatasetError, match="delete this folder and ingest the data again"):
        save(labelled(), tmp_path)


def test_another_dataset_in_the_folder_of_mnist_is_refused(tmp_path: Path) -> None:
    other = save(labelled(), tmp_path)
    (tmp_path / "mnist").mkdir()
    shutil.copytree(other.folder, tmp_path / "mnist" / MNIST_DIGEST)
    with pytest.raises(DatasetError, match=f"it holds other data, whose digest is {other.digest}"):
        ingest("mnist", tmp_path)


@pytest.mark.parametrize(
    "change", [{"counts": {"test": [1] * 10}}, {"counts": None}, {"name": 7}, {"sha256": [1]}]
)
def test_facts_that_are_not_those_of_the_arrays_are_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    folder = save(labelled(), tmp_path).folder
    facts = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(facts | change))
    with pytest.raises(DatasetError, match="delete this folder and ingest the data again"):
        load(folder)


def test_a_missing_array_is_refused(tmp_path: Path) -> None:
    folder = save(labelled(), tmp_path).folder
    (folder / "labels.npy").unlink()
    with pytest.raises(DatasetError, match=r"labels\.npy"):
        load(folder)
