"""Rows of batches for tests of their profiles and checks: plain numbers instead of pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.monitoring.batch_profile import (
    PROFILE_COLUMNS,
    BatchProfile,
    profile_of,
    with_looks,
)
from tasks.monitoring.picture_look import Look
from tasks.results.schema import SCHEMA

COLUMNS = pa.schema([SCHEMA.field(name) for name in PROFILE_COLUMNS])


def row(random: np.random.Generator, **changes: Any) -> dict[str, Any]:
    """Return an ordinary row, with some of its columns or facts about its ink changed."""
    ink = {
        "polarity": "dark_on_light",
        "contrast": int(random.normal(150, 10)),
        "share": float(random.uniform(0.08, 0.12)),
        "left": 10,
        "top": 10,
        "width": int(random.normal(40, 3)),
        "height": int(random.normal(60, 3)),
        "stroke_width": float(random.normal(6, 0.4)),
        "groups": 1,
        "rivals": 0,
        "touches_edge": False,
        "removed": "",
    }
    plain = {
        "status": "read",
        "reason": "ok",
        "digit": int(random.integers(10)),
        "confidence": 0.99,
        "digit_score": 0.98,
        "kind": "plain paper",
        "ink": ink | {name: changes.pop(name) for name in list(changes) if name in ink},
        "size": int(random.normal(3000, 200)),
        "content_hash": random.bytes(32).hex(),
        "page": 0,
    }
    return plain | changes


def rows(count: int, seed: int = 0, **changes: Any) -> pa.Table:
    """Return the rows of an ordinary batch, with the same changes in all of them."""
    random = np.random.default_rng(seed)
    return pa.Table.from_pylist([row(random, **changes) for _ in range(count)], COLUMNS)


BLANK: Mapping[str, Any] = {
    "status": "rejected",
    "reason": "blank",
    "digit": None,
    "confidence": None,
    "digit_score": None,
    "polarity": "none",
}


def looks(count: int, seed: int = 0, paper: float = 240) -> list[Look]:
    """Return how ordinary pictures look."""
    random = np.random.default_rng(seed)
    return [
        Look(120, float(random.normal(paper, 3)), 0.6, float(random.normal(2, 0.2)), 0.8, 0.0)
        for _ in range(count)
    ]


def profile(count: int = 400, seed: int = 0, **changes: Any) -> BatchProfile:
    """Return the profile of an ordinary batch, with the same changes in all rows."""
    return with_looks(profile_of(rows(count, seed, **changes).to_batches()), looks(20, seed))
