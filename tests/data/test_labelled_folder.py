"""One rule says which files of a labelled folder count, for training and for what judges."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.labelled import Skipped
from tasks.data.labelled_folder import (
    LEFT_BEHIND,
    WORDS,
    LabelledFolder,
    digit_of,
    evaluation_folder,
    is_ignored,
    labelled_folder,
)
from tasks.data.labelled_pictures import read_pictures
from tasks.errors import DatasetError, InputError
from tests.bars import bar, encoded


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Return a folder with one picture of each digit."""
    for digit in range(10):
        folder = tmp_path / "digits" / str(digit)
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(encoded(bar(digit)))
    return tmp_path / "digits"


def names(found: LabelledFolder, root: Path) -> list[str]:
    return [f"{file.label}: {file.path.relative_to(root)}" for file in found.files]


@given(st.sampled_from(sorted(LEFT_BEHIND)), st.data())
def test_what_systems_leave_behind_is_known_in_any_case(name: str, data: st.DataObject) -> None:
    cases = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    written = "".join(c.upper() if up else c for c, up in zip(name, cases, strict=True))
    assert is_ignored(written)
    assert not is_ignored(f"{written}.png")
    assert not is_ignored(f"my {written}")


@pytest.mark.processes
@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "._7.png", ".Spotlight-V100", ".Trashes", ".directory", ".AppleDouble"),
        *("Thumbs.db", "ehthumbs.db", "Desktop.ini", "$RECYCLE.BIN", "System Volume Information"),
        *("__MACOSX", "Icon\r", "@eaDir", "lost+found", "7.png:Zone.Identifier"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("where", ["", "3", "3/scans"])
def test_it_is_counted_and_not_looked_into_by_training_and_by_what_judges(
    digits: Path, name: str, kind: str, where: str
) -> None:
    (digits / "3" / "scans").mkdir()
    left = digits / where / name
    if kind == "file":
        left.write_bytes(b"no picture")
    else:
        left.mkdir()
        (left / "picture.png").write_bytes(encoded(bar(3)))
        (left / "more.png").write_bytes(encoded(bar(4)))
    found = evaluation_folder(digits)
    assert names(found, digits) == [f"{digit}: {digit}/a.png" for digit in range(10)]
    assert found.ignored == 1
    trained = read_pictures(digits, lambda what, done, total: None)
    assert trained.labels.tolist() == list(range(10))
    assert trained.skipped == Skipped(ignored=1)


def test_files_come_digit_by_digit_those_of_a_folder_before_those_below_it(digits: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a/c/3.png", "z.png", "a/4.png"):
        (digits / "3" / name).parent.mkdir(parents=True, exist_ok=True)
        (digits / "3" / name).touch()
    below = ["a.png", "z.png", "a/4.png", "a/c/3.png", "b/1.png", "b/2.png"]
    found = names(labelled_folder(digits), digits)
    assert found[3:9] == [f"3: 3/{name}" for name in below]


def test_a_label_folder_may_be_a_link_and_a_link_inside_one_is_no_way_round(digits: Path) -> None:
    (digits / "7").rename(digits.parent / "sevens")
    (digits / "7").symlink_to(digits.parent / "sevens")
    (digits / "3" / "up").symlink_to(digits)
    found = labelled_folder(digits)
    assert names(found, digits)[3:5] == ["3: 3/a.png", "3: 3/up"]
    assert "7: 7/a.png" in names(found, digits)
    with pytest.raises(InputError, match="3/up is neither a file nor a folder"):
        evaluation_folder(digits)


def test_a_file_beside_the_digits_is_ignored_by_training_and_refused_by_what_judges(
    digits: Path,
) -> None:
    (digits / "README.txt").write_text("about")
    assert read_pictures(digits, lambda what, done, total: None).skipped.ignored == 1
    with pytest.raises(InputError, match=r"README\.txt is in no sub-folder named 0 to 9"):
        evaluation_folder(digits)


def test_a_text_file_among_the_pictures_counts(digits: Path) -> None:
    (digits / "3" / "notes.txt").write_text("no picture")
    assert "3: 3/notes.txt" in names(evaluation_folder(digits), digits)


def test_a_folder_that_cannot_be_listed_is_named(digits: Path) -> None:
    with pytest.raises(DatasetError, match="none cannot be read: No such file"):
        labelled_folder(digits / "none")
    (digits / "10").symlink_to(digits / "10")
    with pytest.raises(DatasetError, match="10 cannot be read: Too many levels of symbolic links"):
        labelled_folder(digits)


@pytest.mark.parametrize(
    ("name", "digit"),
    [
        *(
            ("0", 0),
            ("00", 0),
            ("007", 7),
            ("zero", 0),
            ("Seven", 7),
            ("threes", 3),
            ("digit_0", 0),
        ),
        *(("class0", 0), ("Class 9", 9), ("label-3", 3), ("5 (five)", 5), ("digit_02", 2)),
        *(("10", None), ("class10", None), ("ten", None), ("sample001", None), ("3d", None)),
        *(("0_or_1", None), ("digit", None), ("", None), ("1 2", None), ("²", None), ("٣", None)),
    ],
)
def test_the_name_of_a_folder_says_one_digit_or_none(name: str, digit: int | None) -> None:
    assert digit_of(name) == digit


def test_folders_named_in_words_are_those_digits_for_training_and_for_what_judges(
    digits: Path,
) -> None:
    for number, name in enumerate(WORDS):
        (digits / str(number)).rename(digits / name)
    found = evaluation_folder(digits)
    assert names(found, digits) == [f"{n}: {name}/a.png" for n, name in enumerate(WORDS)]
    assert found.names == {name: number for number, name in enumerate(WORDS)}
    (digits / "3").mkdir()
    with pytest.raises(
        DatasetError, match="'3' and 'three' are both folders of 3: put their files"
    ):
        evaluation_folder(digits)
