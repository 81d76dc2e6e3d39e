"""Augmentation moves pictures within its bounds, and the same for the same seed."""

from dataclasses import replace

import numpy as np

from tasks.training.augmentation import augmented
from tasks.training.recipes import RECIPES
from tests.bars import bar

PICTURES = np.stack([bar(digit) for digit in range(10)])


def test_augmentation_by_nothing_changes_nothing() -> None:
    still = replace(RECIPES["quick"], rotation_degrees=0, zoom=0, shift=0)
    pictures = PICTURES
    assert np.array_equal(augmented(pictures, still, [1, 1]), pictures)


def test_augmentation_moves_a_picture_by_at_most_its_shift() -> None:
    moving = replace(RECIPES["quick"], rotation_degrees=1e-6, zoom=0, shift=2)
    dot = np.zeros((200, 28, 28), np.uint8)
    dot[:, 14, 14] = 255
    rows, columns = np.nonzero(np.asarray(augmented(dot, moving, [1, 1])).sum(0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 16, 12, 16)


def test_a_recipe_that_only_shifts_moves_by_whole_pixels_within_its_shift() -> None:
    moving = replace(RECIPES["quick"], rotation_degrees=0, zoom=0, shift=1)
    dot = np.zeros((1, 28, 28), np.uint8)
    dot[0, 14, 14] = 255
    places = {
        tuple(int(axis[0]) for axis in np.nonzero(np.asarray(augmented(dot, moving, [1, seed]))[0]))
        for seed in range(60)
    }
    assert places == {(14 + down, 14 + right) for down in (-1, 0, 1) for right in (-1, 0, 1)}


def test_augmentation_depends_on_its_seed_alone() -> None:
    pictures, recipe = PICTURES, RECIPES["quick"]
    first = np.asarray(augmented(pictures, recipe, [1, 1]))
    assert np.array_equal(augmented(pictures, recipe, [1, 1]), first)
    assert not np.array_equal(augmented(pictures, recipe, [1, 2]), first)
