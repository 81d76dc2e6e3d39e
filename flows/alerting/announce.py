"""What a Prefect server is told: the page `status`, and events of models and of batches.

All of it is beside the work, which goes on where the server takes none of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactCollectionFilter,
    ArtifactCollectionFilterKey,
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL
from prefect.utilities.urls import url_for

from flows.alerting.alerts import ON_PROMOTION, apply_alerts, told_of
from flows.alerting.automations import Done, begin_within
from flows.deploying.declared import Declaration
from flows.deploying.deploy import Kind, Note
from flows.deploying.remembered import TAG
from flows.deploying.settings_file import notify_settings, read_settings_file
from flows.patience import patiently
from flows.server.server_process import without_login
from flows.status.address import STATUS_KEY, STATUS_PAGE
from flows.status.audits import alarms, keep_told, told_alarms
from flows.status.events import LINK, Event, audit_event, batch_event, decision_event, model_event
from flows.status.facts import Scheduled, Server, facts
from flows.status.words import NEXT, lead, page
from tasks.errors import error_text
from tasks.holding.batches import Entry as BatchEntry
from tasks.progress import ProgressLog
from tasks.registry.catalog import registry
from tasks.results.summary import Summary
from tasks.settings.base import home, results_table
from tasks.storage.journal import Entry
from tasks.visible import visible

ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]


def announce_batch(summary: Summary, log: ProgressLog) -> None:
    """Tell the server what a run has read; one that found nothing new is no event."""
    if summary.files or summary.held:
        with beside_the_work(log), get_client(sync_client=True) as client:
            _emit(client, batch_event(summary))
    announce_audits(log)
    with beside_the_work(log), get_client(sync_client=True) as client:
        renew_status(client)


def announce_audits(log: ProgressLog) -> None:
    """Tell the server, once, of each month in which more was wrong than was accepted."""
    with beside_the_work(log):
        told = told_alarms(home())
        events = [audit_event(each) for each in alarms(results_table(), home() / "runs")]
        for event in events:
            if event.identity not in told:
                with get_client(sync_client=True) as client:
                    _emit(client, event)
                told.add(event.identity)
                keep_told(home(), told)


def announce_decision(entry: BatchEntry, log: ProgressLog) -> None:
    """Tell the server that a person has released or dropped a batch, and what is held by then."""
    with beside_the_work(log), get_client(sync_client=True) as client:
        _emit(client, decision_event(entry))
    with beside_the_work(log), get_client(sync_client=True) as client:
        renew_status(client)


def announce_models(entries: Iterable[Entry], log: ProgressLog) -> None:
    """Tell the server what was done to models, and what serves by it.

    Args:
        entries: of their history, as they were appended.
        log: is told where the server does not take it.
    """
    with beside_the_work(log), get_client(sync_client=True) as client:
        for event in filter(None, map(model_event, entries)):
            _emit(client, event)
    with beside_the_work(log), get_client(sync_client=True) as client:
        renew_status(client)


def announce_training(version: str, log: ProgressLog) -> None:
    """Tell the server what became of the version that a run has trained."""
    entries: list[Entry] = []
    with beside_the_work(log):
        entries = [entry for entry in registry().history() if entry["version"] == version]
    announce_models(entries, log)


@contextmanager
def beside_the_work(log: ProgressLog) -> Iterator[None]:
    """Say what goes wrong in the block, and go on."""
    try:
        yield
    except Exception as error:  # whatever it is, the work is done
        log.log("Status", f"the Prefect server was not told: {error_text(error)}")


def renew_status(client: SyncPrefectClient) -> None:
    """Bring the page up to date: a new one where something has happened, else the same one."""
    found = facts(server_facts(client))
    text = page(found)
    wanted = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[STATUS_KEY]))
    latest = client.read_latest_artifacts(artifact_filter=wanted, limit=1)
    # by requests: of what its methods make, Prefect tells its own event, for which a command waits
    if latest and _lasting(str(latest[0].data)) == _lasting(text):
        at = {"id": latest[0].latest_id}
        client.request("PATCH", "/artifacts/{id}", path_params=at, json={"data": text})
        return
    run = _flow_run()
    made = {
        "key": STATUS_KEY,
        "type": "markdown",
        "description": lead(found),
        "data": text,
        "flow_run_id": str(run.id) if run else None,
    }
    client.request("POST", "/artifacts/", json=made)


def _lasting(text: str) -> str:
    """Return what of the page stays true until something happens."""
    return text.partition(f"\n## {NEXT}\n")[0]


def server_facts(client: SyncPrefectClient) -> Server:
    """Return what the server of a client knows."""
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    deployments = client.read_deployments(deployment_filter=ours)
    scheduled = [_scheduled(client, deployment) for deployment in deployments]
    return Server(
        url=server_url(),
        scheduled=sorted(scheduled, key=lambda one: (one.next or "~", one.deployment)),
        alerts=told_of(client),
    )


def server_url() -> str:
    """Return the address of the UI of the server in use."""
    return without_login(PREFECT_UI_URL.value() or PREFECT_API_URL.value() or "")


def _scheduled(client: SyncPrefectClient, deployment: Any) -> Scheduled:
    def run(states: list[StateType], sort: FlowRunSort) -> FlowRun | None:
        wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)))
        one = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
        found = client.read_flow_runs(
            flow_run_filter=wanted, deployment_filter=one, sort=sort, limit=1
        )
        return found[0] if found else None

    coming = run([StateType.SCHEDULED], FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC)
    last = run(ENDED, FlowRunSort.END_TIME_DESC)
    flow = client.read_flow(deployment.flow_id)
    at = coming.expected_start_time if coming else None
    state = last.state if last else None
    return Scheduled(
        deployment=f"{flow.name}/{deployment.name}",
        next=at.isoformat(timespec="seconds") if at and not deployment.paused else None,
        paused=deployment.paused,
        ended=last.end_time.isoformat(timespec="seconds") if last and last.end_time else None,
        state=state.name if state else None,
        message=visible(state.message) if state and state.message else None,
    )


def _related(run: FlowRun) -> list[dict[str, str]]:
    """Return what an event of a run belongs to, in Prefect's words, so that its pages show it."""
    belongs = {"flow-run": run.id, "flow": run.flow_id, "deployment": run.deployment_id}
    named = {"flow-run": run.name}
    return [
        {
            "prefect.resource.id": f"prefect.{kind}.{identity}",
            "prefect.resource.role": kind,
            **({"prefect.resource.name": named[kind]} if kind in named else {}),
        }
        for kind, identity in belongs.items()
        if identity
    ] + [
        {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}
        for tag in sorted(run.tags)
    ]


