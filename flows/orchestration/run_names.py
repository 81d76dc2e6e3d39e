"""Names of flow runs: what is done while they run, and what came out once they are done."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.train import Outcome
from tasks.inputs.base import Roots
from tasks.reporting.document import percent
from tasks.results.summary import Summary
from tasks.settings import PredictSettings, TrainSettings, inbox
from tasks.visible import visible


def name_while_it_runs() -> str:
    """Return the name of the flow run around this: what is done to what."""
    settings = flow_run.parameters["settings"]
    if isinstance(settings, TrainSettings):
        return visible(f"train {settings.recipe} on {settings.data}")
    return visible(f"read {_source(settings)}")


def name_of_reading(settings: PredictSettings, summary: Summary) -> str:
    """Return what came of which source."""
    source = "inbox" if settings.source == inbox() else _source(settings)
    return f"{source}: {counts(summary)}"


def name_of_training(outcome: Outcome) -> str:
    """Return how right the network is on the test part, and what became of it."""
    right = "not measured" if outcome.accuracy is None else f"{percent(outcome.accuracy)} right"
    if not outcome.accepted:
        return f"train: {right}, refused"
    return f"train: {right}, accepted, {'serves' if outcome.promoted else 'not promoted'}"


def counts(summary: Summary) -> str:
    """Return what a reading came to, in a few words."""
    if not summary.files:
        return "nothing new"
    read, review, rejected = summary.read, summary.review, summary.rejected
    return f"{read:,} read, {review:,} for review, {rejected:,} rejected"


def rename_run(name: str) -> None:
    """Give the flow run around this another name, which the list of runs shows."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(UUID(flow_run.id), visible(name))


def _source(settings: PredictSettings) -> Roots:
    sources = settings.source if isinstance(settings.source, list) else [settings.source]
    return Roots(tuple(sources))
