"""A flow that does nothing, and imports Prefect alone; `tests.bench.inbox` measures beside it."""

from prefect import flow


@flow
def empty() -> None:
    """Do nothing."""
