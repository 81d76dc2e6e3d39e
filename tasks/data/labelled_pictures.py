"""A folder with one sub-folder per digit into the canonical forms of its pictures, to train on."""

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data.labelled import (
    TEST,
    TRAIN,
    VAL,
    Labelled,
    OnProgress,
    Skipped,
    SkippedFile,
    part_named,
    tested_part,
)
from tasks.data.labelled_folder import (
    LABELS,
    LabelledFile,
    LabelledFolder,
    entries,
    labelled_folder,
)
from tasks.decoding.pixels import Pixels
from tasks.device import usable_cores
from tasks.errors import DatasetError
from tasks.inputs.base import Content
from tasks.outcomes import Reason, Undecodable
from tasks.processes.page_process import (
    DecodedPage,
    PageProcesses,
    PageRequest,
    PageSettings,
    PagesOfFile,
)

WHOLE = ""  # of a folder that says nothing about a split
PARTS = (TRAIN, VAL, TEST)  # folders that may hold the label folders, in this order
MAX_UNREADABLE = 0.01  # share of a folder's pictures; more says that the folder is not understood
PROGRESS_STEP = 200  # pictures
FILES_A_PROCESS = 500  # starting one costs what decoding so many small files does
DECODE_S = 30.0  # seconds for one file


def read_pictures(root: Path, on_progress: OnProgress) -> Labelled:
    """Return the canonical form of every picture in a folder with one sub-folder per digit.

    `train/`, `val/` and `test/` may stand above the sub-folders; then they are the split.

    Raises:
        DatasetError: it is no such folder, a digit is missing, or many files are no pictures.
    """
    splits, ignored = _splits(root)
    tested, decided = (None, []) if WHOLE in splits else tested_part(splits, root)
    files = [file for folder in splits.values() for file in folder.files]
    test = np.array([split == tested for split, folder in splits.items() for _ in folder.files])
    pages = canonical_forms(root, files, on_progress)
    skipped = tuple(
        SkippedFile(str(file.path.relative_to(root)), page.reason, page.detail)
        for file, page in zip(files, pages, strict=True)
        if isinstance(page, Undecodable)
    )
    if len(skipped) > MAX_UNREADABLE * len(files):
        first = skipped[0]
        raise DatasetError(
            f"data {root}: {len(skipped)} of {len(files)} files are no pictures of a digit, at "
            f"most {MAX_UNREADABLE:.0%} may be; for example {first.path}: {first.reason}: "
            f"{first.detail}"
        )
    kept = np.array([not isinstance(page, Undecodable) for page in pages])
    return Labelled(
        name=root.name,
        source=str(root),
        licence="not stated",
        images=np.stack([page for page in pages if not isinstance(page, Undecodable)]),
        labels=np.array([file.label for file in files], np.int8)[kept],
        test=test[kept] if tested else None,
        skipped=Skipped(ignored, skipped),
        converted=(*_renamed(splits.values()), *decided),
    )


def canonical_forms(
    root: Path, files: Sequence[LabelledFile], on_progress: OnProgress
) -> list[Pixels | Undecodable]:
    """Return the canonical form of the first page of each file, or why it gives none.

    Args:
        root: folder above all of them.
        files: pictures of digits.
        on_progress: called with what is done, how much of it, and of how much.
    """
    return [_digit(found[0]) for found in _pages(root, files, on_progress)]


def _renamed(folders: Iterable[LabelledFolder]) -> list[str]:
    """Return in words which sub-folders were taken for which digits, if that was not their name."""
    names = dict(sorted(name for folder in folders for name in folder.names.items()))
    listed = ", ".join(f"{name} for {digit}" for name, digit in names.items())
    return [f"sub-folders: {listed}"] if names else []


def _splits(root: Path) -> tuple[dict[str, LabelledFolder], int]:
    """Return the labelled folders, by their split or WHOLE, and how many entries are ignored."""
    top = entries(root)
    parts = {path.name: part_named(path.name) for path in top.folders}
    named = {part: name for name, part in parts.items() if part}
    if not named:
        found, ignored = {WHOLE: _complete(root)}, 0
    elif len(named) == len(parts) > 1 and TRAIN in named:
        found = {part: _complete(root / named[part]) for part in PARTS if part in named}
        ignored = top.ignored + len(top.files)
    else:
        raise DatasetError(
            f"data {root}: expected the sub-folders test and train, perhaps val, and no others, "
            f"found {', '.join(parts)}"
        )
    return found, ignored + sum(
        folder.ignored + len(folder.unlabelled) for folder in found.values()
    )


def _complete(folder: Path) -> LabelledFolder:
    """Return a labelled folder that holds files of every digit."""
    found = labelled_folder(folder)
    if missing := sorted(set(LABELS) - {str(file.label) for file in found.files}):
        raise DatasetError(
            f"data {folder}: expected pictures in sub-folders named 0 to 9; "
            f"missing: {', '.join(missing)}"
        )
    return found


@dataclass(frozen=True)
class _DataFolder:
    """The files of a data folder, for processes that decode them."""

    root: Path

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each file or why it cannot be read."""
        return (_content(self.root / os.fsdecode(path)) for path in paths)


def _content(file: Path) -> Content | Undecodable:
    try:
        if file.exists() and not file.is_file():  # a pipe would be waited for
            return Undecodable(Reason.UNREADABLE, "not a regular file")
        data = file.read_bytes()
    except PermissionError as error:
        return Undecodable(Reason.PERMISSION_DENIED, str(error))
    except OSError as error:
        return Undecodable(Reason.UNREADABLE, str(error))
    return Content(data, len(data), None)


def _pages(root: Path, files: Sequence[LabelledFile], on_progress: OnProgress) -> list[PagesOfFile]:
    """Return the first page of every file, decoded by several processes."""
    wanted = [PageRequest(os.fsencode(file.path.relative_to(root))) for file in files]
    width = max(1, min(usable_cores(), len(files) // FILES_A_PROCESS))
    done, lock = itertools.count(1), threading.Lock()

    def progress() -> None:
        with lock:
            number = next(done)
            if number % PROGRESS_STEP == 0 or number == len(files):
                on_progress("reading pictures", number, len(files))

    processes = PageProcesses(PageSettings(_DataFolder(root), DECODE_S))
    return processes.decode_parallel(wanted, width, progress)


def _digit(page: DecodedPage | Undecodable) -> Pixels | Undecodable:
    """Return the canonical form of a page that has ink."""
    if isinstance(page, Undecodable):
        return page
    if page.ink.blank:
        detail = f"only {page.ink.contrast} grey levels between ink and paper"
        return Undecodable(Reason.BLANK, detail)
    return page.form
