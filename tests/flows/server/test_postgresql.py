"""A team's server on PostgreSQL, with a login: what runs by itself, and what is killed, all of it.

In CI they fail where PostgreSQL is missing, elsewhere they are skipped.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import numpy as np
import pytest

from tests import postgres
from tests.bars import bar, encoded, with_comment
from tests.bench.watched import processes_of_run
from tests.flows.server.own_server import Own, own_server, until, worker_of
from tests.helpers import register_champion

REQUIRED = {"CI", "REQUIRE_POSTGRESQL"} & set(os.environ)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.skipif(
        not (REQUIRED or postgres.binaries()), reason="no PostgreSQL on this machine"
    ),
]

PICTURES, SIDE = 300, 3000  # some seconds of reading, in which it can be killed
GOING_ON = {"PENDING", "RUNNING", "CANCELLING"}


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres.cluster() as url:
        yield url


@pytest.fixture(scope="module")
def team(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    secret = {"PREFECT_API_DATABASE_CONNECTION_URL": database}
    with own_server(tmp_path_factory.mktemp("team"), **secret) as own:
        yield own


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Return a folder that takes seconds to read: one large picture, in files that differ."""
    folder = tmp_path / "scans"
    folder.mkdir()
    large = encoded(np.kron(bar(1), np.ones((SIDE // 28, SIDE // 28), np.uint8)), "JPEG")
    for number in range(PICTURES):
        (folder / f"{number}.jpg").write_bytes(with_comment(large, number))
    return folder


def in_database(url: str, question: str, *values: Any) -> Any:
    """Return one value of PostgreSQL, past Prefect."""

    async def answer() -> Any:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(question, *values)
        finally:
            await connection.close()

    return asyncio.run(answer())


def asked_of(scans: Path) -> dict[str, Any]:
    """Return the settings of a run that reads the scans, and holds nothing.

    The model of bars reads no control digits.
    """
    return {"source": str(scans), "hold": False}


def running(team: Own, scans: Path) -> str:
    """Return a run that reads the scans, and has begun to."""
    made = team.ask_for(asked_of(scans))
    of_it = {"artifacts": {"flow_run_id": {"any_": [made]}, "key": {"any_": ["reading"]}}}
    until(lambda: bool(team.api.post("/artifacts/filter", of_it)))
    return made


def test_a_schedule_fires_and_its_run_lies_in_postgresql(
    team: Own, database: str, home: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    (home / "inbox").mkdir()
    (home / "inbox" / "7.png").write_bytes(encoded(bar(7)))

    def read() -> list[dict[str, Any]]:
        fired = [run for run in team.runs() if run["auto_scheduled"]]
        assert not {run["state_type"] for run in fired} & {"FAILED", "CRASHED"}
        return [run for run in fired if run["name"] == "inbox: 1 read, 0 for review, 0 rejected"]

    with worker_of(team, home):
        every = ("predict/inbox", "--interval", "5", "--accept-yes")
        team.prefect("deployment", "schedule", "create", *every)
        until(lambda: bool(read()))
        deployment = team.api.ask("GET", "/deployments/name/predict/inbox")
        for schedule in deployment["schedules"]:
            if "interval" in schedule["schedule"]:
                one = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
                team.api.ask("DELETE", one)
        until(lambda: not [run for run in team.runs() if run["state_type"] in GOING_ON])
    [run] = read()
    state = in_database(database, "SELECT state_type::text FROM flow_run WHERE id = $1", run["id"])
    assert state == "COMPLETED"


def test_prefect_deployment_run_reads_what_it_is_told_and_nobody_else_may_ask(
    team: Own, home: Path, model_file: Path, tmp_path: Path
) -> None:
    register_champion(home, model_file)
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "7.png").write_bytes(encoded(bar(7)))
    with worker_of(team, home):
        told = f'settings={{"source": "{tmp_path}/a b"}}'
        said = team.prefect("deployment", "run", "predict/inbox", "--param", told, "--watch")
    assert "Completed" in said
    asked = httpx.post(f"{team.api.url}/flow_runs/filter", json={})
    assert asked.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


def test_a_promotion_starts_a_run_that_reads_again_what_waits_for_review(
    team: Own, home: Path, model_file: Path
) -> None:
    for name in ("first", "second"):
        register_champion(home, model_file, name)
    (home / "inbox").mkdir()
    (home / "inbox" / "unsure.png").write_bytes(encoded(bar(7.5)))

    def started() -> list[dict[str, Any]]:
        deployment = team.api.ask("GET", "/deployments/name/predict/on-promotion")["id"]
        theirs = [run for run in team.runs() if run["deployment_id"] == deployment]
        return [run for run in theirs if run["id"] not in earlier]

    earlier: set[str] = set()
    earlier |= {run["id"] for run in started()}  # of other tests on this server
    with worker_of(team, home):
        run = team.ended(team.ask_for({}))
        assert run["name"] == "inbox: 0 read, 1 for review, 0 rejected"
        promote = ("models", "promote", "first", "--override", "--reason", "it is surer")
        team.program("flows.cli.main", *promote, DIGITFLOW_HOME=str(home))
        until(lambda: bool(started()))
        run = team.ended(started()[0]["id"])
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["state"]["message"].startswith("0 read, 1 for review, 0 rejected")
    assert len(started()) == 1


def test_a_run_whose_machine_is_lost_has_crashed_and_the_next_reads_all(
    team: Own, home: Path, model_file: Path, scans: Path
) -> None:
    register_champion(home, model_file)
    with worker_of(team, home) as worker:
        made = running(team, scans)
        worker.kill()
        worker.wait()
        os.kill(processes_of_run(made)[0], signal.SIGKILL)
    not_begun = team.ask_to_read_again()
    for lost in (made, not_begun):
        assert team.ended(lost)["state_type"] == "CRASHED"  # by an automation
    assert "did not begin within 90 s" in team.run(not_begun)["state"]["message"]
    with worker_of(team, home):
        run = team.ended(team.ask_for(asked_of(scans)))
    assert run["state_type"] == "COMPLETED", run["state"]


def test_where_worker_or_server_are_killed_the_run_finishes_and_the_next_begins(
    team: Own, home: Path, model_file: Path, scans: Path
) -> None:
    register_champion(home, model_file)
    with worker_of(team, home) as worker:
        made = running(team, scans)
        worker.kill()
        worker.wait()
        team.process.kill()
        team.process.wait()
        team.start()
        run = team.ended(made)
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["state"]["message"].startswith(f"{PICTURES} read")
    with worker_of(team, home):
        run = team.ended(team.ask_for(asked_of(scans)))
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["name"].endswith(": nothing new")
