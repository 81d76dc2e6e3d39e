"""The stages of a training: fit, calibrate, export, evaluate, compare; each saves what it makes."""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tasks.contracts.training import Answer, Epoch, Layer
from tasks.data.snapshot import Part, Snapshot
from tasks.device import Device, reading_device, usable_cores
from tasks.errors import InputError
from tasks.imaging.form import CANONICAL_VERSION
from tasks.inference.model_file import KERAS_FILE, ONNX_FILE, model_in
from tasks.inference.session import CALIBRATION, ModelSession
from tasks.metrics.calibration import Calibration, calibrate
from tasks.metrics.classification import Metrics, Parity, evaluate
from tasks.metrics.promise import strictest
from tasks.not_measured import fails_closed
from tasks.progress import Advance, ProgressLog
from tasks.settings.training import TrainSettings
from tasks.synthesis.generate import LabelledImages
from tasks.synthesis.seen_digits import see_digits
from tasks.task import task
from tasks.training.calibrate import calibrate_by_kind
from tasks.training.recipes import RECIPES, Simulation
from tasks.training.training_set import (
    CALIBRATION_SEED,
    Pairs,
    calibration_no_digits,
    training_set,
)

PARITY_PICTURES = 1_000
STRICTEST = "strictest"  # metadata property for programs that cannot tell kinds of pictures apart


@dataclass(frozen=True)
class Training:
    """What the fit left behind beside the weights."""

    device: Device
    recipe: dict[str, Any]
    layers: list[Layer]
    history: list[Epoch]
    weights_of: str | None = None  # the version whose weights these are, if not of this run


@dataclass(frozen=True)
class Evaluation:
    """How the ONNX file answers the test part."""

    metrics: Metrics
    sample: Answer  # how it answers the first picture


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


class EpochLog:
    """Turns what the fit reports into a bar, and a line for each epoch."""

    def __init__(self, log: ProgressLog, epochs: int, advance: Advance) -> None:
        """Take where lines go, how many epochs there will be, and what moves the bar."""
        self._log, self._epochs, self._advance, self._ended = log, epochs, advance, 0

    def on_batch(self, done: int, total: int) -> None:
        """Move the bar by the share of the epoch that is done."""
        self._advance(self._ended + done / total)

    def on_epoch(self, epoch: Epoch) -> None:
        """Write the line of the epoch."""
        self._ended = epoch.epoch
        self._log.log(
            f"Epoch {epoch.epoch}/{self._epochs}",
            f"loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}  validation loss "
            f"{epoch.val_loss:.4f}  accuracy {epoch.val_accuracy:.4f}  {epoch.seconds:.1f} s",
        )


@task(name="train the network")
def fit_model(snapshot: Snapshot, settings: TrainSettings, run: Path, log: ProgressLog) -> Training:
    """Fit the recipe on the training part and save the float32 Keras model in the run's folder."""
    from tasks.training.device import training_device
    from tasks.training.fit import fit
    from tasks.training.network import layers

    device = training_device(settings.device)
    recipe = RECIPES[settings.recipe]
    log.log("Device", str(device))
    pictures = training_pictures(snapshot, recipe.simulation, settings.seed, log)
    with log.bar("Training", recipe.epochs, "epochs") as advance:
        model, history = fit(
            pictures,
            snapshot.part(Part.CALIBRATION),
            recipe,
            settings.seed,
            device,
            EpochLog(log, recipe.epochs, advance),
        )
    model.save(run / KERAS_FILE)
    return Training(device, recipe.to_dict(), layers(model), history)


def training_pictures(
    snapshot: Snapshot, simulation: Simulation | None, seed: int, log: ProgressLog
) -> Pairs:
    """Return what a recipe learns: the training part, and what is simulated from it."""
    part = snapshot.part(Part.TRAIN)
    if simulation is None:
        return part
    with log.bar("Simulating", simulation.digits + simulation.no_digits, "pictures") as advance:
        pictures = training_set(part, simulation, seed, advance)
    log.log("Simulated", f"{len(pictures[1]):,} pictures to learn from {len(part[1]):,}")
    return pictures


@task(name="calibrate its confidence")
def calibrate_model(
    snapshot: Snapshot, recipe: Mapping[str, Any], seed: int, run: Path
) -> Calibration:
    """Find out how far the confidence of the saved model can be trusted."""
    from tasks.training.export import raw_answers
    from tasks.training.network import keras

    part = snapshot.part(Part.CALIBRATION)
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    raw = partial(raw_answers, model)
    if not recipe["simulation"]:
        logits, digit_logits = raw(part[0])
        return calibrate(logits, part[1], digit_logits)
    no_digits = calibration_no_digits(part, seed)
    seen = see_digits(LabelledImages(*part), seed + CALIBRATION_SEED)
    return calibrate_by_kind(raw, part, no_digits, seen, seed)


@task(name="export it to ONNX")
def export_model(run: Path, version: str, calibration: Calibration) -> Path:
    """Write the saved model as ONNX, with what a program needs to know inside the file."""
    from tasks.training.export import to_onnx
    from tasks.training.network import keras

    onnx = run / ONNX_FILE
    metadata = {
        "version": version,
        "canonical_version": CANONICAL_VERSION,
        CALIBRATION: calibration.to_json(),
        STRICTEST: json.dumps(
            [
                {"confidence": each.confidence, "error_at_most": round(each.bound, 6)}
                for each in strictest(calibration.curves)
            ]
        ),
        "made_by": "digitflow",
    }
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    to_onnx(model, onnx, metadata, calibration.temperature)
    return onnx


@task(name="answer the test part")
@fails_closed
def evaluate_model(snapshot: Snapshot, onnx: Path, settings: TrainSettings) -> Evaluation:
    """Answer the test part with the ONNX file through ONNX Runtime."""
    images, labels = snapshot.part(Part.TEST)
    device = reading_device("cpu" if settings.device == "cpu" else "auto")
    probabilities = (
        ModelSession(model_in(onnx), device, usable_cores()).answers(images).probabilities
    )
    digit = int(probabilities[0].argmax())
    confidence = float(probabilities[0, digit])
    sample = Answer(index=0, label=int(labels[0]), digit=digit, confidence=confidence)
    return Evaluation(evaluate(probabilities, labels), sample)


@task(name="compare Keras and ONNX Runtime")
@fails_closed
def compare_runtimes(snapshot: Snapshot, run: Path, temperature: float) -> Parity:
    """Answer the same calibration pictures with Keras and with ONNX Runtime."""
    from tasks.training.export import parity
    from tasks.training.network import keras

    images = snapshot.part(Part.CALIBRATION)[0][:PARITY_PICTURES]
    model = keras.models.load_model(run / KERAS_FILE, compile=False)
    return parity(model, run / ONNX_FILE, images, temperature)