def _flow_run() -> FlowRun | None:
    context = FlowRunContext.get()
    return context.flow_run if context else None


def _emit(client: SyncPrefectClient, event: Event) -> None:
    """Send an event at once: what Prefect's own sender has not sent by its end is lost."""
    run = _flow_run()
    page_of = url_for("flow-run", run.id) if run else f"{server_url()}{STATUS_PAGE}"
    told = {
        "id": event.identity,
        "occurred": datetime.now(UTC).isoformat(),
        "event": event.name,
        "resource": event.resource,
        "related": _related(run) if run else [],
        "payload": {**event.payload, LINK: page_of},
    }
    ask: Callable[[], object] = lambda: client.request("POST", "/events", json=[told])  # noqa: E731
    if run:
        patiently(ask)
    else:  # a command, which is not to be slower
        ask()


_NOTES: dict[Done, tuple[Kind, str]] = {
    "created": ("made", ""),
    "updated": ("changed", "as it is declared"),
    "kept": ("as declared", ""),
    "left removed": ("kept", "removed there, and stays so"),
    "deleted": ("removed", "declared no more"),
}


def automations(
    declared: Declaration, deployed: Sequence[Note], *, force: bool, dry_run: bool
) -> list[Note]:
    """Bring automations and page up to date after deployments, and return a line for each.

    Args:
        declared: what was deployed.
        deployed: what was done by that, or would be.
        force: make again what somebody has removed.
        dry_run: change nothing.

    Raises:
        InputError: who is to be told is wrong, in the settings file or in a variable.
    """
    made = {note.what.partition("/")[2] for note in deployed if note.kind == "made"}
    again = [each.name for each in declared.deployments if ON_PROMOTION in each.facts["tags"]]
    coming = sorted(made.intersection(again)) if dry_run else []
    told = notify_settings(read_settings_file())
    done = apply_alerts(
        told,
        begin_within=begin_within(declared.pool.type),
        coming=coming,
        force=force,
        dry_run=dry_run,
    )
    if not dry_run:
        with get_client(sync_client=True) as client:
            renew_status(client)
    return [Note(f"automation {name}", *_NOTES[what]) for name, what in done.items()]
