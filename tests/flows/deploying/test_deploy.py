"""Deployments on a real server follow what is declared, and what people change there stays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.testing.utilities import prefect_test_harness

from flows.cli.doctor import examine
from flows.deploying.declared import declaration
from flows.deploying.deploy import Applied, apply
from flows.deploying.settings_file import FILE, read_settings_file
from tasks.errors import InputError
from tests.helpers import run

pytestmark = pytest.mark.server
INBOX, WEEKLY = "predict/inbox", "train/weekly"


@pytest.fixture(scope="module")
def started() -> Iterator[SyncPrefectClient]:
    with (
        prefect_test_harness(server_startup_timeout=120),
        get_client(sync_client=True) as client,
    ):
        yield client


@pytest.fixture
def server(started: SyncPrefectClient) -> SyncPrefectClient:
    """Return a server on which nothing was deployed."""
    for deployment in started.read_deployments():
        started.delete_deployment(deployment.id)
    for variable in started.read_variables():
        started.delete_variable_by_name(variable.name)
    for automation in started.read_automations():
        started.delete_automation(automation.id)
    for pool in started.read_work_pools():
        started.delete_work_pool(pool.name)
    return started


def deploy(home: Path, text: str = "", **how: bool) -> Applied:
    home.mkdir(exist_ok=True)
    (home / FILE).write_text(text)
    return apply(declaration(read_settings_file()), **how)


def lines(applied: Applied, but: tuple[str, ...] = ("as declared",)) -> list[str]:
    return [f"{note.kind} {note.line}" for note in applied.notes if note.kind not in but]


def in_a_row(printed: str) -> str:
    return " ".join(printed.split())


def crons(server: SyncPrefectClient, name: str = INBOX) -> list[str]:
    schedules = server.read_deployment_by_name(name).schedules
    return [getattr(each.schedule, "cron", "") for each in schedules]


def as_the_form_does(server: SyncPrefectClient, there: DeploymentResponse, **schedule: Any) -> None:
    """Change the schedule of a deployment as the page of the UI does."""
    path = f"/deployments/{there.id}/schedules/{there.schedules[0].id}"
    server._client.patch(path, json=schedule).raise_for_status()


def test_it_makes_everything_once(server: SyncPrefectClient, home: Path) -> None:
    made = deploy(home)
    assert lines(made) == [
        "made work pool digitflow: type process",
        "made train/weekly: 0 3 * * 0 (UTC)",
        "made predict/inbox: */5 * * * * (UTC)",
        "made maintain/nightly: 30 1 * * * (UTC)",
        "made predict/on-promotion: no schedule",
        "made release/held: no schedule",
    ]
    assert made.schedules[WEEKLY] == "0 3 * * 0 (UTC)"
    assert made.schedules[INBOX] == "*/5 * * * * (UTC)"
    there = server.read_deployment_by_name(INBOX)
    assert there.entrypoint == "flows.orchestration.flows.read_inbox"
    assert not there.pull_steps
    assert there.parameters == {"settings": {}}
    assert there.work_pool_name == "digitflow"
    assert there.concurrency_options
    assert there.concurrency_options.collision_strategy == "CANCEL_NEW"
    assert there.parameter_openapi_schema
    assert "max_error" in str(there.parameter_openapi_schema)
    updated = there.updated
    assert lines(deploy(home)) == []
    assert server.read_deployment_by_name(INBOX).updated == updated


def test_a_dry_run_says_the_same_and_changes_nothing(server: SyncPrefectClient, home: Path) -> None:
    planned = deploy(home, dry_run=True)
    assert server.read_deployments() == []
    assert server.read_work_pools() == []
    assert server.read_variables() == []
    assert lines(planned) == lines(deploy(home))
    changed = '[inbox.inbox]\ncron = "0 4 * * *"'
    planned = deploy(home, changed, dry_run=True)
    assert crons(server) == ["*/5 * * * *"]
    assert lines(planned) == lines(deploy(home, changed))
    assert crons(server) == ["0 4 * * *"]


def test_what_the_file_says_is_applied_and_what_it_says_no_more_is_as_before(
    server: SyncPrefectClient, home: Path
) -> None:
    deploy(home, '[inbox.inbox]\nmax_error = 0.01\ncron = "0 4 * * *"')
    assert server.read_deployment_by_name(INBOX).parameters["settings"]["max_error"] == 0.01
    assert lines(deploy(home)) == [
        "changed predict/inbox: schedule: 0 4 * * * (UTC) -> */5 * * * * (UTC)",
        "changed predict/inbox: settings.max_error: 0.01 -> nothing",
        "changed predict/on-promotion: settings.max_error: 0.01 -> nothing",
    ]
    assert server.read_deployment_by_name(INBOX).parameters == {"settings": {}}
    assert crons(server) == ["*/5 * * * *"]


def test_what_people_change_in_the_ui_stays(server: SyncPrefectClient, home: Path) -> None:
    file = "[inbox.inbox]\nsettle = 20"
    deploy(home, file)
    inbox, weekly = map(server.read_deployment_by_name, (INBOX, WEEKLY))
    berlin = {"cron": "*/7 * * * *", "timezone": "Europe/Berlin"}
    as_the_form_does(server, inbox, active=False, schedule=berlin)
    mine = {"settings": {"settle": 5, "max_error": 0.02}}
    update = DeploymentUpdate(parameters=mine, description="Ours", tags=["digitflow", "team"])
    server.update_deployment(inbox.id, update)
    server.pause_deployment(weekly.id)
    server.delete_deployment_schedule(weekly.id, weekly.schedules[0].id)
    server.update_deployment(weekly.id, DeploymentUpdate(concurrency_limit=3))
    expected = [
        "kept train/weekly: paused there",
        "kept train/weekly: schedule: removed there; declared: 0 3 * * 0 (UTC)",
        "kept train/weekly: runs at a time: 3, changed there; declared: 1",
        "kept predict/inbox: schedule */7 * * * * (Europe/Berlin): paused there",
        "kept predict/inbox: settings.settle: 5, changed there; declared: 20.0",
    ]
    kept = deploy(home, file)
    assert set(expected) <= set(lines(kept))
    assert lines(deploy(home, file)) == lines(kept)  # not only the first time
    assert (kept.schedules[WEEKLY], kept.schedules[INBOX]) == ("paused", "no schedule")
    inbox, weekly = map(server.read_deployment_by_name, (INBOX, WEEKLY))
    assert (inbox.parameters, inbox.description) == (mine, "Ours")
    assert set(inbox.tags) == {"digitflow", "team"}
    assert crons(server) == ["*/7 * * * *"]
    assert not inbox.schedules[0].active
    assert (weekly.schedules, weekly.paused) == ([], True)
    assert weekly.global_concurrency_limit
    assert weekly.global_concurrency_limit.limit == 3


def test_where_both_changed_something_the_rest_follows_the_file(
    server: SyncPrefectClient, home: Path
) -> None:
    deploy(home)
    as_the_form_does(
        server,
        server.read_deployment_by_name(INBOX),
        active=True,
        schedule={"cron": "1 1 * * *", "timezone": "UTC"},
    )
    done = deploy(home, '[inbox.inbox]\ncron = "0 4 * * *"\nmax_error = 0.01')
    assert lines(done) == [
        "changed predict/inbox: settings.max_error: nothing -> 0.01",
        "kept predict/inbox: schedule: 1 1 * * * (UTC), changed there; declared: 0 4 * * * (UTC)",
        "changed predict/on-promotion: settings.max_error: nothing -> 0.01",
    ]
    assert crons(server) == ["1 1 * * *"]
    deploy(home, '[inbox.inbox]\ncron = "0 4 * * *"\nmax_error = 0.01', force=True)
    assert crons(server) == ["0 4 * * *"]


def test_schedules_that_people_add_stay_also_by_force(
    server: SyncPrefectClient, home: Path
) -> None:
    deploy(home)
    there = server.read_deployment_by_name(INBOX)
    added = [{"active": True, "schedule": {"cron": "2 2 * * *", "timezone": "UTC"}}]
    server._client.post(f"/deployments/{there.id}/schedules", json=added).raise_for_status()
    done = deploy(home, '[inbox.inbox]\ncron = "0 4 * * *"', force=True)
    assert "kept predict/inbox: schedule 2 2 * * * (UTC): added there" in lines(done)
    assert sorted(crons(server)) == ["0 4 * * *", "2 2 * * *"]


def test_a_deployment_that_somebody_removed_is_made_again_only_by_force(
    server: SyncPrefectClient, home: Path
) -> None:
    deploy(home)
    server.delete_deployment(server.read_deployment_by_name(INBOX).id)
    assert lines(deploy(home)) == ["kept predict/inbox: removed there, and stays so"]
    deploy(home, force=True)
    assert crons(server) == ["*/5 * * * *"]


def test_an_inbox_that_is_declared_no_more_is_named_and_removed_when_asked(
    server: SyncPrefectClient, home: Path
) -> None:
    two = '[inbox.a]\nsource = "/a"\n[inbox.b]\nsource = "/b"'
    deploy(home, two)
    one = '[inbox.a]\nsource = "/a"'
    left = lines(deploy(home, one))
    assert [line.partition(",")[0] for line in sorted(left)] == [
        "left predict/b-on-promotion: declared no more",
        "left predict/b: declared no more",
    ]
    assert len(server.read_deployments()) == 7
    assert sorted(lines(deploy(home, one, prune=True))) == [
        "removed predict/b-on-promotion: declared no more",
        "removed predict/b: declared no more",
    ]
    assert {each.name for each in server.read_deployments()} == {
        *("weekly", "nightly", "held", "a", "a-on-promotion")
    }
    assert lines(deploy(home, one, prune=True)) == []


def test_a_deployment_of_prefects_own_command_is_taken_over(
    server: SyncPrefectClient, home: Path
) -> None:
    deploy(home)
    for variable in server.read_variables():  # as if digitflow had never deployed
        server.delete_variable_by_name(variable.name)
    done = deploy(home, '[inbox.inbox]\ncron = "0 4 * * *"\nmax_error = 0.01')
    assert lines(done) == [
        "changed predict/inbox: settings.max_error: nothing -> 0.01",
        "kept predict/inbox: schedule: */5 * * * * (UTC), was there before digitflow "
        "deployed; declared: 0 4 * * * (UTC)",
        "changed predict/on-promotion: settings.max_error: nothing -> 0.01",
    ]


def test_code_of_another_version_is_replaced_whatever_people_have_changed(
    server: SyncPrefectClient, home: Path
) -> None:
    deploy(home)
    there = server.read_deployment_by_name(INBOX)
    old = {"type": "object", "properties": {}}
    update = DeploymentUpdate(version="0.0.1", entrypoint="old.flow", parameter_openapi_schema=old)
    server.update_deployment(there.id, update)
    assert [line.partition(" -> ")[0] for line in lines(deploy(home))] == [
        "changed predict/inbox: code: 0.0.1"
    ]
    there = server.read_deployment_by_name(INBOX)
    assert there.entrypoint == "flows.orchestration.flows.read_inbox"
    assert "max_error" in str(there.parameter_openapi_schema)


@pytest.mark.parametrize("pool_type", ["process", "docker", "kubernetes"])
def test_the_server_takes_the_job_variables_of_each_type_of_pool(
    pool_type: str, server: SyncPrefectClient, home: Path
) -> None:
    deploy(home, f'[pool]\ntype = "{pool_type}"')
    template = server.read_work_pool("digitflow").base_job_template
    known = template["variables"]["properties"]
    variables = server.read_deployment_by_name(INBOX).job_variables
    assert set(variables) <= set(known)  # others would do nothing, in silence
    if pool_type == "kubernetes":
        pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert container["image"] == "{{ image }}"
        assert [each["name"] for each in container["volumeMounts"]] == [
            each["name"] for each in pod["volumes"]
        ]
    assert lines(deploy(home, f'[pool]\ntype = "{pool_type}"')) == []
    other = "docker" if pool_type == "process" else "process"
    with pytest.raises(InputError, match=f"is there with type {pool_type}"):
        deploy(home, f'[pool]\ntype = "{other}"')


def test_the_command_prints_a_line_for_each_and_json(
    server: SyncPrefectClient,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", str(server.api_url))
    assert run("deploy", "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "predict/inbox: */5 * * * * (UTC)" in printed
    assert "nothing was changed" in printed
    assert "Made automation digitflow: what is not heard of has crashed" in in_a_row(printed)
    assert "Made automation digitflow: read again what is in review" in in_a_row(printed)
    assert server.read_automations() == []
    assert run("deploy", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(server.read_automations()) == 3
    server.delete_automation(server.read_automations()[0].id)
    assert run("deploy") == 0
    assert in_a_row(capsys.readouterr().out).count("removed there, and stays so") == 1
    assert len(server.read_automations()) == 2
    assert facts["schedules"][WEEKLY] == "0 3 * * 0 (UTC)"
    server.pause_deployment(server.read_deployment_by_name(INBOX).id)
    deployed = [each.found for each in examine() if each.name == "deployed"]
    assert deployed == ["predict/inbox: paused there, on the server"]
    home.mkdir(exist_ok=True)
    (home / FILE).write_text("[inbox.a]\nsorce = 1")
    assert run("deploy") == InputError.exit_code
    assert "[inbox.a] sorce" in capsys.readouterr().err
