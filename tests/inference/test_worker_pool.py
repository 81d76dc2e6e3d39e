"""As many workers as are worth their start."""

import pytest

from tasks.inference import worker_pool


def test_many_files_or_large_ones_are_worth_more_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_pool, "usable_cores", lambda: 4)
    worth = [
        worker_pool.workers_for(files, size)
        for files, size in [(0, 0), (100, 1000), (3_000, 9000), (200, 10_000_000), (10**6, 0)]
    ]
    assert worth == [1, 1, 2, 2, 4]
