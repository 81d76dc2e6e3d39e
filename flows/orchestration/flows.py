"""The two flows as Prefect flows, which `deployments/prefect.yaml` names.

Importing this file imports Prefect, which costs two seconds; without it `flows.train` and
`flows.predict` run the same stages as plain functions.
"""

from pathlib import Path
from typing import Any

from prefect import State, flow
from prefect.states import Completed

from flows import predict as reading
from flows import train as training
from flows.orchestration.run_console import RunConsole
from flows.orchestration.run_errors import failing_in_one_line
from flows.orchestration.run_names import (
    counts,
    name_of_reading,
    name_of_training,
    name_while_it_runs,
    rename_run,
)
from flows.orchestration.task_runners import PrefectRunner
from tasks.atomic import make_folder
from tasks.settings import InboxSettings, PredictSettings, TrainSettings, inbox
from tasks.visible import visible


@flow(name="train", flow_run_name=name_while_it_runs)
@failing_in_one_line
def train(settings: TrainSettings) -> Any:
    """Train a network, judge it, and let it serve if it passes.

    A candidate that the gate refused is a completed run named Refused, not a crash. Who calls
    this gets the `Outcome`, which Prefect takes out of the state.
    """
    outcome = training.train(settings, RunConsole())
    rename_run(name_of_training(outcome))
    name = "Accepted" if outcome.accepted else "Refused"
    return Completed(name=name, message=visible(outcome.sentence), data=outcome)


@flow(name="predict", flow_run_name=name_while_it_runs)
@failing_in_one_line
def predict(settings: PredictSettings) -> Any:
    """Read every picture of the source into the results table.

    Who calls this gets the `Summary`, which Prefect takes out of the state.

    Raises:
        PicturesRejected: the run is strict, and complete, and pictures are rejected.
    """
    return _read(settings)


@flow(name="predict", flow_run_name=name_while_it_runs)
@failing_in_one_line
def read_inbox(settings: InboxSettings) -> Any:
    """Read the inbox of where this runs, or what the run is told to read instead.

    It is the predict flow under the same name, for a schedule: whoever deploys it need not know the
    home of the worker.

    Raises:
        PicturesRejected: the run is strict, and complete, and pictures are rejected.
    """
    if settings.source == inbox():
        make_folder(Path(inbox()))
    return _read(settings)


def _read(settings: PredictSettings) -> State[Any]:
    summary = reading.predict(settings, RunConsole(), PrefectRunner())
    rename_run(name_of_reading(settings, summary))
    reading.require_none_rejected(summary)
    return Completed(message=counts(summary), data=summary)
