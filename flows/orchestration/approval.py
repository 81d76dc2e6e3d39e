"""A person approves what a training made: its run is suspended, holding no place and no process."""

from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment, flow_run
from pydantic import Field

from flows.artifacts import link_to
from flows.promote import Answer
from flows.train import Outcome, waiting_outcome
from tasks.errors import DigitflowError
from tasks.reporting.document import as_markdown, percent
from tasks.settings import models_place
from tasks.train_settings import TrainSettings

KEY = "approval"  # of the one suspension of a run
HOUR = 3600  # seconds
REPORT_PAGE = "/artifacts/key/training-report"  # of the UI, where no server of ours shows files


class Approval(RunInput):
    """The form in the Prefect UI."""

    approve: bool = Field(description="Yes: it reads from now on. No: it is kept and refused.")
    reason: str = Field(min_length=1, max_length=500, description="Why, for the history.")
    name: str = Field(min_length=1, max_length=100, description="Who you are, for the history.")


def suspendable_run() -> str | None:
    """Return the id of the flow run around this if it can be suspended: that of a deployment."""
    return str(flow_run.id) if deployment.id else None


def earlier_outcome(this_run: str) -> Outcome | None:
    """Return what this flow run has trained before it was suspended; None: it was not.

    Raises:
        DigitflowError: it was, and what it has trained is not known here.
    """
    if outcome := waiting_outcome(this_run):
        return outcome
    with get_client(sync_client=True) as client:
        policy = client.read_flow_run(UUID(this_run)).empirical_policy
    if KEY in (policy.pause_keys or ()):
        raise DigitflowError(
            f"this run has asked for approval of a version that is not in {models_place()}: let "
            "all workers keep models in one place (DIGITFLOW_MODELS), or promote it where it is"
        )
    return None


def answer_to(outcome: Outcome, settings: TrainSettings) -> Answer:
    """Return what a person says of a version; until then the run is suspended, and this ends it.

    A run that is resumed begins anew, comes here again, and gets the answer.
    """
    form = Approval.with_initial_data(description=_description(outcome, settings))
    seconds = int(settings.approve_within_hours * HOUR)
    said = suspend_flow_run(wait_for_input=form, timeout=seconds, key=KEY)
    return Answer(approve=said.approve, reason=said.reason, by=said.name)


def _description(outcome: Outcome, settings: TrainSettings) -> str:
    file = Path(outcome.report)
    link = (link_to(file) if file.is_file() else "") or REPORT_PAGE
    right = percent(outcome.accuracy)
    return (
        f"The gate accepts **{as_markdown(outcome.version)}**, {right} right on its test part. "
        f"[The report]({link}) has every check. Without an answer within "
        f"{settings.approve_within_hours:g} hours it is refused."
    )
