"""The same code and the same rows on a Dask and on a Ray cluster, also when a worker is lost."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from deltalake import DeltaTable
from prefect import Flow
from prefect.testing.utilities import prefect_test_harness

from flows.orchestration.flows import maintain, predict, read_inbox, train
from flows.terminal.console import quietly
from tasks.results import table as results
from tasks.results.summary import Summary
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded

pytestmark = pytest.mark.server

COUNT = 3_000  # files: enough shards that both workers have some when one is lost


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120), quietly():
        yield


@pytest.fixture
def folder(tmp_path: Path, home: Path) -> Path:
    """Return a folder of many digits and some broken files."""
    made = tmp_path / "pictures"
    made.mkdir()
    contents = [encoded(bar(digit)) for digit in range(10)]
    for number in range(COUNT):
        (made / f"{number:05}.png").write_bytes(contents[number % 10])
    (made / "broken.png").write_bytes(b"no picture")
    return made


def read(folder: Path, model: Path, **options: object) -> tuple[Summary, list[tuple[object, ...]]]:
    """Read the folder again and return the summary and the rows that this run has added."""
    settings = PredictSettings(source=str(folder), model=str(model), again=True, **options)  # type: ignore[arg-type]
    summary = predict(settings)
    columns = ["path", "page", "status", "reason", "digit", "content_hash"]
    rows = results.select(summary.results, results.Query(run=summary.run_id), columns)
    return summary, list(zip(*rows.to_pydict().values(), strict=True))


@pytest.mark.parametrize(
    "each", [train, predict, read_inbox, maintain], ids=lambda each: str(each.fn.__name__)
)
def test_a_flow_can_be_sent_to_the_machines_of_a_cluster(each: Flow[Any, Any]) -> None:
    assert cloudpickle.dumps(each)


@pytest.mark.dask
@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_rows_and_a_lost_worker_costs_nothing_but_time(
    server: None, folder: Path, model_file: Path
) -> None:
    from distributed import LocalCluster

    expected = read(folder, model_file)[1]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:  # type: ignore[no-untyped-call]
        pids = [worker.pid for worker in cluster.workers.values()]
        version = DeltaTable(str(folder.parent / "home" / "results")).version()

        def lose_a_worker() -> None:
            table = str(folder.parent / "home" / "results")
            while DeltaTable(table).version() < version + 1:
                time.sleep(0.05)
            os.kill(pids[0], signal.SIGKILL)

        threading.Thread(target=lose_a_worker, daemon=True).start()
        address = cluster.scheduler_address
        summary, rows = read(folder, model_file, runner="dask", address=address)
        assert pids[0] not in [worker.pid for worker in cluster.workers.values()]
    assert rows == expected
    assert (summary.files, summary.rejected) == (COUNT + 1, 1)


@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_rows(server: None, folder: Path, model_file: Path) -> None:
    expected = read(folder, model_file)[1]
    summary, rows = read(folder, model_file, runner="ray")
    assert rows == expected
    assert (summary.files, summary.rejected) == (COUNT + 1, 1)
