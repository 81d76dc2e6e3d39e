"""A training that a person has to approve: suspended without a place, resumed, rejected, late."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.orchestration.approval import WAITS
from tasks.registry.registry import Registry
from tests.flows.server.own_server import FINAL, Own, own_server, until, worker_of
from tests.helpers import register_champion

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.training, pytest.mark.timeout(900)]

LENIENT = {
    **{"recipe": "quick", "device": "cpu", "judge_on": "clean", "min_accuracy": 0.5},
    **{"min_recall": 0.1, "max_calibration_error": 0.2, "max_error": 1, "min_coverage": 0},
    **{"max_disagreement": 1, "min_speed": 0, "approve": True},
}
TRAINED = 400.0  # seconds, on a busy machine
ANSWER = {"reason": "I looked at its mistakes", "name": "Ada"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    services = {"PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1"}
    with own_server(tmp_path_factory.mktemp("deployer"), **services) as own:
        yield own


def ask_to_train(own: Own, data: Path, **settings: Any) -> str:
    """Make a run of `train/weekly`, and return its id."""
    deployment = own.api.ask("GET", "/deployments/name/train/weekly")["id"]
    given = {"parameters": {"settings": LENIENT | {"data": str(data)} | settings}}
    made: str = own.api.post(f"/deployments/{deployment}/create_flow_run", given)["id"]
    return made


def name_of_state(own: Own, run: str) -> str:
    found = own.run(run)
    name: str = found["state_name"]
    assert name == "Suspended" or found["state_type"] not in FINAL - {"COMPLETED"}, found["state"]
    return name


def suspended(own: Own, run: str) -> dict[str, Any]:
    until(lambda: name_of_state(own, run) == "Suspended", TRAINED)
    return own.run(run)


def resume(own: Own, run: str, **answer: Any) -> dict[str, Any]:
    done: dict[str, Any] = own.api.post(f"/flow_runs/{run}/resume", {"run_input": answer})
    return done


def events_of(own: Own, run: str) -> set[str]:
    """Return the names of the events of a run."""
    about = {"filter": {"resource": {"id": [f"prefect.flow-run.{run}"]}}, "limit": 50}
    return {event["event"] for event in own.api.post("/events/filter", about)["events"]}


def trainings(home: Path) -> int:
    return len(list((home / "runs").glob("train-*")))


def test_a_suspended_training_holds_no_place_and_its_answer_decides(
    own: Own, home: Path, model_file: Path, npz_sample: Path
) -> None:
    register_champion(home, model_file)
    registry = Registry(home / "models")
    with worker_of(own, home):
        first = ask_to_train(own, npz_sample)
        assert suspended(own, first)["name"].endswith("right, accepted, waits for approval")
        waits = registry.history()[-1]
        assert (waits["action"], waits["evidence"]["flow_run"]) == ("ask", first)
        until(lambda: WAITS in events_of(own, first))  # or it could be taken for dead
        second = ask_to_train(own, npz_sample, seed=2)  # its place is free
        suspended(own, second)
        assert registry.serving_name() == "tiny"
        assert trainings(home) == 2

        assert resume(own, first, approve=True, reason="", name="Ada")["status"] == "REJECT"
        assert resume(own, first, approve=True, **ANSWER)["status"] == "ACCEPT"
        run = own.ended(first)
        assert (run["state_name"], run["state_type"]) == ("Accepted", "COMPLETED"), run["state"]
        assert registry.serving_name() == waits["version"]
        promoted = registry.history()[-1]
        assert promoted["reason"] == "approved by Ada: I looked at its mistakes"

        assert resume(own, second, approve=False, **ANSWER)["status"] == "ACCEPT"
        run = own.ended(second)
        assert (run["state_name"], run["state_type"]) == ("Refused", "COMPLETED"), run["state"]
        assert "rejected by Ada: I looked at its mistakes" in run["state"]["message"]
        assert registry.serving_name() == waits["version"]
        assert registry.history()[-1]["action"] == "refuse"
    assert trainings(home) == 2  # none was trained again


def test_what_nobody_answers_in_time_is_refused(
    own: Own, home: Path, model_file: Path, npz_sample: Path
) -> None:
    register_champion(home, model_file)
    registry = Registry(home / "models")
    with worker_of(own, home):
        run = ask_to_train(own, npz_sample, approve_within_hours=1 / 3600)
        until(lambda: own.run(run)["state_type"] == "FAILED", TRAINED)
        assert "never resumed" in own.run(run)["state"]["message"]
        assert resume(own, run, approve=True, **ANSWER)["status"] != "ACCEPT"
        nightly = own.api.ask("GET", "/deployments/name/maintain/nightly")["id"]
        own.ended(own.api.post(f"/deployments/{nightly}/create_flow_run", {})["id"])
    last = registry.history()[-1]
    assert (last["action"], last["reason"]) == ("refuse", "nobody approved it in time")
    assert registry.serving_name() == "tiny"
    assert registry.refuse_unanswered(datetime.now(UTC) + timedelta(days=9), "late") == []
