"""Make a model: ingest, train, calibrate, export, evaluate, compare, judge, register, promote."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows.artifacts import evidence_of, publish_history, publish_report, publish_verdict
from flows.judge import Candidate, Judgement, find_champion, judge
from flows.promote import Answer, follow_answer, refuse_unanswered
from flows.terminal.console import Console
from flows.terminal.training_log import (
    log_calibration,
    log_corrections,
    log_data,
    log_evaluation,
    log_export,
    log_less_evidence,
    log_orientation,
    log_shortfalls,
    log_verdict,
)
from tasks.atomic import write_text
from tasks.corrections.learned import with_corrections
from tasks.corrections.store import corrections
from tasks.data.snapshot import Part, Snapshot, ingest
from tasks.errors import GateRefused, InputError
from tasks.gate.prediction_changes import facts as changes_facts
from tasks.gate.shortfall import shortfalls
from tasks.gate.slices import Slice
from tasks.gate.steps import slices_to_measure
from tasks.inference.model_file import KERAS_FILE, Model, model_in
from tasks.metrics.calibration import Calibration
from tasks.metrics.classification import Parity
from tasks.not_measured import NotMeasured, fails_closed
from tasks.provenance import git_commit, package_versions
from tasks.registry.card import CardContent
from tasks.registry.card_parts import CardDataset, Golden
from tasks.registry.events import ASK, asked_by
from tasks.registry.golden import golden_answers
from tasks.registry.recipe_names import recipe_of
from tasks.registry.registry import Registry, bundled_model
from tasks.registry.serving_rules import missing_slices, require_as_much_evidence
from tasks.registry.version import Version, verified
from tasks.reporting.document import Report, to_html
from tasks.reporting.training_report import TrainingPictures, training_report
from tasks.runs import REPORT_FILE, open_run
from tasks.settings.base import home, models_place
from tasks.settings.training import TrainSettings
from tasks.storage.journal import actor
from tasks.task import task
from tasks.training.orientation_check import Readings, read_in_every_way, require_upright
from tasks.training.steps import (
    Evaluation,
    Training,
    calibrate_model,
    compare_runtimes,
    evaluate_model,
    export_model,
    fit_model,
    require_tensorflow,
)

FIRST_PICTURES = 10
FITTED_BY = (
    "data",
    "orientation",
    "recipe",
    "seed",
    "with_corrections",
)  # settings of a card that weights come from
NO_CHAMPION = "there is still no champion"


@dataclass(frozen=True)
class Outcome:
    """What came of a training: the version, and whether it serves."""

    version: str
    accepted: bool
    promoted: bool
    accuracy: float | None  # of the network on the test part; None: it could not be measured
    sentence: str
    dataset: str  # folder of the snapshot
    folder: str  # or URL, of the registered version
    report: str
    waiting: bool = False  # a person has to approve it first

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def train(
    settings: TrainSettings, console: Console | None = None, flow_run: str | None = None
) -> Outcome:
    """Train a network, judge the exported file, and let it serve if the gate accepts it.

    Args:
        settings: the data, the recipe, and what the gate requires.
        console: shows what is done; by default on the terminal.
        flow_run: that can be suspended until a person has approved the version.

    Raises:
        InputError: the data, the device or the place of the models cannot be used, or TensorFlow is
            not installed.
    """
    console = console or Console()
    slices = require_ready(settings)
    refuse_unanswered()
    run = open_run("train", home())
    snapshot = ingested(settings, console)
    log_data(snapshot, console)
    log_corrections(snapshot, settings, console)
    require_orientation(snapshot, settings, console)
    log_shortfalls(shortfalls(snapshot.facts.counts[Part.TEST.key], slices), console)
    log_less_evidence(evidence_that_lacks(settings), console)
    training = fit_model(snapshot, settings, run, console)
    return make_version(snapshot, training, settings, run, console, flow_run)


def train_again(weights: Path, settings: TrainSettings, console: Console | None = None) -> Outcome:
    """Make a candidate of weights that were fitted before: calibrate, export and judge anew.

    Args:
        weights: folder of a version, with its Keras file and its card, which say how and on what
            data it was fitted.
        settings: of the gate; data, recipe and seed are those of the card.
        console: shows what is done.

    Raises:
        InputError: the data is not what the weights were fitted on, the card does not say what that
            was, or TensorFlow is missing.
    """
    console = console or Console()
    require_ready(settings)
    fitted = verified(weights)
    card, run = fitted.card, open_run("train", home())
    if card.device is None or card.dataset is None:
        raise InputError(f"the card of {fitted.name} does not say where and on what it was fitted")
    fit = {name: card.settings[name] for name in FITTED_BY if name in card.settings}
    settings = settings.model_copy(update=fit)
    snapshot = ingested(settings, console)
    if snapshot.digest != card.dataset.digest:
        raise InputError(
            f"{settings.data} is snapshot {snapshot.digest[:12]} by now, {fitted.name} was fitted "
            f"on {card.dataset.digest[:12]}"
        )
    shutil.copyfile(weights / KERAS_FILE, run / KERAS_FILE)
    training = Training(
        device=card.device.device(),
        recipe=recipe_of(card.recipe),
        layers=card.layers,
        history=card.history,
        weights_of=fitted.name,
    )
    return make_version(snapshot, training, settings, run, console)


def require_ready(settings: TrainSettings) -> list[Slice]:
    """Find out before the fit what would stop the training after it.

    Returns:
        The slices that will be drawn from the test part.

    Raises:
        InputError: TensorFlow is missing, the gate is given a folder or a name that there is not,
            or no version can be registered.
    """
    require_tensorflow()
    named, slices = slices_to_measure(settings)
    Registry(models_place()).require_writable()
    return [slice_ for slice_ in slices if slice_.name not in named]


def ingested(settings: TrainSettings, console: Console) -> Snapshot:
    """Return the checked snapshot of the data, and show how far fetching or reading it is."""
    with console.bar("Data", 100) as advance:
        show = lambda _, done, total: advance(100 * done / max(1, total))  # noqa: E731
        datasets = home() / "datasets"
        snapshot = ingest(settings.data, datasets, show, settings.orientation)
        if settings.with_corrections:
            snapshot = with_corrections(snapshot, corrections(), datasets, show)
    return snapshot


@task(name="look how the pictures lie")
def require_orientation(snapshot: Snapshot, settings: TrainSettings, console: Console) -> None:
    """Refuse pictures that the shipped model reads clearly better turned, mirrored or inverted.

    Raises:
        DatasetError: it does.
    """
    readings: list[Readings] | NotMeasured
    if settings.orientation == "as-given":
        readings = NotMeasured("--orientation as-given")
    elif shipped := bundled_model():
        readings = read_in_every_way(shipped.model(), snapshot)
    else:
        readings = NotMeasured("no model ships with this digitflow")
    log_orientation(readings, console)
    if not isinstance(readings, NotMeasured):
        require_upright(readings, settings.data, settings.orientation)


@fails_closed
def evidence_that_lacks(settings: TrainSettings) -> tuple[str, list[str]] | None:
    """Return what serves, and which slices that it passed a candidate will not be judged on."""
    champion = Registry(models_place()).serving_card() if settings.promote else None
    if champion is None:
        return None
    slices = [slice_.name for slice_ in slices_to_measure(settings)[1]]
    return champion.version, missing_slices(slices, champion.verdict)


def make_version(
    snapshot: Snapshot,
    training: Training,
    settings: TrainSettings,
    run: Path,
    console: Console,
    flow_run: str | None = None,
) -> Outcome:
    """Calibrate, export, judge, register and perhaps promote the fitted model of a run."""
    version = run.name.removeprefix("train-")
    calibration = calibrate_model(snapshot, training.recipe, settings.seed, run)
    log_calibration(calibration, console)
    onnx = export_model(run, version, calibration)
    log_export(onnx, console)
    evaluation, golden = evaluate_model(snapshot, onnx, settings), answers_to_keep(snapshot, onnx)
    parity: Parity | NotMeasured
    if isinstance(evaluation, NotMeasured):
        parity = evaluation  # so that the gate refuses it for that
    elif isinstance(golden, NotMeasured):
        parity = golden
    else:
        log_evaluation(evaluation, console)
        parity = compare_runtimes(snapshot, run, calibration.temperature)
    candidate = Candidate(version, onnx, snapshot, parity)
    judgement = judge(candidate, settings, run, console)
    log_verdict(judgement.verdict, console)

    measured = Measured(calibration, evaluation, golden, judgement)
    content = make_card(candidate, training, settings, measured)
    registry = Registry(models_place())
    registered = registry.register(content, onnx, run / KERAS_FILE)
    outcome = promote_or_refuse(registry, registered, snapshot, settings, run, flow_run)
    report = write_report(snapshot, registered, judgement.changes_report, run)
    publish_report("training-report", report, run / REPORT_FILE)
    publish_verdict(judgement, version)
    publish_history(registry)
    console.log("Verdict", outcome.sentence)
    console.log("Model", registry.where(registered))
    console.log("Report", outcome.report)
    return outcome


@fails_closed
def answers_to_keep(snapshot: Snapshot, onnx: Path) -> Golden:
    """Return how the file answers some test pictures, by which its version is tried later."""
    return golden_answers(model_in(onnx), snapshot.part(Part.TEST)[0])


@dataclass(frozen=True)
class Measured:
    """What was found out about a candidate."""

    calibration: Calibration
    evaluation: Evaluation | NotMeasured  # of the test part
    golden: Golden | NotMeasured
    judgement: Judgement


def make_card(
    candidate: Candidate, training: Training, settings: TrainSettings, measured: Measured
) -> CardContent:
    """Return the model card: all that an auditor or a later training needs."""
    parity, golden, judgement = candidate.parity, measured.golden, measured.judgement
    evaluation = None if isinstance(measured.evaluation, NotMeasured) else measured.evaluation
    values = {
        "version": candidate.version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "actor": actor(),
        "git_commit": git_commit(),
        "packages": package_versions(),
        "device": training.device.to_dict(),
        "dataset": candidate.snapshot.facts.model_dump(include=set(CardDataset.model_fields)),
        "settings": settings.model_dump(mode="json"),
        "recipe": training.recipe,
        "layers": [layer.to_dict() for layer in training.layers],
        "history": [epoch.to_dict() for epoch in training.history],
        "weights_of": training.weights_of,
        "calibration": measured.calibration.to_dict(),
        "metrics": evaluation.metrics.to_dict() if evaluation else None,
        "sample": evaluation.sample.to_dict() if evaluation else None,
        "golden": None if isinstance(golden, NotMeasured) else golden.to_dict(),
        "parity": None if isinstance(parity, NotMeasured) else parity.to_dict(),
        "verdict": judgement.verdict.to_dict(),
        "flips": changes_facts(judgement.evidence.prediction_changes),
    }
    return CardContent.from_dict(json.loads(json.dumps(values)))  # in JSON, tuples are lists


@task(name="promote or refuse")
def promote_or_refuse(
    registry: Registry,
    version: Version,
    snapshot: Snapshot,
    settings: TrainSettings,
    run: Path,
    flow_run: str | None,
) -> Outcome:
    """Let an accepted version serve, or ask a person first; record a refusal.

    A refusal leaves the champion as it was.
    """
    verdict = version.card.verdict
    accepted, promoted = version.accepted, False
    waiting = accepted and settings.promote and settings.approve
    sentence = f"{verdict.sentence[0].lower()}{verdict.sentence[1:]}; {version.name} is kept"
    evidence = evidence_of(verdict)
    if accepted and settings.promote:
        try:
            if waiting:
                ask(registry, version, snapshot, settings, run, flow_run)
                sentence = waits_in_words(version.name)
            else:
                reason, against = "passed the gate after its training", verdict.against
                registry.promote(version, reason, against=against, evidence=evidence)
                promoted = True
                sentence = f"accepted: {version.name} is the champion now"
        except GateRefused as refusal:  # less evidence, or another training was faster
            accepted = waiting = False
            sentence = f"refused: {refusal}; {version.name} is kept"
    elif accepted:
        sentence = f"accepted: {version.name} is kept, not promoted"
    if not accepted:
        registry.record("refuse", version.name, sentence, evidence=evidence)
        champion = find_champion()
        stays = f"champion {champion.name} stays" if isinstance(champion, Model) else NO_CHAMPION
        sentence = f"{sentence}, {stays}"
    return Outcome(
        version=version.name,
        accepted=accepted,
        promoted=promoted,
        waiting=waiting,
        accuracy=version.accuracy,
        sentence=sentence,
        dataset=str(snapshot.folder),
        folder=registry.where(version),
        report=str(run / REPORT_FILE),
    )


def ask(
    registry: Registry,
    version: Version,
    snapshot: Snapshot,
    settings: TrainSettings,
    run: Path,
    flow_run: str | None,
) -> None:
    """Record that a version waits for a person, and until when, if a flow run waits with it.

    Raises:
        GateRefused: it was judged on less than what serves, so that nobody needs to be asked.
    """
    if champion := registry.serving_card():
        require_as_much_evidence(version, champion)
    until = datetime.now(UTC) + timedelta(hours=settings.approve_within_hours)
    evidence = evidence_of(version.card.verdict) | {
        **{"run": run.name, "dataset": str(snapshot.folder), "flow_run": flow_run},
        "until": until.isoformat(timespec="seconds") if flow_run else None,
    }
    registry.record(ASK, version.name, "a person is asked to approve it", evidence=evidence)


def waits_in_words(version: str) -> str:
    """Return what is said of a version that a person has to approve."""
    how = f'`digitflow models promote {version} --reason "..."`'
    return f"accepted: {version} is kept, and waits until a person approves it: {how}"


def waiting_outcome(flow_run: str) -> Outcome | None:
    """Return the outcome of the training of a flow run that has asked for approval, if it has."""
    registry = Registry(models_place())
    asked = asked_by(registry.history(), flow_run)
    if asked is None:
        return None
    version = registry.load(asked.version)
    return Outcome(
        version=version.name,
        accepted=True,
        promoted=False,
        waiting=True,
        accuracy=version.accuracy,
        sentence=waits_in_words(version.name),
        dataset=asked.dataset,
        folder=registry.where(version),
        report=str(home() / "runs" / asked.run / REPORT_FILE),
    )


@task(name="follow the answer")
def answered(outcome: Outcome, answer: Answer, console: Console) -> Outcome:
    """Let a version serve that a person has approved, by the rules of any promotion."""
    why_not = follow_answer(outcome.version, answer, console)
    sentence = f"accepted: {outcome.version} is the champion now, {answer.sentence()}"
    if why_not:
        champion = Registry(models_place()).serving_name()
        stays = f"champion {champion} stays" if champion else NO_CHAMPION
        sentence = f"refused: {why_not}; {outcome.version} is kept, {stays}"
    publish_history(Registry(models_place()))
    console.log("Verdict", sentence)
    serves = why_not is None
    return replace(outcome, sentence=sentence, accepted=serves, promoted=serves, waiting=False)


@task(name="write the report")
def write_report(snapshot: Snapshot, version: Version, changes: Report, run: Path) -> Report:
    """Write the HTML report into the folder of the run and return the report."""
    metrics, sample = version.card.metrics, version.card.sample
    tested = snapshot.part(Part.TEST)[0]
    pictures = TrainingPictures(
        first=snapshot.images[:FIRST_PICTURES],
        sample=tested[sample.index if sample else 0],
        mistakes=tested[[mistake.index for mistake in metrics.mistakes] if metrics else []],
    )
    report = training_report(version.card, pictures, changes)
    write_text(run / REPORT_FILE, to_html(report))
    return report
