"""Automations that tell somebody what went wrong, and that read again after a promotion.

What is told goes through a notification block of the server: the one named `digitflow` that its
users have filled in, or one made of `[notify]`. Without any, nobody is told of anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from prefect.blocks.notifications import SlackWebhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.events.actions import RunDeployment, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.alerting.automations import UNHEARD, Done, apply_automations, of_runs
from flows.deploying.remembered import TAG
from flows.status.events import (
    AUDIT,
    BATCH,
    BATCH_COMPLETED,
    BATCH_HELD,
    ERROR_ABOVE_PROMISE,
    LINK,
    MESSAGE,
    MODEL,
    MODEL_EVENTS,
    REJECTED_PERCENT,
)
from tasks.settings.base import Alert, NotifySettings

BLOCK = "digitflow"  # name of the notification block
ON_PROMOTION = "on-promotion"  # second tag of deployments that run after a promotion
ALERT = "digitflow: tell of "  # what the names of alerts begin with
OURS = "digitflow: "  # and those of all automations of ours

NOT_YET = UUID(int=0)  # of what a dry run does not make

SILENCE = timedelta(hours=1)  # after an alert of a deployment, until the next of its kind
STARTS_WITHIN = timedelta(minutes=10)  # after Prefect has found a run to be late, by 15 s
ENDS_WITHIN = timedelta(hours=6)

_TAGGED = {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
_OF_A_DEPLOYMENT = {"prefect.resource.id": "prefect.deployment.*"}
_EACH_DEPLOYMENT = {"related:deployment:prefect.resource.id"}
_DEPLOYMENT = "{{ flow.name }}/{{ deployment.name }}"
_RUN = "{{ flow_run.name }}"
_LINK = "{{ flow_run|ui_url or '' }}"  # nothing where the server does not know its address
_OF_OURS = f"{{{{ event.payload.{MESSAGE} }}}}\n{{{{ event.payload.{LINK} }}}}"


@dataclass(frozen=True)
class Rule:
    """When somebody is told, and what."""

    trigger: EventTrigger
    subject: str
    body: str


def rules(settings: NotifySettings) -> dict[Alert, Rule]:
    """Return every alert that there can be."""
    return {
        "failed": Rule(
            _of_runs(
                expect={"prefect.flow-run.*"},
                match={"prefect.state-type": ["FAILED", "CRASHED"]},
                within=SILENCE,
            ),
            f"digitflow: {_DEPLOYMENT} failed",
            f"{_RUN}\n{{{{ event.resource['prefect.state-name'] }}}}: "
            f"{{{{ event.resource['prefect.state-message'] }}}}\n{_LINK}",
        ),
        "late": Rule(
            _of_runs(
                after={"prefect.flow-run.Late"},
                expect={"prefect.flow-run.Running", "prefect.flow-run.Cancelled"},
                posture=Posture.Proactive,
                within=STARTS_WITHIN,
            ),
            f"digitflow: {_DEPLOYMENT} does not start",
            f"{_RUN} was due at {{{{ flow_run.expected_start_time }}}}: is there a worker?"
            f"\n{_LINK}",
        ),
        "stuck": Rule(
            _of_runs(
                after={"prefect.flow-run.Running"},
                expect=_ENDS,
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                within=ENDS_WITHIN,
            ),
            f"digitflow: {_DEPLOYMENT} does not end",
            f"{_RUN} runs since {{{{ flow_run.start_time }}}}.\n{_LINK}",
        ),
        "approval": Rule(
            _of_runs(
                expect={"prefect.flow-run.Suspended"},
                for_each={"prefect.resource.id"},
                within=timedelta(0),
            ),
            "digitflow: a model waits for approval",
            f"{_RUN}\n{_LINK}",
        ),
        "rejects": Rule(
            _of_runs(
                expect={BATCH_COMPLETED},
                match={
                    "prefect.resource.id": f"{BATCH}*",
                    REJECTED_PERCENT: _percents(settings.max_rejected),
                },
                within=SILENCE,
            ),
            "digitflow: {{ event.payload.rejected }} of {{ event.payload.found }} rejected",
            _OF_OURS,
        ),
        "audit": Rule(
            _of_ours(AUDIT, ERROR_ABOVE_PROMISE),
            "digitflow: more errors than are accepted",
            _OF_OURS,
        ),
        "held": Rule(
            _of_runs(
                expect={BATCH_HELD},
                match={"prefect.resource.id": f"{BATCH}*"},
                within=SILENCE,
            ),
            "digitflow: a batch of {{ event.payload.found }} pictures is held",
            f"{_OF_OURS}\ndigitflow held release|drop {{{{ event.payload.run_id }}}} --reason ...",
        ),
        "refused": _of_models("refuse", "digitflow: a model was refused"),
        "promoted": _of_models("promote", "digitflow: another model serves"),
        "rolled-back": _of_models("rollback", "digitflow: an earlier model serves again"),
    }


# states of ours that end a run have names of their own; what waits for a person is not stuck
_ENDS = {
    f"prefect.flow-run.{name}"
    for name in (
        *("Completed", "Accepted", "Refused", "Nothing new", "Held", "Released", "Dropped"),
        *("Failed", "TimedOut", "Crashed", "Cancelled", "Suspended"),
    )
}


def _of_runs(
    *, match: Mapping[str, Any] | None = None, for_each: set[str] | None = None, **facts: Any
) -> EventTrigger:
    """Return a trigger on runs of our deployments; those of commands are before somebody's eyes."""
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*", **(match or {})}),
        match_related=[ResourceSpecification(each) for each in (_TAGGED, _OF_A_DEPLOYMENT)],
        for_each=for_each or _EACH_DEPLOYMENT,
        **{"posture": Posture.Reactive, "threshold": 1, **facts},
    )


