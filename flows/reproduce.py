"""Train a version again from its card, and say how far the result is the same."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flows.artifacts import known_settings
from flows.promote import snapshot_of
from flows.terminal.console import Console
from tasks.errors import DigitflowError, InputError
from tasks.inference.model_file import KERAS_FILE
from tasks.not_measured import NotMeasured
from tasks.provenance import git_commit, package_versions
from tasks.registry.card import Card
from tasks.registry.catalog import registry
from tasks.registry.recipe_names import recipe_of
from tasks.registry.version import Version
from tasks.registry.version_lock import in_use
from tasks.runs import open_run
from tasks.settings.base import home
from tasks.settings.training import TrainSettings
from tasks.training.steps import (
    Training,
    calibrate_model,
    evaluate_model,
    export_model,
    fit_model,
    require_tensorflow,
)


@dataclass(frozen=True)
class Reproduction:
    """How a second training compares with the first."""

    version: str
    same_weights: bool
    largest_difference: float  # of a weight
    accuracy: float
    within_bounds: bool  # the accuracy lies in the 95 % interval of the card
    changed: list[str]  # what is not as it was: recipe, packages, device, code

    @property
    def reproduced(self) -> bool:
        """Tell whether the version can be trusted to come from its card."""
        return self.same_weights or self.within_bounds

    def sentence(self) -> str:
        """Return the answer in one sentence."""
        changed = f" (changed since: {', '.join(self.changed)})" if self.changed else ""
        if self.same_weights:
            return f"{self.version}: reproduced, every weight is equal{changed}"
        verdict = "lies within" if self.within_bounds else "is outside"
        return (
            f"{self.version}: weights differ by up to {self.largest_difference:.1e}, accuracy "
            f"{self.accuracy:.4f} {verdict} the bounds of the card{changed}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self) | {"reproduced": self.reproduced, "sentence": self.sentence()}


def reproduce(name: str, console: Console) -> Reproduction:
    """Fit a version again by its card and compare weights, then accuracy; nothing is registered.

    Raises:
        InputError: its data or its Keras file is not there, or TensorFlow is missing.
        DigitflowError: the result is neither equal nor within the bounds.
    """
    require_tensorflow()
    version = registry().load(name)
    first = version.folder / KERAS_FILE
    if not first.is_file():
        raise InputError(f"{name} has no {KERAS_FILE} to compare with: it ships without")
    with in_use(version.onnx):  # its weights are compared with at the end
        return _reproduced(version, first, console)


def _reproduced(version: Version, first: Path, console: Console) -> Reproduction:
    name, settings = version.name, TrainSettings(**known_settings(TrainSettings, version.card))
    run, snapshot = open_run("reproduce", home()), snapshot_of(version)
    training = fit_model(snapshot, settings, run, console)
    calibration = calibrate_model(snapshot, training.recipe, settings.seed, run)
    onnx = export_model(run, name, calibration)
    evaluation = evaluate_model(snapshot, onnx, settings)
    metrics = None if isinstance(evaluation, NotMeasured) else evaluation.metrics
    difference = _largest_difference(first, run / KERAS_FILE)
    accuracy = metrics.accuracy if metrics else float("nan")
    found = Reproduction(
        version=name,
        same_weights=difference == 0,
        largest_difference=difference,
        accuracy=accuracy,
        within_bounds=_within_bounds(accuracy, version.card),
        changed=_changed(version.card, training),
    )
    console.log("Reproduced", found.sentence())
    if not found.reproduced:
        raise DigitflowError(found.sentence())
    return found


def _largest_difference(first: Any, second: Any) -> float:
    from tasks.training.network import keras

    first, second = (
        keras.models.load_model(file, compile=False).get_weights() for file in (first, second)
    )
    if [a.shape for a in first] != [b.shape for b in second]:
        return float("inf")
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def _within_bounds(accuracy: float, card: Card) -> bool:
    """Tell whether an accuracy lies in the 95 % interval of a card; none lies in that of none."""
    metrics = card.metrics
    return metrics is not None and metrics.accuracy_low <= accuracy <= metrics.accuracy_high


def _changed(card: Card, training: Training) -> list[str]:
    recipe, packages = recipe_of(card.recipe), package_versions()
    changed = [
        f"{field} of the recipe: {recipe.get(field)} to {value}"
        for field, value in training.recipe.items()
        if recipe.get(field) != value
    ]
    changed += [
        f"{package} {version} to {packages.get(package, 'none')}"
        for package, version in card.packages.items()
        if packages.get(package) != version
    ]
    changed += [] if card.device and card.device.device() == training.device else ["device"]
    return changed + (["code"] if card.git_commit != git_commit() else [])
