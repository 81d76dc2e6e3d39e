"""The events that a Prefect server is told: their names, what they are about, what they hold."""

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from flows.status.facts import batch_of
from flows.status.words import by_reason, source_name
from tasks.holding.batches import Entry as BatchEntry
from tasks.monitoring.audit_findings import AuditFinding
from tasks.reporting.audit_words import estimate, meaning
from tasks.results.summary import Summary, in_words
from tasks.storage.journal import Entry
from tasks.visible import visible

MODEL_EVENTS = {  # by what the history of the models calls it
    "promote": "digitflow.model.promoted",
    "refuse": "digitflow.model.refused",
    "rollback": "digitflow.model.rolled-back",
}
BATCH_COMPLETED = "digitflow.batch.completed"
BATCH_HELD = "digitflow.batch.held"  # in its place
BATCH_DECIDED = {"released": "digitflow.batch.released", "dropped": "digitflow.batch.dropped"}
ERROR_ABOVE_PROMISE = "digitflow.audit.error-above-promise"
# resources, before version, run id, or the id of the event
MODEL, BATCH, AUDIT = "digitflow.model.", "digitflow.batch.", "digitflow.audit."
REJECTED_PERCENT = "digitflow.rejected-percent"  # label: 0 to 100, which automations compare
MESSAGE, LINK = "message", "link"  # of each payload: what happened, and where to look

DONE = {"promote": "serves now", "rollback": "serves again", "refuse": "was refused"}


@dataclass(frozen=True)
class Event:
    """What happened to what; texts may come from file names, and are fit to be shown."""

    identity: str  # a UUID: the same event told twice is one
    name: str
    resource: dict[str, str]
    payload: dict[str, Any]


def batch_event(summary: Summary) -> Event:
    """Return the event of a run that has read something, or whose batch is held."""
    batch = batch_of(summary)
    counts = in_words(batch.read, batch.review, batch.rejected)
    if summary.held:
        counts = f"held for {'; '.join(each.sentence for each in summary.held)} ({counts})"
    why = f" ({by_reason(batch.rejects)})" if batch.rejects else ""
    source = visible(source_name(batch.source))
    share = summary.rejected / summary.found if summary.found else 0.0
    return Event(
        identity=str(uuid4()),
        name=BATCH_HELD if summary.held else BATCH_COMPLETED,
        resource={
            "prefect.resource.id": f"{BATCH}{batch.run_id}",
            "prefect.resource.name": visible(f"{source}: {counts}"),
            "digitflow.source": visible(batch.source),
            REJECTED_PERCENT: str(int(100 * share)),
        },
        payload={
            MESSAGE: visible(f"{source}: {counts}{why}"),
            "run_id": batch.run_id,
            "held": [each.to_dict() for each in summary.held],
            "source": visible(batch.source),
            "model": batch.model,
            "files": summary.files,
            "found": summary.found,
            "read": batch.read,
            "review": batch.review,
            "rejected": batch.rejected,
            "rejects": batch.rejects,
            "rejected_share": round(share, 4),
        },
    )


def decision_event(entry: BatchEntry) -> Event:
    """Return the event of a batch that a person has released or dropped."""
    batch, action = entry.batch, entry.action.value
    source = visible(source_name(batch.source))
    said = f"{source}: {batch.pictures:,} pictures {action} by {entry.by}: {entry.reason}"
    return Event(
        identity=str(uuid5(NAMESPACE_URL, f"digitflow:{action}/{batch.run_id}")),
        name=BATCH_DECIDED[action],
        resource={
            "prefect.resource.id": f"{BATCH}{batch.run_id}",
            "prefect.resource.name": visible(said),
            "digitflow.source": visible(batch.source),
        },
        payload={
            MESSAGE: visible(said),
            "run_id": batch.run_id,
            "source": visible(batch.source),
            "by": visible(entry.by),
            "reason": visible(entry.reason),
            "pictures": batch.pictures,
        },
    )


def model_event(entry: Entry) -> Event | None:
    """Return the event of an entry in the history of the models; not every entry is one."""
    action = entry["action"]
    if action not in MODEL_EVENTS:
        return None
    version, replaced = entry["version"], entry.get("replaced")
    instead = f", in place of {replaced}" if replaced else ""
    against = ", against the gate" if entry.get("override") else ""
    evidence = entry.get("evidence") or {}
    reason = entry["reason"].removeprefix("refused: ")
    return Event(
        identity=str(uuid5(NAMESPACE_URL, f"digitflow:{sorted(entry.items())!r}")),
        name=MODEL_EVENTS[action],
        resource={"prefect.resource.id": f"{MODEL}{version}", "prefect.resource.name": version},
        payload={
            MESSAGE: visible(f"{version} {DONE[action]}{instead}{against}: {reason}"),
            "version": version,
            "by": visible(entry["actor"]),
            "at": entry["time"],
            "reason": visible(entry["reason"]),
            "replaced": replaced,
            "override": bool(entry.get("override")),
            "failed": evidence.get("failed", []),  # checks of the gate
        },
    )


def audit_event(finding: AuditFinding) -> Event:
    """Return the event of a month in which more was wrong than was accepted: one for each."""
    source = visible(source_name(finding.source))
    about = (finding.model, finding.source, finding.month)
    identity = str(uuid5(NAMESPACE_URL, f"digitflow:{ERROR_ABOVE_PROMISE}:{about!r}"))
    return Event(
        identity=identity,
        name=ERROR_ABOVE_PROMISE,
        resource={
            "prefect.resource.id": f"{AUDIT}{identity}",
            "prefect.resource.name": f"{source}, {finding.month}",
            "digitflow.source": visible(finding.source),
        },
        payload={
            MESSAGE: f"{source} in {finding.month}, read by {finding.model}: {estimate(finding)}, "
            f"{meaning(finding)}",
            **finding.to_dict(),
            "source": visible(finding.source),
        },
    )
