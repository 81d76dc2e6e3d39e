"""Labelled digits on the user's disk, in the three forms people have them, into checked arrays."""

import itertools
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tasks.data import idx, npz
from tasks.device import usable_cores
from tasks.errors import DatasetError
from tasks.imaging.form import SIDE
from tasks.imaging.pixels import Pixels
from tasks.inputs.base import Content
from tasks.outcomes import Reason, Undecodable
from tasks.processes.page_process import (
    DecodedPage,
    PageProcesses,
    PageRequest,
    PageSettings,
    PagesOfFile,
)

Labels = NDArray[np.int8]
OnProgress = Callable[[str, int, int], None]  # what is done, how much of it, of how much

NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")  # as in Keras's mnist.npz
MAX_PICTURES = 1_000_000  # of each part, 0.8 GB; the sets that people use have fewer
IDX_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
LABELS = tuple("0123456789")
PARTS = {"train", "test"}  # folders that may hold the label folders, then they decide the split
LEFT_BEHIND = {"thumbs.db", "desktop.ini", "__macosx"}  # by file managers
MAX_UNREADABLE = 0.01  # share of a folder's pictures; more says that the folder is not understood
PROGRESS_STEP = 200  # pictures
FILES_A_PROCESS = 500  # starting one costs what decoding so many small files does
DECODE_S = 30.0  # seconds for one file


