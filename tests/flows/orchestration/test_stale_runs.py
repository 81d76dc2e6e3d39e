"""On a real server: what says that it goes on has crashed if its process is gone, and only that."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Cancelling, Completed, Pending, Running
from prefect.testing.utilities import prefect_test_harness

from flows.deploying.remembered import TAG
from flows.orchestration.stale_runs import GONE, crash_stale_runs
from flows.terminal.console import quietly

pytestmark = pytest.mark.server

POOL = "ours"

SLEEPS = "import time; time.sleep(600)"
NOTES = """
import sys, time
from prefect import flow, tags
from prefect.runtime import flow_run
from flows.orchestration.stale_runs import note_process

@flow
def noted():
    note_process()
    print(flow_run.id, flush=True)
    time.sleep(600)

with tags(sys.argv[1]):
    noted()
"""


@flow
def nothing() -> None:
    """Do nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[SyncPrefectClient]:
    harness = prefect_test_harness(server_startup_timeout=120)
    with harness, quietly(), get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        yield client


@pytest.fixture(scope="module")
def deployment(server: SyncPrefectClient) -> UUID:
    """Return a deployment of our pool with a place for one run."""
    return server.create_deployment(
        flow_id=server.create_flow(nothing),
        name="inbox",
        work_pool_name=POOL,
        concurrency_limit=1,
    )


def state_of(server: SyncPrefectClient, run: UUID) -> str:
    state = server.read_flow_run(run).state
    assert state
    return state.type.value


def taken(server: SyncPrefectClient, deployment: UUID) -> int:
    """Return how many places of a deployment are taken."""
    limit = server.read_deployment(deployment).global_concurrency_limit
    assert limit
    return limit.active_slots


def test_runs_of_our_worker_without_a_process_have_crashed_and_give_back_their_place(
    server: SyncPrefectClient, deployment: UUID
) -> None:
    runs = [server.create_flow_run_from_deployment(deployment).id for _ in range(4)]
    pending, _, lives, done = runs
    server.set_flow_run_state(pending, Pending())
    assert taken(server, deployment) == 1
    server.set_flow_run_state(lives, Running(), force=True)
    server.set_flow_run_state(done, Completed(), force=True)
    engine = subprocess.Popen(
        [sys.executable, "-c", SLEEPS, "-m", "prefect.engine"],
        env=os.environ | {"PREFECT__FLOW_RUN_ID": str(lives)},
    )
    try:
        assert crash_stale_runs(POOL) == 1
        states = [state_of(server, run) for run in runs]
        assert states == ["CRASHED", "SCHEDULED", "RUNNING", "COMPLETED"]
        assert taken(server, deployment) == 0
        crashed = server.read_flow_run(pending).state
        assert crashed and crashed.message == GONE
    finally:
        engine.kill()
        engine.wait()
    assert crash_stale_runs(POOL) == 1
    assert state_of(server, lives) == "CRASHED"


def test_the_run_of_a_command_has_crashed_once_its_process_is_gone(
    server: SyncPrefectClient,
) -> None:
    ours, theirs = started(TAG), started("theirs")
    runs = [UUID(each.stdout.readline().strip()) for each in (ours, theirs) if each.stdout]
    assert crash_stale_runs(POOL) == 0
    for each in (ours, theirs):
        each.send_signal(signal.SIGKILL)
    theirs.wait()
    crash_stale_runs(POOL)  # one has ended that nobody has asked yet how
    assert [state_of(server, run) for run in runs] == ["CRASHED", "RUNNING"]
    ours.wait()


def started(tag: str) -> subprocess.Popen[str]:
    from prefect.settings import get_current_settings

    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return subprocess.Popen(
        [sys.executable, "-c", NOTES, tag],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_is_being_cancelled_ends_too(server: SyncPrefectClient, deployment: UUID) -> None:
    run = server.create_flow_run_from_deployment(deployment).id
    server.set_flow_run_state(run, Running(), force=True)
    server.set_flow_run_state(run, Cancelling(), force=True)
    crash_stale_runs(POOL)
    assert state_of(server, run) == "CANCELLED"
