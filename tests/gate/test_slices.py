"""What the gate measures on: files that are the same for the same test part, each digit once."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tasks.errors import InputError
from tasks.gate.slices import DRAWN, FLOORS, NOTHING, TEST, draw_slices, required
from tasks.metrics.calibration import NO_DIGIT
from tasks.settings.training import GateSettings
from tasks.synthesis.corruptions import CORRUPTIONS

PICTURES = 60
COUNT = 12


@pytest.fixture(scope="module")
def digits(npz_sample: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(npz_sample) as arrays:
        return arrays["x_test"][:PICTURES], arrays["y_test"][:PICTURES]


def test_every_slice_is_files_with_their_labels_and_where_they_are_from(
    digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    images, labels = digits
    slices = draw_slices(images, labels, tmp_path, COUNT, clean_only=False, processes=1)
    assert [one.name for one in slices] == [TEST, *DRAWN, NOTHING]
    for one in slices:
        assert len(one.paths) == len(set(one.paths)) == (PICTURES if one.name == TEST else COUNT)
        pictures = [cv2.imread(str(tmp_path / path), cv2.IMREAD_UNCHANGED) for path in one.paths]
        assert all(picture is not None for picture in pictures)
        if one.name == NOTHING:
            assert (one.labels == NO_DIGIT).all()
            assert (one.sources == -1).all()
        else:
            assert (one.labels == labels[one.sources]).all()
            assert len(set(one.sources.tolist())) == len(one.sources)
        if one.name == TEST:
            assert (np.stack(pictures) == images).all()


def test_slices_share_no_digit_as_long_as_there_are_enough(
    digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    slices = draw_slices(*digits, tmp_path, 3, clean_only=False, processes=1)
    sources = np.concatenate([one.sources for one in slices if one.name in DRAWN])
    assert len(sources) == 3 * len(DRAWN)
    assert len(set(sources.tolist())) == min(len(sources), PICTURES)


@pytest.mark.processes
def test_the_same_test_part_gives_the_same_files_however_many_processes_draw(
    digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    one, other = (
        draw_slices(*digits, tmp_path / str(n), 4, clean_only=False, processes=n) for n in (1, 2)
    )
    for first, second in zip(one, other, strict=True):
        assert first.paths == second.paths
        for path in first.paths:
            assert (tmp_path / "1" / path).read_bytes() == (tmp_path / "2" / path).read_bytes()


def test_a_clean_gate_draws_the_test_part_alone(
    digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    [one] = draw_slices(*digits, tmp_path, COUNT, clean_only=True, processes=1)
    assert one.name == TEST
    assert [one.name for one in required(GateSettings(judge_on="clean"), {})] == [TEST]


def test_every_drawn_slice_has_floors_and_settings_win_over_them() -> None:
    assert FLOORS.keys() == DRAWN.keys()
    settings = GateSettings(floors={"mine": 0.99, "fog": 0.5}, recall_floors={"fog": 0.4})
    slices = {one.name: one for one in required(settings, {"mine": 0.7})}
    assert slices.keys() == {TEST, *DRAWN, NOTHING, "mine"}
    assert (slices["mine"].floor, slices["mine"].fewest) == (0.99, 20)
    assert (slices["fog"].floor, slices["fog"].recall_floor) == (0.5, 0.4)
    assert slices["scans"].fewest == settings.min_slice_pictures
    with pytest.raises(InputError, match=r"a floor for 'frog'; the slices are: .*fog"):
        required(GateSettings(floors={"frog": 0.5}), {})


def test_a_slice_that_is_only_told_decides_as_soon_as_it_is_given_a_floor() -> None:
    for floors, told in (({}, True), ({"corrected": 0.5}, False)):
        settings = GateSettings(judge_on="clean", floors=floors)
        found = {one.name: one for one in required(settings, {"corrected": 0.0}, ["corrected"])}
        assert (found["corrected"].told, found[TEST].told) == (told, False)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_damage_is_drawn_by_chance_and_leaves_ink_on_paper(
    name: str, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    page = 255 - cv2.resize(digits[0][0], (56, 56), interpolation=cv2.INTER_CUBIC)
    damaged = [
        CORRUPTIONS[name](page.copy(), np.random.default_rng(seed % 9)) for seed in range(10)
    ]
    assert (damaged[0] == damaged[9]).all()
    assert any((damaged[0] != other).any() for other in damaged)
    assert (damaged[0] != page).any()
    assert (damaged[0].dtype, damaged[0].shape) == (np.uint8, (56, 56))
    assert damaged[0].min() < np.median(damaged[0]) - 20
