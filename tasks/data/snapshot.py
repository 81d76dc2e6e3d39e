"""Labelled digits into a checked snapshot, which is named by its content and never changes."""

import hashlib
import json
import logging
import re
import shutil
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from tasks.atomic import absolute, atomic_write, make_folder, sha256, sync_folder, write_text
from tasks.data import mnist, sources
from tasks.data.labelled import Labelled, Labels, OnProgress, Skipped
from tasks.data.orientation import UPRIGHT, upright
from tasks.data.snapshot_facts import (
    AddedFacts,
    SkippedFacts,
    SkippedFileFacts,
    SnapshotFacts,
)
from tasks.decoding.pixels import Pixels
from tasks.errors import DatasetError
from tasks.settings.training import Orientation
from tasks.task import may_pass_later, task

logger = logging.getLogger(__name__)

Splits = NDArray[np.uint8]
Groups = NDArray[np.intp]

ARRAYS = ("images.npy", "labels.npy", "splits.npy")
FACTS = "dataset.json"
# Of MNIST as split below, so that the second training finds it without fetching anything.
MNIST_DIGEST = "d165c5b1d32332b6f21ccf2849e5108161d064dcc05715357d82d172fdbb844d"
SPLIT_SEED = 1
CALIBRATION_SHARE = 1 / 12  # of what is not test: 5,000 of MNIST's 60,000
TEST_SHARE = 1 / 7  # of everything, where the source has no test part: MNIST's share


class Part(IntEnum):
    """What a picture may be used for."""

    TRAIN = 0  # to fit
    CALIBRATION = 1  # to choose and to tune
    TEST = 2  # to judge, once

    @property
    def key(self) -> str:
        """Return its name in dataset.json."""
        return self.name.lower()


@dataclass(frozen=True)
class Snapshot:
    """A dataset on disk; the arrays are read-only and memory-mapped."""

    folder: Path
    images: Pixels  # uint8 (N, 28, 28), ink bright on 0
    labels: Labels  # int8 (N,), 0 to 9
    splits: Splits  # uint8 (N,), values of Part
    facts: SnapshotFacts  # dataset.json

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content, which is the folder's name."""
        return self.facts.digest

    def part(self, part: Part) -> tuple[Pixels, Labels]:
        """Return the pictures and labels of one part, in the snapshot's order."""
        chosen = self.splits == part
        return self.images[chosen], self.labels[chosen]


@task(
    name="ingest the data",
    retries=2,  # a download may fail
    retry_delay_seconds=[5.0, 30.0],
    retry_condition_fn=may_pass_later,
)
def ingest(
    data: str,
    datasets: Path,
    on_progress: OnProgress | None = None,
    orientation: Orientation = "as-given",
) -> Snapshot:
    """Return the snapshot of some data, made in `datasets/<name>/<digest>/` if it is not there.

    Args:
        data: 'mnist', or the path of IDX files, an .npz, a .csv or a folder with one sub-folder
            per digit.
        datasets: folder of all snapshots; downloads are kept in it.
        on_progress: called with what is done, how much of it, and of how much.
        orientation: how its pictures lie; they are brought upright.

    Raises:
        DatasetError: the data is missing, damaged or not understood; no folder was made.
    """
    on_progress = on_progress or (lambda what, done, total: None)
    if data == "mnist":
        made = datasets / "mnist" / MNIST_DIGEST
        if made.is_dir() and orientation not in UPRIGHT:
            return load(made)
        labelled = mnist.fetch(datasets / "downloads", on_progress)
    else:
        labelled = sources.read(absolute(data), on_progress)
    return save(upright(labelled, orientation), datasets)


def load(folder: Path) -> Snapshot:
    """Return the snapshot in a folder.

    Raises:
        DatasetError: a file is missing, is not the one whose hash was written down, or the data is
            not that of the digest which the folder is named by.
    """
    try:
        facts = SnapshotFacts.from_dict(json.loads((folder / FACTS).read_text("utf-8")))
        expected = {name: facts.sha256[name] for name in ARRAYS}
        found = {name: sha256(folder / name) for name in ARRAYS}
        digest = _digest(expected, facts.added)
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error
    if facts.digest != digest:
        raise _damaged(folder, f"{FACTS}: its digest is not that of its hashes")
    for name in ARRAYS:
        if found[name] != expected[name]:
            raise _damaged(folder, f"{name}: expected {expected[name]}, found {found[name]}")
    if folder.name != digest:
        raise _damaged(folder, f"it holds other data, whose digest is {digest}")
    base = _base(folder, facts.added) if facts.added else None
    try:
        images, labels, splits = (np.load(folder / name, mmap_mode="r") for name in ARRAYS)
        if base:
            images = np.concatenate([base.images, images])
            labels = np.concatenate([base.labels, labels])
            splits = np.concatenate([base.splits, splits])
        counts = _counts(labels, splits)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error
    if facts.counts != counts:
        raise _damaged(folder, f"{FACTS}: its counts are not those of the arrays")
    return Snapshot(folder, images, labels, splits, facts)


