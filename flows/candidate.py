"""The stages that make a candidate: data, fit, calibration, export, evaluation, parity."""

import importlib.util
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.engine import Engine
from flows.telling import TrainingProgress
from tasks.data.snapshot import Part, Snapshot, ingest
from tasks.device import Device, reading_device, usable_cores
from tasks.errors import InputError
from tasks.imaging.form import CANONICAL_VERSION
from tasks.inference.model_file import model_in
from tasks.inference.session import CALIBRATION, ModelSession
from tasks.metrics.calibration import Calibration, calibrate
from tasks.metrics.classification import Metrics, Parity, evaluate
from tasks.registry.golden import golden_answers
from tasks.registry.version import KERAS_FILE, ONNX_FILE
from tasks.settings import TrainSettings
from tasks.training.training_set import Pairs, as_read, learned

if TYPE_CHECKING:
    from tasks.training.network import Simulation

PARITY_PICTURES = 1_000


@dataclass(frozen=True)
class Training:
    """What the fit left behind beside the weights."""

    device: Device
    recipe: dict[str, Any]
    layers: list[dict[str, Any]]
    history: list[dict[str, float]]
    weights_of: str | None = None  # the version whose weights these are, if not of this run


@dataclass(frozen=True)
class Evaluation:
    """How the ONNX file answers the test part."""

    metrics: Metrics | None = None
    sample: dict[str, Any] | None = None
    golden: dict[str, Any] | None = None


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
    from tasks.training.fit import fit, training_device
    from tasks.training.network import RECIPES, layers

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


def calibrate_candidate(
    snapshot: Snapshot, recipe: Mapping[str, Any], seed: int, run: Path
) -> Calibration:
    """Find out how far the confidence of the saved model can be trusted."""
    from tasks.training.export import raw_answers
    from tasks.training.network import keras

    images, labels = snapshot.part(Part.CALIBRATION)
    clean = len(labels)
    if recipe["simulation"]:
        images, labels = as_read((images, labels), seed)
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    logits, digit_logits = raw_answers(model, images)
    return calibrate(logits, labels, digit_logits, np.arange(len(labels)) < clean)


def export_candidate(run: Path, version: str, calibration: Calibration, engine: Engine) -> Path:
    """Write the saved model as ONNX, with what a program needs to know inside the file."""
    from tasks.training.export import OPSET, to_onnx
    from tasks.training.network import keras

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
    exported = model_in(onnx)
    probabilities = ModelSession(exported, device, usable_cores()).answers(images).probabilities
    digit = int(probabilities[0].argmax())
    confidence = float(probabilities[0, digit])
    sample = {"index": 0, "label": int(labels[0]), "digit": digit, "confidence": confidence}
    return Evaluation(evaluate(probabilities, labels), sample, golden_answers(exported, images))


def compare_runtimes(snapshot: Snapshot, run: Path, temperature: float) -> Parity:
    """Answer the same calibration pictures with Keras and with ONNX Runtime."""
    from tasks.training.export import parity
    from tasks.training.network import keras

    images = snapshot.part(Part.CALIBRATION)[0][:PARITY_PICTURES]
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    return parity(model, run / ONNX_FILE, images, temperature)
