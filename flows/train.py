"""Make a model: ingest, train, calibrate, export, evaluate, compare, judge, register, promote."""

import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.artifacts import evidence_of, publish_history, publish_verdict
from flows.candidate import (
    Evaluation,
    Training,
    calibrate_candidate,
    compare_runtimes,
    evaluate_candidate,
    export_candidate,
    fit_candidate,
    ingest_data,
    require_tensorflow,
)
from flows.engine import Engine
from flows.judge import Judgement, find_serving, judge, slices_to_measure
from flows.telling import tell_calibration, tell_data, tell_evaluation, tell_verdict
from tasks.atomic import write_text
from tasks.data.snapshot import Part, Snapshot
from tasks.device import Device
from tasks.errors import GateRefused, InputError
from tasks.gate.prediction_changes import facts as flip_facts
from tasks.metrics.calibration import Calibration
from tasks.metrics.classification import Parity
from tasks.not_measured import NotMeasured, fails_closed
from tasks.provenance import git_commit, package_versions
from tasks.registry.registry import Registry
from tasks.registry.version import KERAS_FILE, Version, verified
from tasks.reporting.document import Report, to_html
from tasks.reporting.training_report import TrainingPictures, training_report
from tasks.runs import REPORT_FILE, open_run
from tasks.settings import TrainSettings, home, models_place
from tasks.storage.journal import actor

