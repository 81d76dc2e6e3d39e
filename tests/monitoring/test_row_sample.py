"""A sample holds each picture with ink with the same chance, wherever it is in the batch."""

import numpy as np
import pyarrow as pa

from tasks.monitoring.row_sample import Place, RowSample
from tests.monitoring.batches import BLANK, rows


def placed(count: int, start: int = 0, **changes: object) -> pa.Table:
    """Return rows of pictures whose paths are their numbers."""
    table = rows(count, **changes)
    paths = pa.array([str(start + number) for number in range(count)])
    return table.append_column("root", pa.array(["r"] * count)).append_column("path", paths)


def test_the_rows_pass_unchanged_and_some_of_them_are_kept() -> None:
    table, sample = placed(500), RowSample(1, most=20)
    assert pa.Table.from_batches(sample.through(table.to_batches(max_chunksize=64))) == table
    places = sample.places(20)
    assert len(set(places)) == 20
    assert all(place == Place("r", place.path, 0) for place in places)
    assert sample.places(5) == places[:5]


def test_pictures_without_ink_are_never_kept() -> None:
    table, sample = pa.concat_tables([placed(50, **BLANK), placed(7, 50)]), RowSample(1)
    list(sample.through(table.to_batches()))
    assert {int(place.path) for place in sample.places(100)} == set(range(50, 57))


def test_a_batch_without_rows_has_an_empty_sample() -> None:
    sample = RowSample(1)
    assert list(sample.through([])) == []
    assert sample.places(10) == []


def test_early_and_late_rows_are_as_likely() -> None:
    table, found = placed(100), []
    for seed in range(300):
        sample = RowSample(seed, most=10)
        list(sample.through(table.to_batches(max_chunksize=30)))
        found += [int(place.path) for place in sample.places(10)]
    assert abs(np.mean(found) - 49.5) < 3
    assert np.bincount(found, minlength=100).min() > 5
