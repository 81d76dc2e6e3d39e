"""Names of flow runs: what is done while they run, and what came out once they are done."""

from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.patience import patiently
from tasks.inputs.base import Roots
from tasks.settings.base import MaintainSettings, inbox
from tasks.settings.reading import DecisionSettings, PredictSettings
from tasks.settings.training import TrainSettings
from tasks.visible import visible

if TYPE_CHECKING:  # a run that finds nothing new loads none of them
    from flows.orchestration.inbox import Tick
    from flows.train import Outcome
    from tasks.results.summary import Summary


def name_while_it_runs() -> str:
    """Return the name of the flow run around this: what is done to what."""
    settings = flow_run.parameters["settings"]
    if isinstance(settings, TrainSettings):
        return visible(f"train {settings.recipe} on {settings.data}")
    if isinstance(settings, MaintainSettings):
        return "maintain"
    if isinstance(settings, DecisionSettings):
        return visible(f"{settings.decision} {settings.run_id}")
    return visible(f"read {_source(settings)}")


def name_of_reading(settings: PredictSettings, summary: "Summary") -> str:
    """Return what came of which source."""
    return f"{_inbox(settings)}: {counts(summary)}"


def name_of_tick(settings: PredictSettings, done: "Tick") -> str:
    """Return what came of a look at an inbox."""
    if done.summary:
        return name_of_reading(settings, done.summary)
    return f"{_inbox(settings)}: {done.sentence()}"


def name_of_training(outcome: "Outcome") -> str:
    """Return how right the network is on the test part, and what became of it."""
    from tasks.reporting.document import percent

    right = "not measured" if outcome.accuracy is None else f"{percent(outcome.accuracy)} right"
    if not outcome.accepted:
        return f"train: {right}, refused"
    if outcome.waiting:
        return f"train: {right}, accepted, waits for approval"
    return f"train: {right}, accepted, {'serves' if outcome.promoted else 'not promoted'}"


def counts(summary: "Summary") -> str:
    """Return what a reading came to, in a few words."""
    if not summary.files and not summary.held:
        return "nothing new"
    from tasks.results.summary import in_words

    said = in_words(summary.read, summary.review, summary.rejected)
    reasons = ", ".join(dict.fromkeys(each.reason for each in summary.held))
    return f"held ({reasons}): {said}" if reasons else said


def rename_run(name: str) -> None:
    """Give the flow run around this another name, which the list of runs shows."""
    with get_client(sync_client=True) as client:
        patiently(lambda: client.set_flow_run_name(UUID(flow_run.id), visible(name)))


def _inbox(settings: PredictSettings) -> str:
    return "inbox" if settings.source == inbox() else str(_source(settings))


def _source(settings: PredictSettings) -> Roots:
    sources = settings.source if isinstance(settings.source, list) else [settings.source]
    return Roots(tuple(sources))
