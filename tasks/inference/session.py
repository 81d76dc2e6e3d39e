"""An ONNX model in a session: canonical pictures to answers, on a device that is known."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.device import CPU_PROVIDER, CUDA_PROVIDER, Device, cpu
from tasks.errors import DeviceError, ModelError, OutdatedModel
from tasks.imaging.form import CANONICAL_VERSION
from tasks.inference.decision import usable
from tasks.inference.model_file import Model
from tasks.metrics.calibration import Calibration

# pictures in one run of the network: large enough to be fast, small enough for the cache
NETWORK_BATCH = 256
INPUT, OUTPUT, SCORE = "images", "probabilities", "digit_score"
CALIBRATION = "calibration"  # the metadata property that holds it, as JSON
TRIED = (1, 2, 3)  # pictures in each batch that a model has to answer before it reads
# the weights have to be in the file: those beside it were neither hashed nor judged, and a name
# below a device leads nowhere
OTHER_FILES, NOWHERE = "session.model_external_initializers_file_folder_path", os.devnull
DIGITS = 10
# what to do about the champion of another digitflow
TRAIN_AGAIN = (
    "`digitflow models upgrade` trains it again; until then `--model champion-or-shipped` reads "
    "with the model that ships"
)


@dataclass(frozen=True)
class Answers:
    """What a model says about N canonical pictures."""

    probabilities: NDArray[np.float32]  # (N, 10), rows sum to 1
    digit_scores: NDArray[np.float32] | None  # (N,): sure that it is one digit; some give none


def joined(parts: Sequence[Answers]) -> Answers:
    """Return several answers as one; of none, one about no pictures."""
    if not parts:
        return Answers(np.empty((0, DIGITS), np.float32), None)
    scores = [part.digit_scores for part in parts if part.digit_scores is not None]
    probabilities = np.concatenate([part.probabilities for part in parts])
    return Answers(probabilities, np.concatenate(scores) if scores else None)


class ModelSession:
    """One model, loaded and checked against the contract of its inputs and outputs."""

    def __init__(self, model: Model, device: Device, threads: int = 1) -> None:
        """Load the model on a device, and try it; `threads` are those of the network on the CPU.

        Raises:
            ModelError: it is no ONNX model, not one of ours for this canonical form, not the
                version as which it is registered, or it does not answer as it has to.
            DeviceError: the CUDA provider was chosen and does not run.
        """
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        options.add_session_config_entry(OTHER_FILES, NOWHERE)
        providers = [CUDA_PROVIDER, CPU_PROVIDER] if device.kind == "cuda" else [CPU_PROVIDER]
        try:
            self._session = onnxruntime.InferenceSession(model.onnx, options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise ModelError(f"{model.location} does not load as an ONNX model: {error}") from error
        self.provider: str = self._session.get_providers()[0]
        if self.provider != providers[0]:
            raise DeviceError(f"{device} was chosen, but ONNX Runtime runs on {self.provider}")
        self.metadata = _checked_metadata(self._session, model)
        self.version, self._location = model.name, model.location
        self.instead_of = model.instead_of.version if model.instead_of else None
        self.calibration = _calibration(self.metadata, model)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._try()

    def answers(self, images: NDArray[np.uint8], batch: int = NETWORK_BATCH) -> Answers:
        """Return what the model says about uint8 (N, 28, 28) canonical pictures, `batch` a run.

        Raises:
            ModelError: it fails, or does not give one answer to each picture.
        """
        starts = range(0, len(images), batch)
        return joined([self._answered(images[start : start + batch]) for start in starts])

    def _answered(self, images: NDArray[np.uint8]) -> Answers:
        count = len(images)
        try:
            given = dict(
                zip(self._outputs, self._session.run(self._outputs, {INPUT: images}), strict=True)
            )
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise ModelError(f"{self._location} fails for {count} pictures: {error}") from error
        shapes = {name: array.shape for name, array in given.items()}
        expected = {OUTPUT: (count, DIGITS), SCORE: (count,)}
        if any(shape != expected[name] for name, shape in shapes.items()):
            raise ModelError(
                f"{self._location} gives {shapes} for {count} pictures; expected one row of "
                f"{DIGITS} for each picture: export it for any number of pictures"
            )
        return Answers(given[OUTPUT], given.get(SCORE))

    def _try(self) -> None:
        """Refuse what gives no answers that can be used, before anything is read."""
        pictures = np.zeros((max(TRIED), 28, 28), np.uint8)
        pictures[1:, 4:24, 12:16] = 255  # the first is blank, the others show a stroke
        answers = joined([self._answered(pictures[:count]) for count in TRIED])
        if not usable(answers.probabilities, answers.digit_scores).any():
            raise ModelError(
                f"{self._location} answers with what are no probabilities, such as "
                f"{answers.probabilities[-1].tolist()}: they have to lie in [0, 1] with the sum 1"
            )


def outdated(model: Model) -> str | None:
    """Return why this digitflow cannot read with a model of another one; None: it can.

    Raises:
        ModelError: it can be used by no digitflow.
    """
    try:
        ModelSession(model, cpu())
    except OutdatedModel as error:
        return error.cause
    return None


def _checked_metadata(session: Any, model: Model) -> dict[str, str]:
    inputs = {i.name: (i.type, i.shape[1:]) for i in session.get_inputs()}
    outputs = {o.name: (o.type, o.shape[1:]) for o in session.get_outputs()}
    plain = {OUTPUT: ("tensor(float)", [DIGITS])}
    scored = plain | {SCORE: ("tensor(float)", [])}
    if inputs != {INPUT: ("tensor(uint8)", [28, 28])} or outputs not in (plain, scored):
        raise ModelError(
            f"{model.location} takes {inputs} and gives {outputs}; expected uint8 (N, 28, 28) "
            f"'{INPUT}', float32 (N, 10) '{OUTPUT}' and perhaps float32 (N,) '{SCORE}'"
        )
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    form = metadata.get("canonical_version")
    if form != CANONICAL_VERSION or "version" not in metadata:
        raise _of_another_digitflow(model, form)
    if model.registered and metadata["version"] != model.name:
        raise ModelError(
            f"{model.location} is registered as {model.name}, but says that it is "
            f"{metadata['version']}: train and promote another version"
        )
    return metadata


def _of_another_digitflow(model: Model, form: str | None) -> ModelError:
    cause = (
        f"{model} was made for canonical form {form or 'unknown'}, this digitflow has "
        f"{CANONICAL_VERSION}"
    )
    if form is None:
        return ModelError(f"{cause}: train again, or use the digitflow it was made with")
    advice = TRAIN_AGAIN if model.registered else "train again"
    error = OutdatedModel(f"{cause}: {advice}, or use the digitflow it was made with")
    error.cause = cause
    return error


def _calibration(metadata: dict[str, str], model: Model) -> Calibration:
    if CALIBRATION not in metadata:
        raise ModelError(
            f"{model.location} carries no risk curve, so that no error can be guaranteed: train "
            "again"
        )
    try:
        return Calibration.from_json(metadata[CALIBRATION])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{model.location} carries a damaged risk curve ({error}): train again"
        ) from error
