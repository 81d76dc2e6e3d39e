"""Some rows of a batch by chance, of those with ink: the pictures that are looked at again."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tasks.monitoring.batch_profile import has_ink
from tasks.monitoring.second_look import MOST_LOOKED_AT

SAMPLE_COLUMNS = ["root", "path", "page", "ink"]
"""Columns of the results table that a sample is drawn from."""


class Place(NamedTuple):
    """Where a picture is, as its row says."""

    root: str
    path: str
    page: int


class RowSample:
    """Keeps some rows of all that pass: each with ink has the same chance.

    Every row gets a random number, and those with the least stay (reservoir sampling).
    """

    def __init__(self, seed: int, most: int = MOST_LOOKED_AT) -> None:
        """Keep none yet, and `most` in the end."""
        self._random, self._most = np.random.default_rng(seed), most
        self._kept: list[tuple[float, Place]] = []

    def through(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the same batches, and remember some of their rows."""
        for batch in batches:
            self._add(batch)
            yield batch

    def places(self, count: int) -> list[Place]:
        """Return so many of them, or all that there are, in no order."""
        return [place for _, place in self._kept[:count]]

    def _add(self, batch: pa.RecordBatch) -> None:
        inked = np.flatnonzero(has_ink(batch["ink"]))
        numbers = self._random.random(len(inked))
        least = np.argsort(numbers)[: self._most]
        rows = batch.select(["root", "path", "page"]).take(pa.array(inked[least]))
        places = [Place(**row) for row in rows.to_pylist()]
        both = [*self._kept, *zip(numbers[least].tolist(), places, strict=True)]
        self._kept = sorted(both)[: self._most]