FIRST_PICTURES = 10
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

    def facts(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def train(settings: TrainSettings, engine: Engine) -> Outcome:
    """Train a network, judge the exported file, and let it serve if the gate accepts it.

    Raises:
        InputError: the data, the device or the place of the models cannot be used, or TensorFlow is
            not installed.
    """
    require_tensorflow()
    slices_to_measure(settings)  # a wrong folder or name is found before the fit
    Registry(models_place()).require_writable()
    run = open_run("train", home())
    snapshot = engine.download(ingest_data, settings.data, home() / "datasets", engine)
    tell_data(snapshot, engine)
    training = engine.stage(fit_candidate, snapshot, settings, run, engine)
    return candidate(snapshot, training, settings, run, engine)


def train_again(weights: Path, settings: TrainSettings, engine: Engine) -> Outcome:
    """Make a candidate of weights that were fitted before: calibrate, export and judge anew.

    Args:
        weights: folder of a version, with its Keras file and its card, which say how and on what
            data it was fitted.
        settings: of the gate; data, recipe and seed are those of the card.
        engine: what runs the stages.

    Raises:
        InputError: the data is not what the weights were fitted on, or TensorFlow is missing.
    """
    require_tensorflow()
    slices_to_measure(settings)
    Registry(models_place()).require_writable()
    fitted = verified(weights)
    card, run = fitted.card, open_run("train", home())
    fit = {name: card["settings"][name] for name in ("data", "recipe", "seed")}
    settings = settings.model_copy(update=fit)
    snapshot = engine.download(ingest_data, settings.data, home() / "datasets", engine)
    if snapshot.digest != card["dataset"]["digest"]:
        raise InputError(
            f"{settings.data} is snapshot {snapshot.digest[:12]} by now, {fitted.name} was fitted "
            f"on {card['dataset']['digest'][:12]}"
        )
    shutil.copyfile(weights / KERAS_FILE, run / KERAS_FILE)
    training = Training(
        Device(**card["device"]), card["recipe"], card["layers"], card["history"], fitted.name
    )
    return candidate(snapshot, training, settings, run, engine)


def candidate(
    snapshot: Snapshot, training: Training, settings: TrainSettings, run: Path, engine: Engine
) -> Outcome:
    """Calibrate, export, judge, register and perhaps promote the fitted model of a run."""
    version = run.name.removeprefix("train-")
    calibration = engine.stage(calibrate_candidate, snapshot, training.recipe, settings.seed, run)
    tell_calibration(calibration, engine)
    onnx = engine.stage(export_candidate, run, version, calibration, engine)
    evaluation = engine.stage(fails_closed(evaluate_candidate), snapshot, onnx, settings)
    parity: Parity | NotMeasured
    if isinstance(evaluation, NotMeasured):
        parity, evaluation = evaluation, Evaluation()  # so that the gate refuses it for that
    else:
        tell_evaluation(evaluation, engine)
        compare = fails_closed(compare_runtimes)
        parity = engine.stage(compare, snapshot, run, calibration.temperature)
    judgement = judge(version, onnx, snapshot, parity, settings, run, engine)
    tell_verdict(judgement.verdict, engine)

    card = make_card(
        version, settings, snapshot, training, calibration, evaluation, parity, judgement
    )
    registry = Registry(models_place())
    registered = engine.stage(registry.register, card, onnx, run / KERAS_FILE)
    outcome = engine.stage(promote_or_refuse, registry, registered, snapshot, settings, run)
    engine.publish(
        "training-report", engine.stage(write_report, snapshot, registered, judgement.flips, run)
    )
    publish_verdict(judgement, engine)
    publish_history(registry, engine)
    engine.say("Verdict", outcome.sentence)
    engine.say("Model", registry.where(registered))
    engine.say("Report", outcome.report)
    return outcome


def make_card(
    version: str,
    settings: TrainSettings,
    snapshot: Snapshot,
    training: Training,
    calibration: Calibration,
    evaluation: Evaluation,
    parity: Parity | NotMeasured,
    judgement: Judgement,
) -> dict[str, Any]:
    """Return the model card: all that an auditor or a later training needs."""
    data = ("name", "digest", "source", "licence", "counts", "duplicates", "first_labels")
    return {
        "version": version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "actor": actor(),
        "git_commit": git_commit(),
        "packages": package_versions(),
        "device": training.device.facts(),
        "dataset": {key: snapshot.facts.get(key) for key in data},
        "settings": settings.model_dump(mode="json"),
        "recipe": training.recipe,
        "layers": training.layers,
        "history": training.history,
        "weights_of": training.weights_of,
        "calibration": calibration.facts(),
        "metrics": evaluation.metrics.facts() if evaluation.metrics else None,
        "sample": evaluation.sample,
        "golden": evaluation.golden,
        "parity": None if isinstance(parity, NotMeasured) else parity.facts(),
        "verdict": judgement.verdict.to_dict(),
        "flips": flip_facts(judgement.evidence.flips),
    }


def promote_or_refuse(
    registry: Registry, version: Version, snapshot: Snapshot, settings: TrainSettings, run: Path
) -> Outcome:
    """Let an accepted version serve; record a refusal, which leaves the champion as it was."""
    verdict, metrics = version.card["verdict"], version.card["metrics"]
    accepted, promoted = version.accepted, False
    sentence = f"{verdict['sentence'][0].lower()}{verdict['sentence'][1:]}; {version.name} is kept"
    evidence = evidence_of(verdict)
    if accepted and settings.promote:
        try:
            reason, against = "passed the gate after its training", verdict["against"]
            registry.promote(version, reason, against=against, evidence=evidence)
            promoted = True
            sentence = f"accepted: {version.name} is the champion now"
        except GateRefused as refusal:  # another training was faster
            accepted, sentence = False, f"refused: {refusal}; {version.name} is kept"
    elif accepted:
        sentence = f"accepted: {version.name} is kept, not promoted"
    if not accepted:
        registry.record("refuse", version.name, sentence, evidence=evidence)
        champion = find_serving()
        stays = f"champion {champion.name} stays" if isinstance(champion, Version) else NO_CHAMPION
        sentence = f"{sentence}, {stays}"
    return Outcome(
        version=version.name,
        accepted=accepted,
        promoted=promoted,
        accuracy=metrics["accuracy"] if metrics else None,
        sentence=sentence,
        dataset=str(snapshot.folder),
        folder=registry.where(version),
        report=str(run / REPORT_FILE),
    )


def write_report(snapshot: Snapshot, version: Version, flips: Report, run: Path) -> Report:
    """Write the HTML report into the folder of the run and return the report."""
    metrics, sample = version.card["metrics"] or {"mistakes": []}, version.card["sample"]
    tested = snapshot.part(Part.TEST)[0]
    pictures = TrainingPictures(
        first=snapshot.images[:FIRST_PICTURES],
        sample=tested[sample["index"] if sample else 0],
        mistakes=tested[[mistake["index"] for mistake in metrics["mistakes"]]],
    )
    report = training_report(version.card, pictures, flips)
    write_text(run / REPORT_FILE, to_html(report))
    return report
