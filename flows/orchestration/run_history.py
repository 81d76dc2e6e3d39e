"""Old runs of digitflow's flows on the Prefect server, with their logs and artifacts, away.

By the server's API, a few at a time: whoever else uses the server waits for one of them at most.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from flows.deploying.remembered import TAG
from flows.maintenance.tidied import Tidied
from tasks.settings.base import MaintainSettings
from tasks.task import task

PART = "server runs"
FLOWS = ("train", "predict", "maintain")
BATCH = 50  # runs, or artifacts, that are asked for at once
MOST = 5_000  # runs of each flow that one maintenance deletes; the next one goes on


@task(name="tidy the runs on the Prefect server")
def tidy_server(settings: MaintainSettings) -> Tidied:
    """Delete runs that ended and are old, except for the newest of each flow."""
    done, before = Tidied(PART), datetime.now(UTC) - timedelta(days=settings.keep_days)
    with get_client(sync_client=True) as client:
        for flow in FLOWS:
            newest = {run.id for run in _runs(client, flow, None, settings.keep_runs)}
            old = _old_runs(client, flow, before)
            for run in old[:MOST]:
                if run.id in newest:
                    done.keep(f"{flow}, among the {settings.keep_runs} newest")
                    continue
                if not settings.dry_run:
                    _delete(client, run.id)
                done.remove(run.name)
            if len(old) > MOST:
                done.notes.append(f"more than {MOST:,} of {flow}: the next time goes on")
    if done.removed:
        done.notes.append("the database uses their room for later runs; its file stays as large")
    return done


def _old_runs(client: SyncPrefectClient, flow: str, before: datetime) -> list[FlowRun]:
    """Return the runs that were due before a time, the oldest first; not many more than MOST."""
    runs = list[FlowRun]()
    while len(runs) <= MOST and (batch := _runs(client, flow, before, BATCH, len(runs))):
        runs += batch
    return runs


def _runs(
    client: SyncPrefectClient, flow: str, before: datetime | None, limit: int, offset: int = 0
) -> list[FlowRun]:
    """Return runs that ended: the oldest that were due before a time, or the newest of all."""
    if not limit:
        return []
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
            expected_start_time=before and FlowRunFilterExpectedStartTime(before_=before),
            tags=FlowRunFilterTags(all_=[TAG]),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC
        if before
        else FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=limit,
        offset=offset,
    )


def _delete(client: SyncPrefectClient, run: UUID) -> None:
    """Delete a run with its artifacts; the server deletes its log, its tasks and its states."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    while artifacts := client.read_artifacts(artifact_filter=of_run, limit=BATCH):
        for artifact in artifacts:
            with suppress(ObjectNotFound):  # somebody else was faster
                client.delete_artifact(artifact.id)
    with suppress(ObjectNotFound):
        client.delete_flow_run(run)
