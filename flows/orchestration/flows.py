"""The flows as Prefect flows, which `deployments/prefect.yaml` names.

Importing this file imports Prefect, which costs two seconds; without it `flows.train`,
`flows.predict` and `flows.maintenance` run the same stages as plain functions. What a flow does is
imported when it runs: an inbox is looked at every few minutes, and most often nothing is there.
"""

from typing import TYPE_CHECKING, Any

from prefect import State, flow
from prefect.states import Completed

from flows.orchestration.outages import outlive_the_server, running_seen_alive
from flows.orchestration.run_console import RunConsole
from flows.orchestration.run_errors import failing_in_one_line
from flows.orchestration.run_names import (
    counts,
    name_of_reading,
    name_of_tick,
    name_of_training,
    name_while_it_runs,
    rename_run,
)
from flows.orchestration.task_runners import PrefectRunner
from tasks.settings.base import MaintainSettings
from tasks.settings.reading import DecisionSettings, InboxSettings, PredictSettings
from tasks.settings.training import TrainSettings
from tasks.visible import visible

if TYPE_CHECKING:
    from tasks.results.summary import Summary

outlive_the_server()  # before Prefect's engine, which imports this file, begins a run


@flow(name="train", flow_run_name=name_while_it_runs)
@failing_in_one_line
@running_seen_alive
def train(settings: TrainSettings) -> Any:
    """Train a network, judge it, and let it serve if it passes.

    A candidate that the gate refused is a completed run named Refused, not a crash. Who calls
    this gets the `Outcome`, which Prefect takes out of the state.
    """
    from flows import train as training
    from flows.alerting.announce import announce_training
    from flows.orchestration.approval import answer_to, earlier_outcome, suspendable_run

    console, this_run = RunConsole(), suspendable_run()
    outcome = earlier_outcome(this_run) if this_run and settings.approve else None
    if outcome is None:
        outcome = training.train(settings, console, this_run)
        announce_training(outcome.version, console)
    rename_run(name_of_training(outcome))
    if this_run and outcome.waiting:
        outcome = training.answered(outcome, answer_to(outcome, settings), console)
        announce_training(outcome.version, console)
        rename_run(name_of_training(outcome))
    name = "Accepted" if outcome.accepted else "Refused"
    return Completed(name=name, message=visible(outcome.sentence), data=outcome)


@flow(name="predict", flow_run_name=name_while_it_runs)
@failing_in_one_line
@running_seen_alive
def predict(settings: PredictSettings) -> Any:
    """Read every picture of the source into the results table.

    A batch that is held is a completed run named Held. Who calls this gets the `Summary`, which
    Prefect takes out of the state.

    Raises:
        PicturesRejected: the run is strict, and complete, and pictures are rejected.
    """
    from flows import predict as reading

    console = RunConsole()
    summary = reading.predict(settings, console, PrefectRunner())
    rename_run(name_of_reading(settings, summary))
    _announce(summary, console)
    return _completed(summary, counts(summary))


@flow(name="predict", flow_run_name=name_while_it_runs)
@failing_in_one_line
@running_seen_alive
def read_inbox(settings: InboxSettings) -> Any:
    """Read what is new in the inbox of where this runs, or in what the run is told to read instead.

    It is the predict flow under the same name, for a schedule: whoever deploys it need not know the
    home of the worker. Where nothing is new, the run is completed as Nothing new, and leaves no
    report; where its batch is held, as Held. A strict run fails only if it found something new.

    Raises:
        PicturesRejected: the run is strict, and complete, and pictures are rejected.
        DigitflowError: what was read could not be moved or deleted.
    """
    from flows.orchestration.inbox import tick

    console = RunConsole()
    done = tick(settings, console, PrefectRunner())
    rename_run(name_of_tick(settings, done))
    if done.summary:
        _announce(done.summary, console)
    done.require_taken_away()
    if done.summary is None:
        return Completed(name="Nothing new", message=visible(done.sentence()))
    return _completed(done.summary, visible(done.sentence(counts(done.summary))))


@flow(name="release", flow_run_name=name_while_it_runs)
@failing_in_one_line
@running_seen_alive
def release(settings: DecisionSettings) -> Any:
    """Let a batch that is held count, or never: what a person decides, with the reason.

    Raises:
        InputError: there is no such batch, or it was decided before.
    """
    from flows.alerting.announce import announce_decision
    from flows.holding.decisions import decide, decision_about
    from tasks.holding.batches import Action

    console = RunConsole()
    action = Action.RELEASED if settings.decision == "release" else Action.DROPPED
    done = decide(settings.run_id, action, settings.reason, settings.by)
    announce_decision(decision_about(done.run_id), console)
    rename_run(done.sentence())
    return Completed(name=action.capitalize(), message=visible(done.sentence()), data=done)


@flow(name="maintain", flow_run_name=name_while_it_runs)
@failing_in_one_line
@running_seen_alive
def maintain(settings: MaintainSettings) -> Any:
    """Remove old runs here and on the server, files that nothing needs any more, old models.

    Who calls this gets what was removed, which Prefect takes out of the state.

    Raises:
        Unmaintained: some parts could not be done; the others are.
    """
    from flows.alerting.announce import announce_audits, announce_models, beside_the_work
    from flows.drift import publish_drift
    from flows.maintenance import maintain as maintenance
    from flows.orchestration.run_history import PART, tidy_server
    from flows.promote import refuse_unanswered

    console = RunConsole()
    refused = [] if settings.dry_run else refuse_unanswered()
    maintained = maintenance.maintain(settings, console, [(PART, tidy_server)])
    announce_audits(console)
    with beside_the_work(console):
        publish_drift(console)
    announce_models(refused, console)  # the page is there again where its run was removed
    rename_run(f"maintain: {maintained.sentence()}")
    return Completed(message=maintained.sentence(), data=maintained)


def _announce(summary: "Summary", console: RunConsole) -> None:
    from flows.alerting.announce import announce_batch

    announce_batch(summary, console)


def _completed(summary: "Summary", message: str) -> State[Any]:
    from flows import predict as reading

    reading.require_none_rejected(summary)
    return Completed(name="Held" if summary.held else None, message=message, data=summary)
