"""A folder with one sub-folder per digit: which files it holds, of which digit; none is opened."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.atomic import absolute
from tasks.errors import DatasetError, InputError

NAME = re.compile(r"[a-z0-9][a-z0-9 ._-]*")
LABELS = tuple("0123456789")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLURALS = (
    "zeros",
    "ones",
    "twos",
    "threes",
    "fours",
    "fives",
    "sixes",
    "sevens",
    "eights",
    "nines",
)
# what may stand beside a digit in the name of its folder, as in digit_0, class0 or label-3
BESIDE = frozenset({"digit", "digits", "class", "label", "number", "num", "the"})
# By operating systems and file managers, beside what is hidden; in small letters.
LEFT_BEHIND = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),  # Windows
        *("$recycle.bin", "recycler", "system volume information"),  # the same, on each disk
        *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
        *("@eadir", "#recycle", "#snapshot"),  # network storage
        "lost+found",  # Linux
    }
)
DOWNLOADED = ":zone.identifier"  # ends a file that says where another came from (Windows)


@dataclass(frozen=True)
class LabelledFile:
    """A file that should be a picture of a digit."""

    path: Path
    label: int  # 0 to 9


@dataclass(frozen=True)
class LabelledFolder:
    """What a folder with one sub-folder per digit holds."""

    files: list[LabelledFile]  # digit by digit, in a fixed order
    unlabelled: list[Path]  # files beside the sub-folders
    ignored: int  # files and folders that are hidden or that systems leave behind
    names: dict[str, int]  # of sub-folders that are called otherwise than 0 to 9: their digits


@dataclass(frozen=True)
class Entries:
    """What lies in one folder, each in the order of names."""

    files: list[Path]  # and whatever is no folder: links to folders or to nothing, pipes
    folders: list[Path]
    ignored: int  # as in LabelledFolder


def is_ignored(name: str) -> bool:
    """Tell whether a file or folder is hidden, or one that operating systems leave behind."""
    small = name.lower()
    return name.startswith(".") or small in LEFT_BEHIND or small.endswith(DOWNLOADED)


def entries(folder: Path, *, follow_links: bool = True) -> Entries:
    """Return what lies in a folder.

    Args:
        folder: which.
        follow_links: a link to a folder is taken for a folder.

    Raises:
        DatasetError: it cannot be listed.
    """
    try:
        with os.scandir(folder) as listing:
            found = sorted(listing, key=lambda entry: entry.name)
        kept = [entry for entry in found if not is_ignored(entry.name)]
        folders = [entry for entry in kept if entry.is_dir(follow_symlinks=follow_links)]
    except OSError as error:
        raise _unreadable(error) from error
    names = {entry.name for entry in folders}
    return Entries(
        files=[Path(entry.path) for entry in kept if entry.name not in names],
        folders=[Path(entry.path) for entry in folders],
        ignored=len(found) - len(kept),
    )


def digit_of(name: str) -> int | None:
    """Return the digit that the name of a folder says, as 0, 00, zero, Digit_0 or class0, or None.

    Every word and number in it has to say the same digit.
    """
    said = set[int]()
    for word in re.findall(r"[^\W\d_]+|\d+", name.casefold()):
        if word.isascii() and word.isdigit():
            said.add(int(word))
        elif word in WORDS or word in PLURALS:
            said.add((WORDS if word in WORDS else PLURALS).index(word))
        elif word not in BESIDE:
            return None
    return said.pop() if len(said) == 1 and said < set(range(len(LABELS))) else None


def labelled_folder(folder: Path) -> LabelledFolder:
    """Return what a folder with one sub-folder per digit holds; digits may be missing.

    Raises:
        DatasetError: it cannot be listed, a sub-folder is named otherwise, or two are of one digit.
    """
    top = entries(folder)
    digits = _digits(folder, top.folders)
    files, ignored = [], top.ignored
    for path in sorted(top.folders, key=lambda path: digits[path.name]):
        for inside in _tree(path):
            files += [LabelledFile(file, digits[path.name]) for file in inside.files]
            ignored += inside.ignored
    names = {name: digit for name, digit in digits.items() if name not in LABELS}
    return LabelledFolder(files, top.files, ignored, names)


def _digits(folder: Path, folders: Sequence[Path]) -> dict[str, int]:
    """Return the digit of each sub-folder by its name."""
    digits = dict[str, int]()
    for path in folders:
        digit = digit_of(path.name)
        if digit is None:
            raise DatasetError(
                f"{folder}: unknown label folder {path.name!r}; expected sub-folders named 0 to 9 "
                "and no others"
            )
        if same := [name for name, other in digits.items() if other == digit]:
            raise DatasetError(
                f"{folder}: {same[0]!r} and {path.name!r} are both folders of {digit}: put their "
                "files into one"
            )
        digits[path.name] = digit
    return digits


def _tree(folder: Path) -> Iterator[Entries]:
    """Yield what lies in a folder and in those below it; a link could lead round in a circle."""
    pending = [folder]
    while pending:
        inside = entries(pending.pop(), follow_links=False)
        yield inside
        pending += reversed(inside.folders)


def evaluation_folder(folder: Path) -> LabelledFolder:
    """Return the same of a folder that models are judged on, where each file has to count.

    What is no picture will be answered wrong.

    Raises:
        InputError: it is no labelled folder, has no files, or something in it would be left out.
    """
    folder = absolute(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one with a sub-folder for each digit")
    found = labelled_folder(folder)
    if found.unlabelled:
        raise InputError(
            f"{found.unlabelled[0]} is in no sub-folder named 0 to 9, so that it has no digit: "
            "move it or remove it"
        )
    if odd := [file.path for file in found.files if not file.path.is_file()]:
        raise InputError(f"{odd[0]} is neither a file nor a folder: remove it, or copy it in")
    if not found.files:
        raise InputError(f"{folder} has no files in sub-folders named 0 to 9")
    return found


def _unreadable(error: OSError) -> DatasetError:
    """Return the error of a file or folder that cannot be read."""
    return DatasetError(f"{error.filename} cannot be read: {error.strerror}")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file of a labelled folder.

    Raises:
        InputError: it cannot be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.open("rb").close()
    except OSError as error:
        raise _unreadable(error) from error
    shutil.copyfile(source, target)


def checked_name(name: str) -> str:
    """Return a name that can stand in paths and on a command line.

    Raises:
        InputError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"name {name!r}: use small letters, digits, spaces, dots and dashes")
    return name