def _base(folder: Path, added: AddedFacts) -> Snapshot:
    """Return the snapshot that pictures were added to, which lies among the others."""
    found = next(folder.parent.parent.glob(f"*/{added.base}"), None)
    if found is None:
        raise DatasetError(
            f"snapshot {folder}: it adds to snapshot {added.base}, which is not in "
            f"{folder.parent.parent}: restore that folder, or ingest its data again"
        )
    return load(found)


def save(labelled: Labelled, datasets: Path) -> Snapshot:
    """Split and check labelled digits, write them, and return the snapshot.

    Data that was saved before, under whatever name, is that earlier snapshot; what was converted to
    come to it is told of this time.

    Raises:
        DatasetError: a part would lack a digit; nothing was written.
    """
    groups = _groups(labelled.images)
    splits = split(groups, labelled.labels, labelled.test)
    _require_every_digit(labelled, splits)
    if labelled.skipped.files:
        logger.warning("%d files of %s left out", len(labelled.skipped.files), labelled.source)
    arrays = (labelled.images, labelled.labels, splits)
    facts = _facts(labelled, groups, splits)
    return _saved(arrays, facts, datasets, labelled.name)


def save_added(
    base: Snapshot, images: Pixels, labels: Labels, added: AddedFacts, datasets: Path
) -> Snapshot:
    """Add pictures to the training part of a snapshot, which stays as it is.

    Only what is added is written; the folder says which snapshot it adds to.

    Args:
        base: the snapshot.
        images: uint8 (N, 28, 28), ink bright on 0.
        labels: int8 (N,), 0 to 9.
        added: what is added, in words and figures.
        datasets: folder of all snapshots.
    """
    splits = np.full(len(labels), Part.TRAIN, np.uint8)
    counts = _counts(np.concatenate([base.labels, labels]), np.concatenate([base.splits, splits]))
    facts = base.facts.model_copy(
        update={
            "pictures": base.facts.pictures + len(labels),
            "counts": counts,
            "added": added,
        }
    )
    return _saved((images, labels, splits), facts, datasets, base.facts.name)


def _saved(
    arrays: tuple[Pixels, Labels, Splits], facts: SnapshotFacts, datasets: Path, name: str
) -> Snapshot:
    """Write arrays and facts, and return the snapshot, or the earlier one of the same data."""
    make_folder(datasets)
    temporary = datasets / f".{uuid4().hex}"
    try:
        temporary.mkdir()
        for file_name, array in zip(ARRAYS, arrays, strict=True):
            with atomic_write(temporary / file_name) as file:
                np.save(file, array)
        hashes = {file_name: sha256(temporary / file_name) for file_name in ARRAYS}
        digest = _digest(hashes, facts.added)
        if earlier := next(datasets.glob(f"*/{digest}"), None):
            found = load(earlier)
            told = found.facts.model_copy(update={"converted": facts.converted})
            return replace(found, facts=told)
        facts = facts.model_copy(update={"digest": digest, "sha256": hashes})
        write_text(temporary / FACTS, json.dumps(facts.to_dict(), indent=2))
        return load(_renamed(temporary, datasets / _folder_name(name) / digest))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def split(groups: Groups, labels: Labels, test: NDArray[np.bool_] | None) -> Splits:
    """Return the Part of each picture: a test part is cut if there is none, calibration always.

    Args:
        groups: as `_groups` gives them; equal pictures go to the same part in each cut.
        labels: int8 (N,); each cut takes its share of each digit.
        test: bool (N,), the source's own test part, which is kept as it is; None: it has none.
    """
    test = cut(groups, labels, TEST_SHARE) if test is None else test
    rest = np.flatnonzero(~test)
    splits = np.full(len(labels), Part.TRAIN, np.uint8)
    splits[test] = Part.TEST
    splits[rest[cut(groups[rest], labels[rest], CALIBRATION_SHARE)]] = Part.CALIBRATION
    return splits


