"""A person approves what a training made: its run is suspended, holding no place and no process."""

import atexit
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from prefect.client.orchestration import get_client
from prefect.exceptions import Pause
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment, flow_run
from pydantic import Field, ValidationError

from flows.artifacts import link_to
from flows.promote import Answer
from flows.train import Outcome, waiting_outcome
from tasks.errors import DigitflowError
from tasks.reporting.document import as_markdown, percent
from tasks.settings.base import models_place
from tasks.settings.training import TrainSettings

KEY = "approval"  # of the one suspension of a run
HOUR = 3600  # seconds
LAST_WORDS_S = 1.0  # until what the run has sent before has arrived
WAITS = "prefect.flow-run.waits-for-approval"  # event
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

    Raises:
        DigitflowError: there is none, though it was resumed.
    """
    form = Approval.with_initial_data(description=_description(outcome, settings))
    seconds = int(settings.approve_within_hours * HOUR)
    try:
        said = suspend_flow_run(wait_for_input=form, timeout=seconds, key=KEY)
    except Pause:
        atexit.register(_say_that_it_waits, str(flow_run.id), list(flow_run.tags))
        raise
    except ValidationError as error:  # it was begun again after its time was over
        raise DigitflowError(
            f"nobody has answered: `digitflow models promote {outcome.version}` lets it serve"
        ) from error
    return Answer(approve=said.approve, reason=said.reason, by=said.name)


def _say_that_it_waits(run: str, tags: list[str]) -> None:
    """Tell the server, as the last thing of this process, that the run is meant to be silent.

    A heartbeat that it gets after the news of the suspension would be the last it hears of the run,
    which would be taken for dead.
    """
    time.sleep(LAST_WORDS_S)
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": WAITS,
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [
            {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}
            for tag in tags
        ],
    }
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event])


def _description(outcome: Outcome, settings: TrainSettings) -> str:
    file = Path(outcome.report)
    link = (link_to(file) if file.is_file() else "") or REPORT_PAGE
    right = percent(outcome.accuracy)
    return (
        f"The gate accepts **{as_markdown(outcome.version)}**, {right} right on its test part. "
        f"[The report]({link}) has every check. Without an answer within "
        f"{settings.approve_within_hours:g} hours it is refused."
    )
