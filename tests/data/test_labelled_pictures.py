"""Pictures in folders that are named by their digit become what a network is trained on."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.data import labelled_pictures
from tasks.data.labelled import Labelled, Skipped
from tasks.data.labelled_pictures import read_pictures
from tasks.errors import DatasetError
from tasks.imaging.canonical import canonical

pytestmark = pytest.mark.processes


def read_quietly(path: Path) -> Labelled:
    return read_pictures(path, lambda what, done, total: None)


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


def test_label_folders_give_the_canonical_form_of_every_picture(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits")
    seen: list[tuple[str, int, int]] = []
    labelled = read_pictures(root, lambda *step: seen.append(step))
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


def test_a_val_folder_is_learned_from_beside_test_and_judges_without_it(tmp_path: Path) -> None:
    for part, copies in (("Train", 3), ("val", 2), ("testing", 1)):
        write_folders(tmp_path / "digits" / part, copies)
    labelled = read_quietly(tmp_path / "digits")
    assert labelled.test is not None
    assert labelled.test.tolist() == [False] * 50 + [True] * 10
    assert labelled.converted == ("the val part is learned from, too",)
    shutil.rmtree(tmp_path / "digits" / "testing")
    labelled = read_quietly(tmp_path / "digits")
    assert labelled.test is not None
    assert labelled.test.tolist() == [False] * 30 + [True] * 20
    assert labelled.converted == ("there is no test part: the val part is",)


def test_folders_that_are_named_otherwise_are_told_with_their_digits(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits", copies=1)
    for digit in range(10):
        (root / str(digit)).rename(root / f"digit_{digit}")
    labelled = read_quietly(root)
    assert labelled.labels.tolist() == list(range(10))
    [said] = labelled.converted
    assert said.startswith("sub-folders: digit_0 for 0, digit_1 for 1, ")


@pytest.mark.parametrize("name", ["ten", "cats", "10", "sample001", "zero_or_one", "digit"])
def test_an_unknown_label_folder_is_refused_by_name(tmp_path: Path, name: str) -> None:
    root = write_folders(tmp_path / "digits", copies=1)
    (root / name).mkdir()
    with pytest.raises(
        DatasetError, match=f"unknown label folder '{name}'; expected sub-folders named 0 to 9"
    ):
        read_quietly(root)


def test_a_missing_label_folder_is_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits", copies=1)
    (root / "7" / "0.png").unlink()
    (root / "7").rmdir()
    with pytest.raises(DatasetError, match="missing: 7"):
        read_quietly(root)


def test_train_without_test_is_refused(tmp_path: Path) -> None:
    write_folders(tmp_path / "digits" / "train", copies=1)
    with pytest.raises(
        DatasetError, match="test and train, perhaps val, and no others, found train"
    ):
        read_quietly(tmp_path / "digits")


def test_hidden_and_left_behind_files_are_ignored_but_counted(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "digits")
    (root / "3" / ".ipynb_checkpoints").mkdir()
    for name in ("README.txt", "3/.DS_Store", "3/Thumbs.db", "3/.ipynb_checkpoints/0.png"):
        (root / name).write_bytes(b"no picture")
    labelled = read_quietly(root)
    assert len(labelled.labels) == 30
    assert labelled.skipped == Skipped(ignored=4)


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
    monkeypatch.setattr(labelled_pictures, "DECODE_S", 1.0)
    monkeypatch.setattr(labelled_pictures, "FILES_A_PROCESS", 100)
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
    with pytest.raises(DatasetError, match="missing: 0, 1, 2, 3"):
        read_quietly(tmp_path / "digits")
