"""The training half is learned, the other never, and data with corrections is a snapshot."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.corrections.learned import (
    IS_JUDGED,
    IS_LEARNED,
    LOOKS_JUDGED,
    MOST_TIMES,
    NO_PICTURE,
    look_alike,
    times_for,
    with_corrections,
)
from tasks.corrections.store import Corrections, Half, digest_of, half_of
from tasks.data.snapshot import Part, Snapshot, ingest, load
from tasks.errors import DatasetError
from tasks.gate.leakage import data_facts
from tasks.imaging.canonical import canonical
from tests.bars import bar

pytestmark = pytest.mark.processes


@pytest.fixture
def datasets(home: Path) -> Path:
    return home / "datasets"


@pytest.fixture
def base(npz_sample: Path, datasets: Path) -> Snapshot:
    return ingest(str(npz_sample), datasets)


@pytest.fixture
def kept(home: Path) -> Corrections:
    return Corrections(home)


def extended(base: Snapshot, kept: Corrections) -> Snapshot:
    return with_corrections(base, kept, base.folder.parent.parent, lambda *_: None)


def page(number: int, half: Half) -> NDArray[np.uint8]:
    """Return a picture that looks like no other number's, and is of that half."""
    paper = np.full((70, 60), 235, np.uint8)
    points = np.random.default_rng(number).integers(8, 52, (5, 1, 2)).astype(np.int32)
    cv2.polylines(paper, [points], False, 20, 4, cv2.LINE_AA)
    for shade in range(20):  # of a corner: it changes the pixels, and nothing that is seen
        paper[0, 0] = 235 - shade
        if half_of(digest_of(paper)) == half:
            return paper
    raise AssertionError


def test_the_training_half_is_in_the_training_part_and_the_other_in_none(
    base: Snapshot, kept: Corrections
) -> None:
    pages = {half: [page(n, half) for n in range(6)] for half in Half}
    for number in range(6):
        kept.keep(pages[Half.TRAINING][number], number)
        kept.keep(page(number + 50, Half.ACCEPTANCE), number)
    found = extended(base, kept)
    added = found.facts.added
    assert added is not None
    times = times_for(6, len(base.part(Part.TRAIN)[1]))
    assert (added.base, added.pictures, added.times) == (base.digest, 6, times)
    assert added.left_out == {}
    assert len(found.labels) == len(base.labels) + 6 * times
    for part in (Part.CALIBRATION, Part.TEST):
        assert all(map(np.array_equal, found.part(part), base.part(part)))
    images, labels = (array[-6 * times :] for array in found.part(Part.TRAIN))
    forms = {canonical(picture)[0].tobytes(): n for n, picture in enumerate(pages[Half.TRAINING])}
    assert [forms[image.tobytes()] for image in images] == labels.tolist()
    assert data_facts(found).leaked == data_facts(base).leaked


def test_data_with_corrections_is_another_snapshot_that_adds_to_the_first(
    base: Snapshot, kept: Corrections
) -> None:
    kept.keep(page(1, Half.TRAINING), 3)
    found = extended(base, kept)
    assert found.digest == found.folder.name != base.digest
    assert np.load(found.folder / "images.npy").shape == (MOST_TIMES, 28, 28)
    again = load(found.folder)
    assert np.array_equal(again.images, found.images)
    assert extended(base, kept).digest == found.digest
    kept.keep(page(2, Half.TRAINING), 3)
    assert extended(base, kept).digest not in (found.digest, base.digest)
    facts = json.loads((found.folder / "dataset.json").read_text())
    assert facts["counts"]["train"][3] == base.facts.counts["train"][3] + MOST_TIMES


def test_without_the_data_that_it_adds_to_it_says_what_is_missing(
    base: Snapshot, kept: Corrections
) -> None:
    kept.keep(page(1, Half.TRAINING), 3)
    found = extended(base, kept)
    shutil.rmtree(base.folder)
    with pytest.raises(DatasetError, match=f"it adds to snapshot {base.digest}, which is not in"):
        load(found.folder)


def test_where_there_is_nothing_to_learn_the_data_stays_what_it_is(
    base: Snapshot, kept: Corrections
) -> None:
    assert extended(base, kept) is base
    kept.keep(page(1, Half.ACCEPTANCE), 3)
    assert extended(base, kept) is base


def test_what_looks_like_a_picture_that_judges_is_not_learned(
    base: Snapshot, kept: Corrections
) -> None:
    kept.keep(page(1, Half.ACCEPTANCE), 3)
    kept.keep(page(1, Half.TRAINING), 3)  # the same writing in another file
    kept.keep(page(2, Half.TRAINING), 4)
    added = extended(base, kept).facts.added
    assert added is not None
    assert (added.pictures, added.left_out) == (1, {LOOKS_JUDGED: 1})


def test_what_the_data_holds_already_is_not_added_and_what_shows_nothing_neither(
    base: Snapshot, kept: Corrections
) -> None:
    expected: dict[str, int] = {}
    for part, reason in ((Part.TEST, IS_JUDGED), (Part.TRAIN, IS_LEARNED)):
        images, labels = base.part(part)
        forms = [image for image in images[:40] if half_of(digest_of(image)) == Half.TRAINING]
        for image, label in zip(forms, labels, strict=False):
            kept.keep(np.array(image), int(label))
        expected[reason] = len(forms)
    blank = next(
        paper
        for shade in range(200, 250)
        if half_of(digest_of(paper := np.full((40, 40), shade, np.uint8))) == Half.TRAINING
    )
    kept.keep(blank, 3)
    kept.keep(page(2, Half.TRAINING), 4)
    added = extended(base, kept).facts.added
    assert added is not None
    assert added.left_out == expected | {NO_PICTURE: 1}


def test_pictures_are_alike_that_were_saved_again_and_not_those_of_other_digits() -> None:
    bars = np.stack([bar(digit) for digit in range(10)])
    again = np.clip(bars.astype(int) + 6, 0, 250).astype(np.uint8)
    assert look_alike(again, bars).all()
    assert not look_alike(bars[:1], bars[5:]).any()
    assert look_alike(bars, bars[:0]).tolist() == [False] * 10


@pytest.mark.parametrize(
    ("pictures", "trained", "times"),
    [(1, 55_000, 10), (150, 55_000, 10), (500, 55_000, 5), (50_000, 55_000, 1), (9, 20, 1)],
)
def test_many_corrections_are_no_large_share_of_what_is_learned(
    pictures: int, trained: int, times: int
) -> None:
    assert times_for(pictures, trained) == times
