"""Augmentation inside TensorFlow: small affine transforms of a batch, drawn anew for each step."""

import math
from typing import Any

from tasks.training.network import SIDE, keras, tf
from tasks.training.recipes import Recipe


def augmented(images: Any, recipe: Recipe, seed: Any) -> Any:
    """Return the pictures rotated, zoomed, slanted and shifted, each by its own small amounts.

    Where a recipe only shifts, all are shifted alike and by whole pixels, which costs nothing.

    Args:
        images: uint8 tensor (N, 28, 28).
        recipe: says how much at most.
        seed: int32 tensor (2,); the same seed gives the same pictures.

    Returns:
        uint8 tensor (N, 28, 28); what is moved in from outside is 0.
    """
    if not recipe.rotation_degrees and not recipe.zoom:
        most = round(recipe.shift)
        by = tf.random.stateless_uniform([2], seed, -most, most + 1, tf.int32)
        return tf.roll(images, by, axis=[1, 2])
    amounts = tf.random.stateless_uniform([6, tf.shape(images)[0]], seed, -1, 1)
    rotation, wide, high, slant, right, down = tf.unstack(amounts)
    angle = rotation * math.radians(recipe.rotation_degrees)
    wide, high = 1 + wide * recipe.zoom, 1 + high * recipe.zoom
    xx, xy = tf.cos(angle) * wide, slant * recipe.zoom - tf.sin(angle) * high
    yx, yy = tf.sin(angle) * wide, tf.cos(angle) * high
    centre = (SIDE - 1) / 2  # stays where it is but for the shift
    x0 = centre * (1 - xx - xy) + right * recipe.shift
    y0 = centre * (1 - yx - yy) + down * recipe.shift
    none = tf.zeros_like(angle)
    transforms = tf.stack([xx, xy, x0, yx, yy, y0, none, none], axis=1)
    return keras.ops.image.affine_transform(images[..., tf.newaxis], transforms)[..., 0]