def _of_models(action: str, subject: str) -> Rule:
    return Rule(_of_ours(MODEL, MODEL_EVENTS[action]), subject, _OF_OURS)


def _of_ours(resources: str, event: str) -> EventTrigger:
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": f"{resources}*"}),
        expect={event},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _percents(share: float) -> list[str]:
    """Return the whole percents from a share on: a trigger compares labels as texts alone."""
    return [str(percent) for percent in range(int(100 * share), 101)]


def apply_alerts(
    settings: NotifySettings,
    *,
    begin_within: timedelta = UNHEARD,
    coming: Sequence[str] = (),
    force: bool = False,
    dry_run: bool = False,
) -> dict[str, Done]:
    """Bring all automations of ours on the server of Prefect's settings to what is declared.

    Args:
        settings: who is told of what.
        begin_within: how long after a worker has taken it a run may need until it runs.
        coming: names of deployments that would run after a promotion, and are not there yet.
        force: make again what somebody has removed.
        dry_run: change nothing.

    Returns:
        By name, what was done, or would be.
    """
    with get_client(sync_client=True) as client:
        declared = [*of_runs(begin_within), *_on_promotion(client, coming)]
        if block := _block(client, settings, dry_run=dry_run):
            every = rules(settings)
            declared += [_alert(kind, every[kind], block) for kind in settings.on]
        done = apply_automations(declared, force=force, dry_run=dry_run)
        for each in client.read_automations():
            if each.name.startswith(OURS) and TAG in each.tags and each.name not in done:
                if not dry_run:
                    client.delete_automation(each.id)
                done[each.name] = "deleted"
        return done


def _alert(kind: Alert, rule: Rule, block: UUID) -> AutomationCore:
    send = SendNotification(block_document_id=block, subject=rule.subject, body=rule.body)
    return AutomationCore(
        name=f"{ALERT}{kind}",
        description="Who is told is said by the block `digitflow`, or by [notify].",
        tags=[TAG],
        trigger=rule.trigger,
        actions=[send],
    )


def _on_promotion(client: SyncPrefectClient, coming: Sequence[str]) -> Iterator[AutomationCore]:
    tags = DeploymentFilterTags(all_=[TAG, ON_PROMOTION])
    there = client.read_deployments(deployment_filter=DeploymentFilter(tags=tags))
    starts = sorted([(each.name, each.id) for each in there] + [(each, NOT_YET) for each in coming])
    if starts:
        yield AutomationCore(
            name=f"{OURS}read again what is in review, after a promotion",
            description="Another model may be surer of it.",
            tags=[TAG],
            trigger=_of_models("promote", "").trigger,
            actions=[
                RunDeployment(source="selected", deployment_id=identity, parameters=None)
                for _, identity in starts
            ],
        )


def _block(client: SyncPrefectClient, settings: NotifySettings, *, dry_run: bool) -> UUID | None:
    """Return the block that notifications go through, made of the URL if one is given."""
    if settings.url and dry_run:
        return notification_block(client) or NOT_YET
    if settings.url:
        # of all types that come with every server, this one takes whatever Apprise knows
        return cast(UUID, SlackWebhook(url=settings.url).save(BLOCK, overwrite=True))
    return notification_block(client)


def notification_block(client: SyncPrefectClient) -> UUID | None:
    """Return the notification block named `digitflow` of a server, whatever its type."""
    wanted = {
        "block_documents": {"name": {"any_": [BLOCK]}},
        "block_schemas": {"block_capabilities": {"all_": ["notify"]}},
        "include_secrets": False,
    }
    answer = client.request("POST", "/block_documents/filter", json=wanted)
    named: Sequence[dict[str, Any]] = [each for each in answer.json() if each["name"] == BLOCK]
    return UUID(named[0]["id"]) if named else None


def told_of(client: SyncPrefectClient) -> list[str]:
    """Return of what somebody is told by the server of a client, as its alerts stand there."""
    if notification_block(client) is None:
        return []
    alerts = [each for each in client.read_automations() if each.name.startswith(ALERT)]
    return sorted(each.name.removeprefix(ALERT) for each in alerts if each.enabled)