@dataclass(frozen=True)
class SkippedFile:
    """A file that should have been a picture of a digit, and why it is none."""

    path: str  # below the data folder
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Skipped:
    """Files of a data folder that gave no picture."""

    ignored: int = 0  # hidden files and what file managers leave behind
    files: tuple[SkippedFile, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what dataset.json says about it."""
        return {"ignored": self.ignored, "files": [asdict(file) for file in self.files]}


@dataclass(frozen=True)
class Labelled:
    """Labelled digits in their source's own order, not split yet where the source does not."""

    name: str
    source: str
    licence: str
    images: Pixels  # uint8 (N, 28, 28), ink bright on 0
    labels: Labels  # int8 (N,), 0 to 9
    test: NDArray[np.bool_] | None  # (N,): the source's own test part, None: it has none
    skipped: Skipped = field(default_factory=Skipped)


def read(path: Path, on_progress: OnProgress) -> Labelled:
    """Return what is at a path: a folder of IDX files, an .npz, or one sub-folder per digit.

    Raises:
        DatasetError: nothing is there, it is none of the three, or it is damaged.
    """
    if path.is_dir():
        try:
            if any(IDX_NAME.fullmatch(entry.name) for entry in path.iterdir()):
                return read_idx(path)
            return read_folders(path, on_progress)
        except OSError as error:
            raise DatasetError(f"data {path}: cannot be read: {error}") from error
    if path.suffix.lower() == ".npz" and path.is_file():
        return read_npz(path)
    raise DatasetError(
        f"data {path}: {'is another kind of file' if path.exists() else 'does not exist'}; expected"
        " 'mnist', a folder of IDX files, an .npz, or a folder with one sub-folder per digit"
    )


def read_idx(folder: Path) -> Labelled:
    """Return the pictures of MNIST's four IDX files, plain or gzip."""
    train, test = _idx_part(folder, "train"), _idx_part(folder, "t10k")
    return joined(train, test, name=folder.name, source=str(folder))


def read_npz(path: Path) -> Labelled:
    """Return the pictures of an .npz with x_train, y_train, x_test, y_test; never unpickles."""

    def check(name: str, form: npz.Form) -> None:
        require = require_pictures if name.startswith("x_") else require_labels
        require(form, f"{path}, {name}")

    arrays = npz.read(path, NPZ_NAMES, check)
    train, test = (
        checked(arrays[x], arrays[y], f"{path}, {x}", f"{path}, {y}")
        for x, y in (("x_train", "y_train"), ("x_test", "y_test"))
    )
    return joined(train, test, name=path.stem, source=str(path))


def read_folders(root: Path, on_progress: OnProgress) -> Labelled:
    """Return the canonical form of every picture in a folder with one sub-folder per digit.

    `train/` and `test/` may stand above the sub-folders; then they are the split.
    """
    files, ignored = _listing(root)
    answers = _pages(root, files, on_progress)
    images, labels, test, skipped = [], [], [], []
    for file, answer in zip(files, answers, strict=True):
        page = _digit(answer[0])
        if isinstance(page, Undecodable):
            name = str(file.path.relative_to(root))
            skipped.append(SkippedFile(name, page.reason, page.detail))
        else:
            images.append(page)
            labels.append(file.label)
            test.append(file.part == "test")
    if not files or len(skipped) > MAX_UNREADABLE * len(files):
        example = "".join(f"; for example {f.path}: {f.reason}: {f.detail}" for f in skipped[:1])
        raise DatasetError(
            f"data {root}: {len(skipped)} of {len(files)} files are no pictures of a digit, "
            f"at most {MAX_UNREADABLE:.0%} may be{example}"
        )
    return Labelled(
        name=root.name,
        source=str(root),
        licence="not stated",
        images=np.stack(images),
        labels=np.array(labels, np.int8),
        test=np.array(test) if files[0].part else None,
        skipped=Skipped(ignored, tuple(skipped)),
    )


def checked(
    images: NDArray[Any], labels: NDArray[Any], images_from: str | Path, labels_from: str | Path
) -> tuple[Pixels, Labels]:
    """Return pictures and their labels, once they are known to be digits; errors say which file."""
    require_pictures(npz.Form(images.dtype, images.shape), images_from)
    require_labels(npz.Form(labels.dtype, labels.shape), labels_from)
    if len(images) != len(labels):
        more = "labels than pictures" if len(labels) > len(images) else "pictures than labels"
        raise DatasetError(
            f"{labels_from}: more {more}: {len(labels)} labels for the {len(images)} pictures "
            f"of {images_from}"
        )
    if len(wrong := np.flatnonzero((labels < 0) | (labels > 9))):
        raise DatasetError(
            f"{labels_from}: expected labels 0 to 9, found {labels[wrong[0]]} at index {wrong[0]}"
        )
    if len(images) and images.mean() > 127:
        raise DatasetError(
            f"{images_from}: expected bright ink on 0, found a mean of {images.mean():.0f} of 255; "
            "invert the pictures"
        )
    return images, labels.astype(np.int8)


def require_pictures(found: npz.Form, source: str | Path) -> None:
    """Refuse what is no array of pictures, or of more than any set of digits has.

    Raises:
        DatasetError: with what was expected and found.
    """
    if found.dtype != np.uint8 or len(found.shape) != 3 or found.shape[1:] != (SIDE, SIDE):
        raise DatasetError(
            f"{source}: expected uint8 (N, {SIDE}, {SIDE}), found {found.dtype} {found.shape}"
        )
    _require_few(found.shape[0], source)


def require_labels(found: npz.Form, source: str | Path) -> None:
    """Refuse what is no array of labels, or of more than any set of digits has.

    Raises:
        DatasetError: with what was expected and found.
    """
    if len(found.shape) != 1 or not np.issubdtype(found.dtype, np.integer):
        raise DatasetError(
            f"{source}: expected one integer per picture, found {found.dtype} {found.shape}"
        )
    _require_few(found.shape[0], source)


def _require_few(count: int, source: str | Path) -> None:
    if count > MAX_PICTURES:
        raise DatasetError(f"{source}: {count:,} pictures, at most {MAX_PICTURES:,} are taken")


def joined(
    train: tuple[Pixels, Labels],
    test: tuple[Pixels, Labels],
    *,
    name: str,
    source: str,
    licence: str = "not stated",
) -> Labelled:
    """Return a source that comes in a training and a test part, in this order."""
    return Labelled(
        name=name,
        source=source,
        licence=licence,
        images=np.concatenate([train[0], test[0]]),
        labels=np.concatenate([train[1], test[1]]),
        test=np.arange(len(train[1]) + len(test[1])) >= len(train[1]),
    )


def _idx_part(folder: Path, part: str) -> tuple[Pixels, Labels]:
    images, labels = _idx_file(folder, f"{part}-images", 3), _idx_file(folder, f"{part}-labels", 1)
    return checked(
        idx.parse(idx.read_bytes(images), 3, images),
        idx.parse(idx.read_bytes(labels), 1, labels),
        images,
        labels,
    )


def _idx_file(folder: Path, stem: str, dimensions: int) -> Path:
    """Return the IDX file with this stem, plain before gzip; both spellings are about."""
    names = [f"{stem}{dot}idx{dimensions}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(f"data {folder}: expected four IDX files, found no {names[0]} (or .gz)")


@dataclass(frozen=True)
class _File:
    path: Path
    label: int
    part: str  # "train", "test", or "" where the folder says nothing about a split


def _listing(root: Path) -> tuple[list[_File], int]:
    """Return the files that should be pictures, and how many others there are."""
    parts = {"": root}
    if PARTS & _folders(root).keys():
        parts = _folders(root)
        _expect(root, parts, PARTS)
    above = {root, *parts.values()}
    ignored = sum(not entry.is_dir() for folder in above for entry in folder.iterdir())
    kept: list[_File] = []
    for part, part_folder in sorted(parts.items(), reverse=True):  # train before test, as in MNIST
        folders = _folders(part_folder)
        _expect(part_folder, folders, set(LABELS))
        for label, folder in folders.items():
            for path in _files(folder):
                if _is_left_behind(path.relative_to(folder)):
                    ignored += 1
                else:
                    kept.append(_File(path, int(label), part))
    return kept, ignored


def _folders(folder: Path) -> dict[str, Path]:
    """Return the sub-folders that mean something, by name and in the order of names."""
    return {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not _is_left_behind(Path(path.name))
    }


def _files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder in a fixed order; a folder that cannot be read is an error.

    `Path.rglob` would leave such a folder out in silence.
    """

    def refuse(error: OSError) -> NoReturn:
        raise error

    for inside, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        yield from (Path(inside, name) for name in sorted(names))


def _expect(folder: Path, found: dict[str, Path], expected: set[str]) -> None:
    """Raise DatasetError unless a folder has exactly these sub-folders."""
    if unknown := sorted(found.keys() - expected):
        raise DatasetError(
            f"data {folder}: unknown label folder {unknown[0]!r}; expected sub-folders "
            f"{', '.join(sorted(expected))} alone"
        )
    if missing := sorted(expected - found.keys()):
        raise DatasetError(
            f"data {folder}: expected sub-folders {', '.join(sorted(expected))}; "
            f"missing: {', '.join(missing)}"
        )


def _is_left_behind(path: Path) -> bool:
    """Tell whether any part of a relative path is hidden or made by a file manager."""
    return any(part.startswith(".") or part.lower() in LEFT_BEHIND for part in path.parts)


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


def _pages(root: Path, files: Sequence[_File], on_progress: OnProgress) -> list[PagesOfFile]:
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
