"""The training half of the corrections as canonical forms, added to the training part of data.

What judges is never learned: a picture that looks like one of the acceptance half, or is one of the
data's calibration or test part, is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.corrections.store import Corrections, Half
from tasks.data.labelled import Labels, OnProgress
from tasks.data.labelled_folder import LabelledFile, labelled_folder
from tasks.data.labelled_pictures import canonical_forms
from tasks.data.snapshot import Part, Snapshot, save_added
from tasks.data.snapshot_facts import AddedFacts
from tasks.decoding.pixels import Pixels
from tasks.outcomes import Undecodable

# Each correction is learned so many times, as long as all of them are no larger share of the
# training part than that: `tests/bench/corrections.py` says what was measured.
MOST_TIMES, MOST_SHARE = 10, 1 / 20
# Cosine of two canonical forms from which they show one piece of writing. Of simulated scans, it
# finds nine in ten that were saved again as JPEG and three in four that were scanned again or made
# smaller, and takes one in two hundred others of the same writer for one of them, a 1.
ALIKE = 0.97
WHAT = "corrections"
LOOKS_JUDGED = "looks like one that judges"
IS_JUDGED = "is in the calibration or test part of the data"
IS_LEARNED = "is in the training part of the data"
NO_PICTURE = "gives no digit to learn"


@dataclass(frozen=True)
class Forms:
    """Canonical forms of corrections, and their digits."""

    images: Pixels  # uint8 (N, 28, 28), ink bright on 0
    labels: Labels  # int8 (N,)
    unusable: int  # pictures that gave none


def with_corrections(
    base: Snapshot, kept: Corrections, datasets: Path, on_progress: OnProgress
) -> Snapshot:
    """Return a snapshot with the training half of the corrections in its training part.

    It is the snapshot itself where there is nothing to add.

    Raises:
        InputError: something among the corrections is no labelled folder.
    """
    learned = forms_of(kept.half(Half.TRAINING), on_progress)
    judged = forms_of(kept.half(Half.ACCEPTANCE), on_progress)
    trained = base.splits == Part.TRAIN
    reasons = {
        LOOKS_JUDGED: look_alike(learned.images, judged.images),
        IS_JUDGED: _among(learned.images, base.images[~trained]),
        IS_LEARNED: _among(learned.images, base.images[trained]),
    }
    left_out, free = {NO_PICTURE: learned.unusable}, np.ones(len(learned.labels), np.bool_)
    for reason, for_it in reasons.items():
        left_out[reason] = int((free & for_it).sum())
        free &= ~for_it
    if not free.any():
        return base
    pictures = int(free.sum())
    times = times_for(pictures, int(trained.sum()))
    added = AddedFacts(
        base=base.digest,
        what=WHAT,
        pictures=pictures,
        times=times,
        left_out={reason: count for reason, count in left_out.items() if count},
    )
    images, labels = (
        np.concatenate([array[free]] * times) for array in (learned.images, learned.labels)
    )
    return save_added(base, images, labels, added, datasets)


def times_for(pictures: int, trained: int) -> int:
    """Return how many times each correction is learned.

    Args:
        pictures: how many corrections there are.
        trained: how many pictures the data has to train on.
    """
    return max(1, min(MOST_TIMES, int(MOST_SHARE * trained / pictures)))


def forms_of(folder: Path | None, on_progress: OnProgress) -> Forms:
    """Return the canonical forms of a labelled folder; None: there is nothing."""
    files: list[LabelledFile] = labelled_folder(folder).files if folder else []
    pages = canonical_forms(folder, files, on_progress) if folder and files else []
    usable = [
        (page, file.label)
        for page, file in zip(pages, files, strict=True)
        if not isinstance(page, Undecodable)
    ]
    return Forms(
        images=np.array([page for page, _ in usable], np.uint8).reshape(-1, 28, 28),
        labels=np.array([label for _, label in usable], np.int8),
        unusable=len(pages) - len(usable),
    )


def not_learned(root: Path, files: Sequence[LabelledFile], snapshot: Snapshot) -> NDArray[np.bool_]:
    """Tell which files show a picture that is in no part of the data that a model is made from.

    A person may correct pictures of a folder that a model is trained on.

    Args:
        root: folder above all files.
        files: pictures of digits.
        snapshot: the data of the model.
    """
    pages = canonical_forms(root, files, lambda *_: None)
    made_from = {image.tobytes() for image in snapshot.images[snapshot.splits != Part.TEST]}
    return np.array(
        [isinstance(page, Undecodable) or page.tobytes() not in made_from for page in pages],
        np.bool_,
    )


def look_alike(images: Pixels, others: Pixels) -> NDArray[np.bool_]:
    """Tell which pictures are so like one of the others that they show the same writing.

    A page that was scanned twice, or saved again, is; two digits of one person are not.
    """
    alike = _directions(images) @ _directions(others).T
    return np.asarray((alike >= ALIKE).any(axis=1), np.bool_)


def _directions(images: Pixels) -> NDArray[np.float32]:
    """Return pictures as vectors of length 1, (N, 784)."""
    flat = images.reshape(len(images), 28 * 28).astype(np.float32)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(lengths, 1e-6), np.float32)


def _among(images: Pixels, others: Pixels) -> NDArray[np.bool_]:
    """Tell which pictures are equal to one of the others."""
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], np.bool_)