def cut(groups: Groups, labels: Labels, share: float) -> NDArray[np.bool_]:
    """Return which pictures are cut off: of each digit its share, and equal pictures together.

    Groups are numbered in an order that is random by content, so the first ones are a sample that
    depends neither on the order of the pictures nor on a version's random numbers.
    """
    kinds, first, kind, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    chosen = np.zeros(len(kinds), np.bool_)
    for digit, quota in enumerate(_quotas(np.bincount(labels, minlength=10), share)):
        members = np.flatnonzero(labels[first] == digit)
        before = np.cumsum(sizes[members]) - sizes[members]
        chosen[members[before < quota]] = True
    return chosen[kind]


def _quotas(counts: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    """Return how many of each digit to cut: largest remainders, and at least one of each."""
    exact = counts * share
    quotas: NDArray[np.intp] = np.floor(exact).astype(np.intp)
    left = round(float(exact.sum())) - int(quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:left]] += 1
    quotas[quotas == 0] = 1
    return quotas


def _groups(images: Pixels) -> Groups:
    """Return one number per picture, the same for equal pictures, random by content otherwise."""
    seed = SPLIT_SEED.to_bytes(8, "big")
    hashes = b"".join(hashlib.blake2b(i, digest_size=8, key=seed).digest() for i in images)
    groups: Groups
    _, groups = np.unique(np.frombuffer(hashes, ">u8"), return_inverse=True)
    return groups


def _counts(labels: Labels, splits: Splits) -> dict[str, list[int]]:
    """Return how many pictures of each digit each part has."""
    return {part.key: np.bincount(labels[splits == part], minlength=10).tolist() for part in Part}


def _require_every_digit(labelled: Labelled, splits: Splits) -> None:
    """Refuse data of which a part lacks a digit."""
    for part, of_digits in _counts(labelled.labels, splits).items():
        if 0 in of_digits:
            digit = of_digits.index(0)
            there = int((labelled.labels == digit).sum())
            raise DatasetError(
                f"data {labelled.source}: no {digit} in the {part} part, of {there:,} pictures of "
                f"{digit} in all; every digit has to be in the train, calibration and test parts"
            )


def _facts(labelled: Labelled, groups: Groups, splits: Splits) -> SnapshotFacts:
    """Return what dataset.json says, but for the hashes."""
    test = splits == Part.TEST
    also_trained = np.isin(groups[test], groups[~test])
    labels_per_picture = np.unique(groups * 10 + labelled.labels)
    return SnapshotFacts(
        name=labelled.name,
        source=labelled.source,
        licence=labelled.licence,
        pictures=len(splits),
        counts=_counts(labelled.labels, splits),
        split_seed=SPLIT_SEED,
        duplicates={
            "train_test": int(also_trained.sum()),  # test pictures that are in another part too
            "conflicting_labels": len(labels_per_picture) - len(np.unique(groups)),
        },
        first_labels=labelled.labels[:10].tolist(),
        skipped=_skipped(labelled.skipped),
        converted=list(labelled.converted),
        digest="",
        sha256={},
    )


def _skipped(skipped: Skipped) -> SkippedFacts:
    """Return what dataset.json says of files that gave no picture."""
    files = [
        SkippedFileFacts(path=file.path, reason=file.reason.value, detail=file.detail)
        for file in skipped.files
    ]
    return SkippedFacts(ignored=skipped.ignored, files=files)


def _digest(hashes: dict[str, str], added: AddedFacts | None) -> str:
    """Return the digest of a snapshot from those of its arrays, and of what they are added to."""
    parts = [*([added.base] if added else []), *(hashes[name] for name in ARRAYS)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _renamed(temporary: Path, folder: Path) -> Path:
    """Give a complete snapshot its place, unless another process was faster with the same data."""
    make_folder(folder.parent)
    try:
        temporary.rename(folder)
        sync_folder(folder.parent)
    except OSError:
        if not folder.is_dir():
            raise
    return folder


def _folder_name(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip(".-") or "data"


def _damaged(folder: Path, what: str) -> DatasetError:
    return DatasetError(f"snapshot {folder}: {what}; delete this folder and ingest the data again")
