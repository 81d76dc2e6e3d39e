"""Automations on a real server: applied once and again, beside those of others."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import AutomationCore
from prefect.testing.utilities import prefect_test_harness

from flows.alerting.automations import (
    REMEMBERED,
    apply_automations,
    of_runs,
)
from flows.terminal.console import quietly

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server() -> Iterator[SyncPrefectClient]:
    harness = prefect_test_harness(server_startup_timeout=120)
    with harness, quietly(), get_client(sync_client=True) as client:
        yield client


@pytest.fixture(autouse=True)
def no_automations(server: SyncPrefectClient) -> Iterator[None]:
    yield
    for automation in server.read_automations():
        server.delete_automation(automation.id)
    server.delete_variable_by_name(REMEMBERED)


def declared(name: str, within: int) -> AutomationCore:
    usual = of_runs()[0]
    trigger = usual.trigger.model_copy(update={"within": timedelta(seconds=within)})
    return usual.model_copy(update={"name": name, "trigger": trigger})


def test_applied_twice_each_is_there_once(server: SyncPrefectClient) -> None:
    assert set(apply_automations(of_runs()).values()) == {"created"}
    assert set(apply_automations(of_runs()).values()) == {"kept"}
    there = server.read_automations()
    assert sorted(each.name for each in there) == sorted(each.name for each in of_runs())
    assert all(each.enabled for each in there)


def test_what_changed_is_updated_and_stays_paused(server: SyncPrefectClient) -> None:
    apply_automations([declared("ours", 90), declared("running", 90)])
    server.pause_automation(server.read_automations_by_name("ours")[0].id)
    assert apply_automations([declared("ours", 60)]) == {"ours": "updated"}
    ours, running = server.read_automations()
    assert (ours.trigger.within, ours.enabled) == (timedelta(seconds=60), False)
    assert (running.trigger.within, running.enabled) == (timedelta(seconds=90), True)
    assert apply_automations([declared("ours", 60)]) == {"ours": "kept"}


def test_what_somebody_has_removed_stays_so_unless_forced_or_declared_anew(
    server: SyncPrefectClient,
) -> None:
    both = [declared("ours", 90), declared("running", 90)]
    apply_automations(both)
    server.delete_automation(server.read_automations_by_name("ours")[0].id)
    for dry_run in (True, False, False):
        done = apply_automations(both, dry_run=dry_run)
        assert done == {"ours": "left removed", "running": "kept"}
    assert server.read_automations_by_name("ours") == []
    assert apply_automations(both, force=True)["ours"] == "created"
    apply_automations([both[1]])
    server.delete_automation(server.read_automations_by_name("ours")[0].id)
    assert apply_automations(both)["ours"] == "created"


def test_a_dry_run_says_the_same_and_changes_nothing(server: SyncPrefectClient) -> None:
    assert apply_automations([declared("ours", 90)], dry_run=True) == {"ours": "created"}
    assert server.read_automations() == []
    assert apply_automations([declared("ours", 90)]) == {"ours": "created"}
    assert apply_automations([declared("ours", 60)], dry_run=True) == {"ours": "updated"}
    assert server.read_automations()[0].trigger.within == timedelta(seconds=90)


def test_what_others_have_made_is_left_alone(server: SyncPrefectClient) -> None:
    theirs = declared("theirs", 60).model_copy(update={"actions": [DoNothing()]})
    made = server.create_automation(theirs)
    apply_automations(of_runs())
    assert server.read_automation(made).model_dump() == theirs.model_dump() | {"id": made}
