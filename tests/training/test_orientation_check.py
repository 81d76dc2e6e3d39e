"""Pictures that lie on their side are noticed by a model that knows upright ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tasks.registry.registry
from tasks.data.labelled import Labelled
from tasks.data.orientation import UPRIGHT, upright
from tasks.data.snapshot import Part, Snapshot, ingest, save
from tasks.errors import DatasetError
from tasks.inference.model_file import ONNX_FILE, model_in
from tasks.not_measured import NotMeasured
from tasks.settings.training import Orientation
from tasks.training.orientation_check import (
    WAYS,
    Readings,
    Way,
    read_in_every_way,
    require_upright,
)
from tests.bars import save_bar_model

SHIPPED = Path(tasks.registry.registry.__file__).parent / "bundled_model" / ONNX_FILE
COUNT = 300  # pictures of each part

Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def digits(npz_sample: Path) -> Labelled:
    with np.load(npz_sample) as arrays:
        parts = [arrays[name][:COUNT] for name in ("x_train", "y_train", "x_test", "y_test")]
    images, labels = np.concatenate(parts[::2]), np.concatenate(parts[1::2]).astype(np.int8)
    return Labelled("few", "made", "", images, labels, np.arange(2 * COUNT) >= COUNT)


def changed(digits: Labelled, folder: Path, images: Pictures) -> Snapshot:
    return save(Labelled("few", "made", "", images, digits.labels, digits.test), folder)


def readings(snapshot: Snapshot, model: Path = SHIPPED) -> list[Readings]:
    found = read_in_every_way(model_in(model), snapshot)
    assert not isinstance(found, NotMeasured)
    return found


def test_upright_digits_are_taken(digits: Labelled, tmp_path: Path) -> None:
    found = readings(changed(digits, tmp_path, digits.images))
    assert [one.part for one in found] == ["test", "train"]
    assert all(one.way == Way() and one.given == one.best > 0.97 for one in found)
    require_upright(found, "few", "checked")


@pytest.mark.parametrize("way", [way for way in WAYS if way != Way()], ids=str)
def test_each_other_way_is_noticed_and_what_fits_is_named(
    digits: Labelled, tmp_path: Path, way: Way
) -> None:
    opposite = {"turned-left": "turned-right", "turned-right": "turned-left"}
    lying = Way(opposite.get(way.lie or "", way.lie), way.inverted).undone(digits.images)
    found = readings(changed(digits, tmp_path, lying))
    assert [one.way for one in found] == [way, way]
    words = rf"its pictures are {way}: of 300 pictures of the test part the shipped model reads"
    fits = rf"--orientation {way.lie} brings them upright" if way.lie else "save 255 - x"
    with pytest.raises(DatasetError, match=rf"few: {words} .*{fits}.*; --orientation as-given"):
        require_upright(found, "few", "checked")
    assert way.inverted == ("save 255 - x" in way.undoing())


def test_a_training_part_alone_that_lies_on_its_side_is_noticed(
    digits: Labelled, tmp_path: Path
) -> None:
    assert digits.test is not None
    turned = digits.images.swapaxes(1, 2)
    images = np.where(digits.test[:, None, None], digits.images, turned)
    with pytest.raises(DatasetError, match=r"are transposed: of \d+ pictures of the train"):
        require_upright(readings(changed(digits, tmp_path, images)), "few", "checked")


def test_a_way_that_does_not_fit_is_refused(digits: Labelled, tmp_path: Path) -> None:
    lying = upright(digits, "transposed")
    assert lying.converted == ("pictures that are transposed: brought upright",)
    with pytest.raises(
        DatasetError, match=r"--orientation transposed does not fit: .*leave it out"
    ):
        require_upright(readings(save(lying, tmp_path)), "few", "transposed")


def test_what_is_read_badly_in_every_way_is_taken(digits: Labelled, tmp_path: Path) -> None:
    """As digits of another script are: half of the labels are those of other digits."""
    random = np.random.default_rng(3)
    labels = np.where(random.random(2 * COUNT) < 0.5, (digits.labels + 1) % 10, digits.labels)
    mixed = Labelled("few", "", "", digits.images, labels.astype(np.int8), digits.test)
    for orientation in ("as-given", "transposed"):
        found = readings(save(upright(mixed, orientation), tmp_path / orientation))
        assert all(one.best < 0.6 for one in found)
        require_upright(found, "few", "checked")


def test_few_pictures_prove_nothing(digits: Labelled, tmp_path: Path) -> None:
    assert digits.test is not None
    some = [int(np.flatnonzero((digits.labels == k) & digits.test)[0]) for k in range(4)]
    chosen = np.concatenate([np.flatnonzero(~digits.test), some])
    turned = np.where(digits.test[:, None, None], digits.images.swapaxes(1, 2), digits.images)
    snapshot = changed(digits, tmp_path, turned)
    found = readings(
        replace(
            snapshot,
            images=turned[chosen],
            labels=digits.labels[chosen],
            splits=np.where(digits.test[chosen], Part.TEST, Part.TRAIN),
        )
    )
    assert (found[0].count, found[0].best) == (4, 1)
    require_upright(found, "few", "checked")


def test_a_model_of_another_form_measures_nothing_and_says_why(
    digits: Labelled, tmp_path: Path
) -> None:
    old = save_bar_model(tmp_path / "old.onnx", form="0")
    found = read_in_every_way(model_in(old), changed(digits, tmp_path, digits.images))
    assert isinstance(found, NotMeasured)
    assert "was made for canonical form 0" in found.reason


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_what_is_brought_upright_at_the_reading_is_what_it_was(
    digits: Labelled, tmp_path: Path, orientation: Orientation
) -> None:
    """Four turns alike, or two mirrorings, come to nothing."""
    assert digits.test is not None
    lying = digits.images
    for _ in range(3):
        lying = UPRIGHT[orientation](lying)
    arrays = {"x_train": lying[~digits.test], "y_train": digits.labels[~digits.test]}
    arrays |= {"x_test": lying[digits.test], "y_test": digits.labels[digits.test]}
    np.savez(tmp_path / "few.npz", **arrays)
    found = ingest(str(tmp_path / "few.npz"), tmp_path / "datasets", orientation=orientation)
    assert np.array_equal(found.images, digits.images)
    assert found.facts.converted == [f"pictures that are {orientation}: brought upright"]
