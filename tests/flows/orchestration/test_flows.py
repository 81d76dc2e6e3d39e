"""The flows as Prefect runs them: states, task runs, artifacts, and what a refusal looks like."""

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterName,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.flow_engine import run_flow
from prefect.logging.loggers import flow_run_logger
from prefect.testing.utilities import prefect_test_harness

from flows.orchestration import flows, run_console
from flows.orchestration.launch import run_predict
from flows.predict import PicturesRejected
from flows.terminal.console import quietly
from tasks.errors import InputError
from tasks.reporting.document import percent
from tasks.results.table import select
from tasks.settings.reading import DecisionSettings, InboxSettings, PredictSettings
from tasks.settings.training import TrainSettings
from tests.bars import bar, encoded
from tests.flows.holding.odd import odd_where_half_is_rejected
from tests.flows.terminal.test_console import Closed
from tests.helpers import register_champion

pytestmark = pytest.mark.server

RECORDED_S = 60.0  # until the server has recorded what a run has done


@pytest.fixture(scope="module")
def server() -> Iterator[SyncPrefectClient]:
    harness = prefect_test_harness(server_startup_timeout=120)
    with harness, quietly(), get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def environment_stays() -> Iterator[None]:
    """Undo what a command does to the environment of its process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def last_run(server: SyncPrefectClient, name: str) -> Any:
    wanted = FlowRunFilter(name=FlowRunFilterName(any_=[name]))
    return server.read_flow_runs(flow_run_filter=wanted)[-1]


def recorded_tasks(server: SyncPrefectClient) -> set[str]:
    """Return the names of all task runs that the server has recorded by now."""
    return {task.name for task in server.read_task_runs()}


def test_a_reading_is_a_named_run_of_few_tasks_with_report_and_progress(
    server: SyncPrefectClient, home: Path, tmp_path: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    folder = tmp_path / "scans"
    folder.mkdir()
    for digit in range(10):
        (folder / f"{digit}.png").write_bytes(encoded(bar(digit)))
    (folder / "broken.png").write_bytes(b"not a picture")

    summary = flows.predict(PredictSettings(source=str(folder)))

    assert (summary.found, summary.rejected) == (11, 1)
    came_out = "10 read, 0 for review, 1 rejected"
    run = last_run(server, f"{folder}: {came_out}")
    assert run.state.is_completed()
    assert run.state.message == came_out
    expected = {
        "list the files",
        "find what is new",
        "read shard 1 of 1",
        "count the rows",
        "write the report",
    }
    deadline = time.monotonic() + RECORDED_S
    while not expected <= (tasks := recorded_tasks(server)):
        assert time.monotonic() < deadline, tasks
        time.sleep(0.1)
    artifacts = {
        artifact.key: artifact
        for artifact in server.read_artifacts()
        if artifact.flow_run_id == run.id
    }
    assert {"reading", "reading-report"} <= set(artifacts)
    assert "broken.png" in artifacts["reading-report"].data
    assert artifacts["reading"].data == 100.0
    assert artifacts["reading"].description.startswith("100 % in ")
    assert artifacts["reading"].description.endswith(", of 11 files, 1 rejected")


def test_an_odd_batch_is_a_run_named_held_and_the_form_releases_it(
    server: SyncPrefectClient,
    home: Path,
    tmp_path: Path,
    model_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register_champion(home, model_file)
    monkeypatch.setattr("flows.holding.batch.findings", odd_where_half_is_rejected)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "broken.png").write_bytes(b"not a picture")
    source = str(tmp_path / "scans")
    state = flows.read_inbox(InboxSettings(source=source, settle=0), return_state=True)
    assert (state.name, state.is_completed()) == ("Held", True)
    [artifact] = [each for each in server.read_artifacts() if "None of its rows" in str(each.data)]
    assert "1 of 1 rejected" in str(artifact.data)
    page = server.read_artifacts(
        artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["status"]))
    )
    assert any("1 batch waits" in str(each.data) for each in page)
    run_id = next((home / "runs").glob("predict-*")).name
    asked = DecisionSettings(run_id=run_id, reason="blank forms are fine", by="Ada")
    assert flows.release(asked, return_state=True).name == "Released"
    rows = select(str(home / "results")).to_pylist()
    assert [row["path"] for row in rows] == ["broken.png"]
    again = flows.release(asked, return_state=True)
    assert again.is_failed()
    assert "was released already" in str(again.message)
    assert "by Ada: blank forms are fine" in str(again.message)


def test_a_card_of_progress_moves_while_the_run_works(
    server: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_console, "ARTIFACT_EVERY", 0.05)

    def card() -> Any:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["moving"]))
        [found] = server.read_artifacts(artifact_filter=wanted)
        return found.data, found.description

    @flow
    def moves() -> None:
        deadline = time.monotonic() + RECORDED_S
        with run_console.RunConsole().bar("Moving", 8, "steps") as advance:
            assert card() == (0.0, "0 %, of 8 steps")
            advance(2)
            while card()[0] != 25.0:
                assert time.monotonic() < deadline
            assert card()[1].startswith("25 %, ")

    moves()
    assert card()[0] == 100.0


@pytest.mark.usefixtures("environment_stays")
def test_a_strict_run_with_rejected_pictures_failed_and_says_why_in_one_line(
    server: SyncPrefectClient, home: Path, tmp_path: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "7.png").write_bytes(encoded(bar(7)))
    strict = PredictSettings(source=str(folder), strict=True)
    assert flows.predict(strict).read == 1
    assert last_run(server, f"{folder}: 1 read, 0 for review, 0 rejected").state.is_completed()

    (folder / "broken.png").write_bytes(b"not a picture")
    why = "1 of the pictures that were found are rejected (--strict)"
    with pytest.raises(PicturesRejected, match=re.escape(why)):
        flows.predict(strict)
    run = last_run(server, f"{folder}: 0 read, 0 for review, 1 rejected")
    assert run.state.is_failed()
    assert run.state.message == why
    assert "Traceback" not in log_of(server, run.id)

    # the command prints the summary, and says by itself what its exit code means
    assert run_predict(strict, quiet=True).rejected_now == 1
    of_command = last_run(server, f"{folder}: nothing new")
    assert of_command.state.is_failed()
    assert of_command.tags == ["digitflow"]  # by which an automation knows it


def test_a_look_at_an_inbox_that_finds_nothing_is_a_run_that_says_so_and_leaves_nothing(
    server: SyncPrefectClient, home: Path, tmp_path: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    folder, read = tmp_path / "post", tmp_path / "read"
    folder.mkdir()
    settings = InboxSettings(source=str(folder), settle=0, after="move", move_to=str(read))
    assert flows.read_inbox(settings) is None
    run = last_run(server, f"{folder}: nothing new")
    assert (run.state.type.value, run.state.name) == ("COMPLETED", "Nothing new")
    artifacts = server.read_artifacts()
    assert [artifact for artifact in artifacts if artifact.flow_run_id == run.id] == []
    assert not (home / "runs").exists()

    (folder / "7.png").write_bytes(encoded(bar(7)))
    (folder / "8.png.part").write_bytes(encoded(bar(8)))
    assert flows.read_inbox(settings).read == 1
    run = last_run(server, f"{folder}: 1 read, 0 for review, 0 rejected")
    counts = "1 read, 0 for review, 0 rejected, 1 file still being written, 1 file moved"
    assert run.state.message == counts
    assert [file.name for file in read.iterdir()] == ["7.png"]
    assert flows.read_inbox(settings) is None
    assert last_run(
        server, f"{folder}: nothing new, 1 file still being written"
    ).state.is_completed()


def test_a_command_whose_output_nobody_reads_is_told_so_while_a_deployment_goes_on(
    server: SyncPrefectClient,
    home: Path,
    tmp_path: Path,
    model_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register_champion(home, model_file)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "7.png").write_bytes(encoded(bar(7)))
    settings = PredictSettings(source=str(tmp_path / "scans"))
    monkeypatch.setattr(sys, "stdout", Closed())
    with quietly(on=False):
        with pytest.raises(BrokenPipeError):  # of which `main` makes exit code 141
            flows.predict(settings)
        monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "of a deployment")
        assert flows.predict(settings).read == 1


def log_of(server: SyncPrefectClient, run: UUID, last: str = "\nReport: ") -> str:
    """Return the log that the server has of a run and its task runs, once a line is in it."""
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
    deadline = time.monotonic() + RECORDED_S
    while last not in (
        log := "\n".join(line.message for line in server.read_logs(log_filter=wanted))
    ):
        assert time.monotonic() < deadline, log
        time.sleep(0.1)
    return log


@pytest.mark.parametrize(("name", "why"), [("none", "does not exist"), ("empty", "has no files")])
def test_an_input_error_is_one_line_in_the_state_and_in_the_log(
    server: SyncPrefectClient, home: Path, tmp_path: Path, model_file: Path, name: str, why: str
) -> None:
    register_champion(home, model_file)
    folder = tmp_path / name
    if name == "empty":  # which a task run finds out
        folder.mkdir()
    settings = PredictSettings(source=str(folder))
    asked_for = server.create_flow_run(flows.predict, parameters={"settings": settings})
    log = flow_run_logger(asked_for)
    with pytest.raises(InputError, match=why) as raised:
        # as the process of a deployed run does
        run_flow(flows.predict, flow_run=asked_for, error_logger=log)
    run = server.read_flow_run(asked_for.id)
    assert run.state
    assert run.state.is_failed()
    assert run.state.message == str(raised.value)
    log.info("the last line")
    lines = log_of(server, run.id, "the last line").splitlines()
    assert "Traceback" not in str(lines)
    assert lines.count(str(raised.value)) == 1


def test_an_error_that_nobody_expected_keeps_its_traceback(
    server: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.predict.predict", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        flows.predict(PredictSettings(source=str(tmp_path)))
    log = log_of(server, last_run(server, f"read {tmp_path}").id, "Finished in state Failed")
    assert "Traceback" in log
    assert "ZeroDivisionError" in log


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "ray://127.0.0.1:x"])
def test_a_cluster_that_does_not_answer_is_refused_before_any_work(
    server: SyncPrefectClient, home: Path, address: str
) -> None:
    settings = PredictSettings(source=str(home), runner="dask", address=address)
    with pytest.raises(InputError, match=f"--address {address}: nobody answers there"):
        flows.predict(settings)
    assert not (home / "runs").exists()


@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_a_cluster_whose_extra_is_not_installed_is_refused_before_any_work(
    server: SyncPrefectClient, home: Path, monkeypatch: pytest.MonkeyPatch, runner: Any
) -> None:
    monkeypatch.setitem(sys.modules, f"prefect_{runner}.task_runners", None)
    with pytest.raises(InputError, match=rf"pip install 'digitflow\[{runner}\]'"):
        flows.predict(PredictSettings(source=str(home), runner=runner))
    assert not (home / "runs").exists()


@pytest.mark.training
@pytest.mark.slow
def test_a_refused_candidate_is_a_completed_run_named_refused(
    server: SyncPrefectClient, home: Path, npz_sample: Path
) -> None:
    settings = TrainSettings(data=str(npz_sample), device="cpu", recipe="quick", judge_on="clean")
    outcome = flows.train(settings)
    assert not outcome.accepted
    state = last_run(server, f"train: {percent(outcome.accuracy)} right, refused").state
    assert (state.type.value, state.name) == ("COMPLETED", "Refused")
    assert state.message == outcome.sentence
    artifacts = {artifact.key: artifact for artifact in server.read_artifacts()}
    assert {"training-report", "flips", "model-history"} <= set(artifacts)
    verdict = artifacts["verdict"]
    assert verdict.description.startswith("Refused: accuracy on test part 0.")
    assert verdict.data.startswith("# Verdict on ")
    assert "| failed |" in verdict.data
    assert '"action": "refuse"' in artifacts["model-history"].data
