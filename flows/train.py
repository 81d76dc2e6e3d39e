"""Make a model: ingest, train, calibrate, export, evaluate, compare, judge, register, promote."""

import importlib.util
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.engine import Engine
from flows.telling import (
    TrainingProgress,
    tell_calibration,
    tell_data,
    tell_evaluation,
    tell_verdict,
)
from tasks.calibrate import Calibration, calibrate
from tasks.canonical import CANONICAL_VERSION
from tasks.dataset import Part, Snapshot, ingest
from tasks.device import Device, reading_device, usable_cores
from tasks.errors import InputError
from tasks.evaluate import Metrics, Parity, evaluate
from tasks.files import write_text
from tasks.gate import Verdict, judge
from tasks.provenance import git_commit, package_versions
from tasks.reader import CALIBRATION, Reader
from tasks.registry import KERAS_FILE, ONNX_FILE, Registry, Version, serving
from tasks.report import Report, to_html
from tasks.runs import REPORT_FILE, open_run
from tasks.settings import TrainSettings, home
from tasks.training_report import TrainingPictures, training_report
from tasks.training_set import Pairs, as_read, learned

if TYPE_CHECKING:
    from tasks.network import Simulation

PARITY_PICTURES = 1_000
FIRST_PICTURES = 10


@dataclass(frozen=True)
class Outcome:
    """What came of a training: the version, and whether it serves."""

    version: str
    accepted: bool
    promoted: bool
    accuracy: float
    sentence: str
    dataset: str  # folder of the snapshot
    folder: str  # of the registered version
    report: str

    def facts(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Training:
    """What the fit left behind beside the weights."""

    device: Device
    recipe: dict[str, Any]
    layers: list[dict[str, Any]]
    history: list[dict[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """How the ONNX file answers the test part."""

    metrics: Metrics
    sample: dict[str, Any]


def train(settings: TrainSettings, engine: Engine) -> Outcome:
    """Train a network, judge the exported file, and let it serve if the gate accepts it.

    Raises:
        InputError: the data or the device cannot be used, or TensorFlow is not installed.
    """
    require_tensorflow()
    run = open_run("train", home())
    version = run.name.removeprefix("train-")

    snapshot = engine.download(ingest_data, settings.data, home() / "datasets", engine)
    tell_data(snapshot, engine)
    training = engine.stage(fit_candidate, snapshot, settings, run, engine)
    calibration = engine.stage(calibrate_candidate, snapshot, settings, run)
    tell_calibration(calibration, engine)
    onnx = engine.stage(export_candidate, run, version, calibration, engine)
    evaluation = engine.stage(evaluate_candidate, snapshot, onnx, settings)
    tell_evaluation(evaluation.metrics, evaluation.sample, engine)
    parity = engine.stage(compare_runtimes, snapshot, run, calibration.temperature)
    verdict = engine.stage(judge, evaluation.metrics, parity, settings)
    tell_verdict(verdict, engine)

    card = make_card(
        version, settings, snapshot, training, calibration, evaluation, parity, verdict
    )
    registry = Registry(home() / "models")
    registered = engine.stage(registry.register, card, onnx, run / KERAS_FILE)
    outcome = engine.stage(
        promote_or_refuse, registry, registered, snapshot, verdict, settings, run
    )
    engine.publish("training-report", engine.stage(write_report, snapshot, registered, run))
    engine.say("Verdict", outcome.sentence)
    engine.say("Model", str(registered.folder))
    engine.say("Report", outcome.report)
    return outcome


def require_tensorflow() -> None:
    """Refuse to begin where training cannot end.

    Raises:
        InputError: TensorFlow or tf2onnx is not installed.
    """
    missing = [name for name in ("tensorflow", "tf2onnx") if not importlib.util.find_spec(name)]
    if missing:
        raise InputError(
            f"training needs {' and '.join(missing)}: pip install 'digitflow[train]' "
            "(reading does not need it)"
        )


def ingest_data(data: str, datasets: Path, engine: Engine) -> Snapshot:
    """Return the checked snapshot of the data, and show how far fetching or reading it is."""
    with engine.progress("Data", 100) as advance:
        return ingest(data, datasets, lambda _, done, total: advance(100 * done / max(1, total)))


def fit_candidate(
    snapshot: Snapshot, settings: TrainSettings, run: Path, engine: Engine
) -> Training:
    """Fit the recipe on the training part and save the float32 Keras model in the run's folder."""
    from tasks.network import RECIPES, layers
    from tasks.train import fit, training_device

    device = training_device(settings.device)
    recipe = RECIPES[settings.recipe]
    engine.say("Device", str(device))
    pictures = training_pictures(snapshot, recipe.simulation, settings.seed, engine)
    with engine.progress("Training", recipe.epochs) as advance:
        model, history = fit(
            pictures,
            snapshot.part(Part.CALIBRATION),
            recipe,
            settings.seed,
            device,
            TrainingProgress(engine, recipe.epochs, advance),
        )
    model.save(run / KERAS_FILE)
    return Training(device, asdict(recipe), layers(model), [asdict(epoch) for epoch in history])


def training_pictures(
    snapshot: Snapshot, simulation: "Simulation | None", seed: int, engine: Engine
) -> Pairs:
    """Return what a recipe learns: the training part, and what is simulated from it."""
    part = snapshot.part(Part.TRAIN)
    if simulation is None:
        return part
    with engine.progress("Simulating", simulation.digits + simulation.no_digits) as advance:
        pictures = learned(part, **asdict(simulation), seed=seed, on_progress=advance)
    engine.say("Simulated", f"{len(pictures[1]):,} pictures to learn from {len(part[1]):,}")
    return pictures


def calibrate_candidate(snapshot: Snapshot, settings: TrainSettings, run: Path) -> Calibration:
    """Find out how far the confidence of the saved model can be trusted."""
    from tasks.export import raw_answers
    from tasks.network import RECIPES, keras

    images, labels = snapshot.part(Part.CALIBRATION)
    clean = len(labels)
    if RECIPES[settings.recipe].simulation:
        images, labels = as_read((images, labels), settings.seed)
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    logits, digit_logits = raw_answers(model, images)
    return calibrate(logits, labels, digit_logits, np.arange(len(labels)) < clean)


def export_candidate(run: Path, version: str, calibration: Calibration, engine: Engine) -> Path:
    """Write the saved model as ONNX, with what a program needs to know inside the file."""
    from tasks.export import OPSET, to_onnx
    from tasks.network import keras

    onnx = run / ONNX_FILE
    metadata = {
        "version": version,
        "canonical_version": CANONICAL_VERSION,
        CALIBRATION: calibration.to_json(),
        "made_by": "digitflow",
    }
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    to_onnx(model, onnx, metadata, calibration.temperature)
    engine.say("Export", f"{ONNX_FILE}, opset {OPSET}, {onnx.stat().st_size / 1024:,.0f} KiB")
    return onnx


def evaluate_candidate(snapshot: Snapshot, onnx: Path, settings: TrainSettings) -> Evaluation:
    """Answer the test part with the ONNX file through ONNX Runtime."""
    images, labels = snapshot.part(Part.TEST)
    device = reading_device("cpu" if settings.device == "cpu" else "auto")
    probabilities = Reader(onnx, device, usable_cores()).answers(images).probabilities
    digit = int(probabilities[0].argmax())
    confidence = float(probabilities[0, digit])
    sample = {"index": 0, "label": int(labels[0]), "digit": digit, "confidence": confidence}
    return Evaluation(evaluate(probabilities, labels), sample)


def compare_runtimes(snapshot: Snapshot, run: Path, temperature: float) -> Parity:
    """Answer the same calibration pictures with Keras and with ONNX Runtime."""
    from tasks.export import parity
    from tasks.network import keras

    images = snapshot.part(Part.CALIBRATION)[0][:PARITY_PICTURES]
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    return parity(model, run / ONNX_FILE, images, temperature)


def make_card(
    version: str,
    settings: TrainSettings,
    snapshot: Snapshot,
    training: Training,
    calibration: Calibration,
    evaluation: Evaluation,
    parity: Parity,
    verdict: Verdict,
) -> dict[str, Any]:
    """Return the model card: all that an auditor or a later training needs."""
    data = ("name", "digest", "source", "licence", "counts", "duplicates", "first_labels")
    return {
        "version": version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "packages": package_versions(),
        "device": training.device.facts(),
        "dataset": {key: snapshot.facts.get(key) for key in data},
        "settings": settings.model_dump(mode="json"),
        "recipe": training.recipe,
        "layers": training.layers,
        "history": training.history,
        "calibration": calibration.facts(),
        "metrics": evaluation.metrics.facts(),
        "sample": evaluation.sample,
        "parity": parity.facts(),
        "verdict": verdict.facts(),
    }


def promote_or_refuse(
    registry: Registry,
    version: Version,
    snapshot: Snapshot,
    verdict: Verdict,
    settings: TrainSettings,
    run: Path,
) -> Outcome:
    """Let an accepted version serve; record a refusal, which leaves the champion as it was."""
    accuracy = version.card["metrics"]["accuracy"]
    promoted = verdict.accepted and settings.promote
    if promoted:
        registry.promote(version, f"passed the gate with test accuracy {accuracy:.4f}")
        sentence = f"accepted: {version.name} is the champion now"
    elif verdict.accepted:
        sentence = f"accepted: {version.name} is kept, not promoted"
    else:
        registry.record("refuse", version, verdict.failures())
        champion = serving(registry)
        stays = f"champion {champion.name} stays" if champion else "there is still no champion"
        sentence = f"refused: {verdict.failures()}; {version.name} is kept, {stays}"
    return Outcome(
        version=version.name,
        accepted=verdict.accepted,
        promoted=promoted,
        accuracy=accuracy,
        sentence=sentence,
        dataset=str(snapshot.folder),
        folder=str(version.folder),
        report=str(run / REPORT_FILE),
    )


def write_report(snapshot: Snapshot, version: Version, run: Path) -> Report:
    """Write the HTML report into the folder of the run and return the report."""
    metrics, sample = version.card["metrics"], version.card["sample"]
    tested = snapshot.part(Part.TEST)[0]
    pictures = TrainingPictures(
        first=snapshot.images[:FIRST_PICTURES],
        sample=tested[sample["index"]],
        mistakes=tested[[mistake["index"] for mistake in metrics["mistakes"]]],
    )
    report = training_report(version.card, pictures)
    write_text(run / REPORT_FILE, to_html(report))
    return report
