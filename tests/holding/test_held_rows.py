"""Held rows lie beside the results, and leave whole runs at a time."""

import pytest

from tasks.holding.held_rows import beside, has_rows, held_table, remove, rows_of, runs_held
from tests.holding.places import hold


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("/srv/results", "/srv/results-held"),
        ("s3://bucket/results", "s3://bucket/results-held"),
        ("s3://bucket/results/", "s3://bucket/results-held"),
        ("s3://bucket", "s3://bucket/_held"),
        ("s3://bucket/", "s3://bucket/_held"),
    ],
)
def test_they_lie_beside_the_results_and_never_in_another_bucket(table: str, place: str) -> None:
    assert held_table(table) == place
    assert beside(table, "held") == place


def paths(held: str, *runs: str) -> list[str]:
    return [path for batch in rows_of(held, runs) for path in batch["path"].to_pylist()]


def test_the_runs_that_have_rows_are_known_and_leave_alone(results: str) -> None:
    held = held_table(results)
    assert runs_held(held) == set()
    hold(results, "run-1", "a.png", "b.png")
    hold(results, "run-2", "c.png")
    assert runs_held(held) == {"run-1", "run-2"}
    assert sorted(paths(held, "run-1")) == ["a.png", "b.png"]
    for _ in range(2):
        remove(held, ["run-1", "run-3"])
        assert runs_held(held) == {"run-2"}
    assert paths(held, "run-1") == []
    assert not has_rows(held, ["run-1"])
    assert paths(held, "run-1", "run-2") == ["c.png"]
