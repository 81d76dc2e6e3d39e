"""The automations of digitflow, and how they get onto a Prefect server."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.deploying.remembered import TAG, remember

REMEMBERED = "digitflow_automations"  # variable of the server: names of what was applied last
UNHEARD = timedelta(seconds=90)  # three heartbeats
NOT_BEGUN = timedelta(minutes=10)  # of a container, whose image may have to be fetched

Done = Literal["created", "updated", "kept", "left removed", "deleted"]

# what an event of a run of ours is related to
_OURS = ResourceSpecification(
    {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
)


def of_runs(begin_within: timedelta = UNHEARD) -> list[AutomationCore]:
    """Return the automations that end runs which are dead.

    Args:
        begin_within: how long after a worker has taken it a run may need until it runs.
    """
    return [
        _crashed(
            "what is not heard of has crashed",
            "A run whose process was killed, or whose machine was lost, says nothing of it. Its "
            "place is given back, so that the next run can start.",
            after={"prefect.flow-run.heartbeat"},  # a run that is set to send none is left alone
            within=UNHEARD,
            message=f"Nothing was heard of this run for {UNHEARD.seconds} s: its process was "
            "killed, or its machine was lost.",
        ),
        _crashed(
            "what does not begin has crashed",
            "A run whose worker was killed before it ran says nothing of it. Its place is given "
            "back, so that the next run can start.",
            after={"prefect.flow-run.Pending", "prefect.flow-run.Submitting"},
            within=begin_within,
            message=f"A worker took this run, and it did not begin within "
            f"{begin_within.seconds} s: the worker was killed, or its machine was lost.",
        ),
    ]


def begin_within(pool_type: str) -> timedelta:
    """Return how long runs of a pool may need until they run."""
    return UNHEARD if pool_type == "process" else NOT_BEGUN


def _crashed(
    name: str, description: str, *, after: set[str], within: timedelta, message: str
) -> AutomationCore:
    # Any event of a run is a sign of life, not only those of Prefect's own names: a training that
    # was refused has completed as Refused. And a run whose last event was missed is left as it has
    # ended: unless it is forced to, Prefect makes no run crashed that is over.
    return AutomationCore(
        name=f"digitflow: {name}",
        description=description,
        tags=[TAG],
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=_OURS,
            after=after,
            expect={"prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=message)],
    )


def apply_automations(
    declared: Iterable[AutomationCore], *, force: bool = False, dry_run: bool = False
) -> dict[str, Done]:
    """Put automations on the server of Prefect's settings, as often as you like.

    One of that name is brought to what is declared; whether it is paused is left to the people of
    the server, and so are all others. One that was applied before and that somebody has removed
    stays so.

    Args:
        declared: all that are to be there; of others it is forgotten that they were applied.
        force: make again what somebody has removed.
        dry_run: change nothing.

    Returns:
        By name, what was done, or would be.
    """
    wanted = list(declared)
    names = sorted(automation.name for automation in wanted)
    with get_client(sync_client=True) as client:
        variable = client.read_variable_by_name(REMEMBERED)
        remembered: Any = variable.value if variable else []
        done = {
            each.name: _applied(
                client, each, may_make=force or each.name not in remembered, dry_run=dry_run
            )
            for each in wanted
        }
        if not dry_run and names != remembered:
            remember(client, REMEMBERED, names)
        return done


def _applied(
    client: SyncPrefectClient, declared: AutomationCore, *, may_make: bool, dry_run: bool
) -> Done:
    there = client.read_automations_by_name(declared.name)
    if not there and not may_make:
        return "left removed"
    differing = [each for each in there if _facts(each) != _facts(declared)]
    if not dry_run:
        for each in differing:
            kept_paused = declared.model_copy(update={"enabled": each.enabled})
            client.update_automation(each.id, kept_paused)
        if not there:
            client.create_automation(declared)
    return "created" if not there else "updated" if differing else "kept"


def _facts(automation: AutomationCore) -> dict[str, Any]:
    """Return what is declared of an automation: all but whether it is paused."""
    return automation.model_dump(include=set(AutomationCore.model_fields) - {"enabled"})
