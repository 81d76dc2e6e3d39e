"""Results tables in a folder and in a bucket, with held rows beside them."""

from typing import Any

from tasks.contracts.held import HeldFor
from tasks.holding.batches import Batch
from tasks.holding.held_rows import held_writer
from tasks.results.commit import commit, make_table
from tests.results.test_table import read_row, table_of

ROOT = "/pictures"


def hold(results: str, run: str, *paths: str, **changes: Any) -> Batch:
    """Put rows into the table of held rows, each of a shard of its own, and return their batch."""
    writer = held_writer(results, [ROOT], run)
    for number, path in enumerate(paths):
        commit(table_of(read_row(path, run, **changes)), f"{run}/{number}", writer)
    return batch_of(run, began=make_table(results), pictures=len(paths))


def batch_of(run: str, *, began: int = 0, pictures: int = 1, source: str = ROOT) -> Batch:
    """Return a batch of one run in which all was read."""
    return Batch(
        run_id=run,
        runs=[run],
        roots=[ROOT],
        source=source,
        model_version="m",
        began=began,
        started_at="2026-01-02T03:04:05+00:00",
        files=pictures,
        pictures=pictures,
        read=pictures,
        review=0,
        rejected=0,
        findings=[HeldFor(reason="turned", sentence="it lies on its side")],
        profile={"pictures": pictures},
    )
