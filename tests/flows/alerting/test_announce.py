"""A real server is told what runs and commands did, and one page there stays true."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.testing.utilities import prefect_test_harness

from flows.alerting import announce
from flows.alerting.announce import announce_audits, announce_models, renew_status
from flows.alerting.known_server import asked_server, telling
from flows.orchestration import flows
from flows.promote import rollback
from flows.status.address import STATUS_KEY
from flows.status.audits import alarms
from flows.status.events import audit_event
from flows.terminal.console import Console, quietly
from tasks.settings.base import MaintainSettings, results_table
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.flows.status.test_audits import many_wrong
from tests.helpers import register_champion

pytestmark = pytest.mark.server

ARRIVES_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[SyncPrefectClient]:
    harness = prefect_test_harness(server_startup_timeout=120)
    with harness, quietly(), get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def scans(home: Path, tmp_path: Path, model_file: Path) -> Path:
    register_champion(home, model_file)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "7.png").write_bytes(encoded(bar(7)))
    (tmp_path / "scans" / "broken.png").write_bytes(b"not a picture")
    return tmp_path / "scans"


def pages(server: SyncPrefectClient) -> list[dict[str, Any]]:
    """Return every version of the page, the newest first."""
    wanted = {"artifacts": {"key": {"any_": [STATUS_KEY]}}, "sort": "CREATED_DESC"}
    answer: list[dict[str, Any]] = server.request("POST", "/artifacts/filter", json=wanted).json()
    return answer


def event(server: SyncPrefectClient, resource: str) -> dict[str, Any]:
    """Wait for the event of a resource and return it."""
    wanted = {"filter": {"resource": {"id": [resource]}}}
    deadline = time.monotonic() + ARRIVES_S
    while not (found := server.request("POST", "/events/filter", json=wanted).json()["events"]):
        assert time.monotonic() < deadline, resource
        time.sleep(0.1)
    first: dict[str, Any] = found[0]
    return first


def test_a_run_tells_what_it_has_read_and_renews_the_page(
    server: SyncPrefectClient, scans: Path
) -> None:
    summary = flows.predict(PredictSettings(source=str(scans)))
    told = event(server, f"digitflow.batch.{summary.run_id}")
    assert told["payload"]["message"].endswith(
        "1 read, 0 for review, 1 rejected (1 unsupported_format)"
    )
    of_run = [each for each in told["related"] if each["prefect.resource.role"] == "flow-run"]
    run = of_run[0]["prefect.resource.id"].removeprefix("prefect.flow-run.")
    assert told["payload"]["link"].endswith(run)
    before = pages(server)
    assert before[0]["flow_run_id"] == run
    assert "| 1 | 0 | 1 |" in before[0]["data"]  # read, for review, rejected

    flows.predict(PredictSettings(source=str(scans)))  # nothing new: the same page, brought up
    after = pages(server)
    assert [page["id"] for page in after] == [page["id"] for page in before]
    assert after[0]["updated"] > before[0]["updated"]


def test_a_command_that_changes_who_serves_renews_the_page_and_tells_the_event(
    server: SyncPrefectClient, home: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", str(server.api_url))
    register_champion(home, model_file, "first")
    register_champion(home, model_file, "second")
    with telling(Console()):
        rollback("worse on Mondays")
    assert "worse on Mondays" in pages(server)[0]["data"]
    assert "**first" in pages(server)[0]["data"]
    told = event(server, "digitflow.model.first")
    assert told["event"] == "digitflow.model.rolled-back"
    assert told["payload"]["message"] == (
        "first serves again, in place of second: worse on Mondays"
    )
    asked = asked_server()
    assert asked
    assert (asked.trouble, asked.alerts) == (None, [])


def test_a_server_that_takes_nothing_fails_no_run(
    server: SyncPrefectClient, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(announce, "_emit", broken)
    monkeypatch.setattr(announce, "renew_status", broken)
    said: list[str] = []
    monkeypatch.setattr(Console, "log", lambda self, label, text: said.append(f"{label}: {text}"))
    assert flows.predict(PredictSettings(source=str(scans))).found == 2
    assert said.count("Status: the Prefect server was not told: RuntimeError: no room") == 2


def test_told_twice_a_page_is_one(server: SyncPrefectClient, scans: Path) -> None:
    renew_status(server)
    before = len(pages(server))
    renew_status(server)
    announce_models([], Console())
    assert len(pages(server)) == before


def test_an_error_above_the_promise_is_told_once(
    server: SyncPrefectClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_wrong()
    sent: list[str] = []
    monkeypatch.setattr(announce, "_emit", lambda client, event: sent.append(event.name))
    announce_audits(Console())
    announce_audits(Console())
    assert sent == ["digitflow.audit.error-above-promise"]


def test_a_server_is_told_of_an_error_above_the_promise(
    server: SyncPrefectClient, home: Path
) -> None:
    many_wrong("/scans of the month")
    announce_audits(Console())
    [alarm] = alarms(results_table(), home / "runs")
    told = event(server, audit_event(alarm).resource["prefect.resource.id"])
    assert told["event"] == "digitflow.audit.error-above-promise"
    assert told["payload"]["message"].startswith("/scans of the month in ")


def test_the_nightly_run_shows_what_was_read_over_time(
    server: SyncPrefectClient, home: Path
) -> None:
    flows.maintain(MaintainSettings())  # without results there is nothing to show
    many_wrong()
    flows.maintain(MaintainSettings())
    wanted = {"artifacts": {"key": {"any_": ["drift"]}}}
    [shown] = server.request("POST", "/artifacts/filter", json=wanted).json()
    assert shown["data"].startswith("# What was read over time")
    assert "60 of 60" in shown["data"]
