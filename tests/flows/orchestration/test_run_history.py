"""Old runs of ours go from the Prefect server with all that is theirs; nobody else's do."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, LogCreate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.states import Completed, Running, Scheduled
from prefect.testing.utilities import prefect_test_harness

from flows.deploying.remembered import TAG
from flows.orchestration import run_history
from flows.orchestration.run_history import tidy_server
from flows.terminal.console import quietly
from tasks.settings.base import MaintainSettings
from tests.helpers import run

pytestmark = pytest.mark.server

DELETED_S = 60.0  # until the server has deleted in the background what was of a run
BY_AGE = MaintainSettings(keep_runs=0)


@pytest.fixture(scope="module")
def server() -> Iterator[SyncPrefectClient]:
    harness = prefect_test_harness(server_startup_timeout=120)
    with harness, quietly(), get_client(sync_client=True) as client:
        yield client


def work() -> None:
    """Do nothing."""


def made(
    server: SyncPrefectClient,
    name: str,
    days: float = 100,
    *,
    ours: bool = True,
    ended: bool = True,
) -> UUID:
    """Make a flow run that was due so many days ago, with a task, two artifacts and a log."""
    due = datetime.now(UTC) - timedelta(days=days)
    made = server.create_flow_run(
        flow(name=name)(work),
        tags=[TAG] if ours else [],
        state=Scheduled(scheduled_time=due),
    )
    server.create_task_run(task(work), flow_run_id=made.id, dynamic_key="0")
    for key in ("report", "verdict"):
        server.create_artifact(ArtifactCreate(key=key, flow_run_id=made.id, data="x"))
    log = LogCreate(name="x", level=20, message="x", timestamp=due, flow_run_id=made.id)
    server.create_logs([log])
    server.set_flow_run_state(made.id, Completed() if ended else Running(), force=True)
    return made.id


def there(server: SyncPrefectClient, *runs: UUID) -> list[bool]:
    """Tell of each run whether it is on the server."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(runs)))
    found = {each.id for each in server.read_flow_runs(flow_run_filter=wanted)}
    return [each in found for each in runs]


def left_of(server: SyncPrefectClient, run: UUID) -> int:
    """Return how many artifacts, log lines and tasks of a run are there."""
    artifacts = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    logs = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
    tasks = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run]))
    return (
        len(server.read_artifacts(artifact_filter=artifacts))
        + len(server.read_logs(log_filter=logs))
        + len(server.read_task_runs(task_run_filter=tasks))
    )


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DELETED_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_an_old_run_goes_with_its_log_its_artifacts_and_tasks_and_others_stay(
    server: SyncPrefectClient, home: Path
) -> None:
    old, training = made(server, "predict"), made(server, "train", 91)
    kept = [
        made(server, "predict", 89),
        made(server, "predict", ours=False),
        made(server, "somebody's"),
        made(server, "predict", ended=False),
    ]
    assert left_of(server, old) == 4
    told = tidy_server(MaintainSettings(keep_runs=0, dry_run=True))
    assert len(told.removed) == 2
    assert there(server, old, training, *kept) == [True] * 6
    done = tidy_server(BY_AGE)
    assert sorted(done.removed) == sorted(told.removed)
    assert "its file stays as large" in done.notes[0]
    assert there(server, old, training) == [False] * 2
    assert there(server, *kept) == [True] * 4
    until(lambda: left_of(server, old) == 0)
    assert [left_of(server, each) for each in kept] == [4] * 4
    assert tidy_server(BY_AGE).removed == []


def test_the_newest_of_each_flow_stay_however_old(server: SyncPrefectClient, home: Path) -> None:
    runs = [made(server, "train", 200 - number) for number in range(4)]
    done = tidy_server(MaintainSettings(keep_runs=2))
    assert there(server, *runs) == [False, False, True, True]
    assert done.kept["train, among the 2 newest"] == 2
    tidy_server(BY_AGE)
    assert there(server, *runs) == [False] * 4


def test_more_than_one_batch_goes_and_what_is_too_much_for_one_night_is_said(
    server: SyncPrefectClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_history, "BATCH", 2)
    monkeypatch.setattr(run_history, "MOST", 5)
    runs = [made(server, "train", 300 - number) for number in range(7)]
    done = tidy_server(BY_AGE)
    assert there(server, *runs) == [False] * 5 + [True] * 2
    assert "more than 5 of train: the next time goes on" in done.notes
    tidy_server(BY_AGE)
    assert there(server, *runs) == [False] * 7


def test_the_command_is_a_run_that_is_called_by_what_it_did_and_is_marked_as_ours(
    server: SyncPrefectClient, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = made(server, "predict", 400)
    assert run("maintain", "--keep-runs", "0", "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["parts"][0]["part"] == "server runs"
    count = len(told["parts"][0]["removed"])
    assert count >= 1
    assert there(server, old) == [False]
    [last] = [each for each in server.read_flow_runs() if each.name.startswith("maintain: ")]
    assert last.name == (
        f"maintain: removed server runs {count}, run folders 0, result files 0, held rows 0, "
        "models 0; gave back 0.0 MiB"
    )
    assert TAG in last.tags
