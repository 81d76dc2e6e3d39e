"""An ONNX model in a session: canonical pictures to answers, on a device that is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.calibrate import Calibration
from tasks.canonical import CANONICAL_VERSION
from tasks.device import CPU_PROVIDER, CUDA_PROVIDER, Device
from tasks.errors import DeviceError, ModelError, OutdatedModel

BATCH = 256  # pictures in one run of the network: large enough to be fast, small enough for cache
INPUT, OUTPUT, SCORE = "images", "probabilities", "digit_score"
CALIBRATION = "calibration"  # the metadata property that holds it, as JSON


@dataclass(frozen=True)
class Answers:
    """What a model says about N canonical pictures."""

    probabilities: NDArray[np.float32]  # (N, 10), rows sum to 1
    digit_scores: NDArray[np.float32] | None  # (N,): sure that it is one digit; some give none


class Reader:
    """One model, loaded and checked against the contract of its inputs and outputs."""

    def __init__(self, model: Path, device: Device, threads: int = 1) -> None:
        """Load the model on a device; `threads` are those of the network on the CPU.

        Raises:
            ModelError: the file is no ONNX model, or not one of ours for this canonical form.
            DeviceError: the CUDA provider was chosen and does not run.
        """
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        providers = [CUDA_PROVIDER, CPU_PROVIDER] if device.kind == "cuda" else [CPU_PROVIDER]
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise ModelError(f"{model} does not load as an ONNX model: {error}") from error
        self.provider: str = self._session.get_providers()[0]
        if self.provider != providers[0]:
            raise DeviceError(f"{device} was chosen, but ONNX Runtime runs on {self.provider}")
        self.metadata = _checked_metadata(self._session, model)
        self.version = self.metadata["version"]
        self.calibration = _calibration(self.metadata, model)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def answers(self, images: NDArray[np.uint8], batch: int = BATCH) -> Answers:
        """Return what the model says about uint8 (N, 28, 28) canonical pictures, `batch` a run."""
        # without pictures one empty batch gives the shapes
        batches = [
            self._session.run(self._outputs, {INPUT: images[start : start + batch]})
            for start in range(0, max(1, len(images)), batch)
        ]
        whole = {
            name: np.concatenate(parts)
            for name, parts in zip(self._outputs, zip(*batches, strict=True), strict=True)
        }
        return Answers(whole[OUTPUT], whole.get(SCORE))


def _checked_metadata(session: Any, model: Path) -> dict[str, str]:
    inputs = {i.name: (i.type, i.shape[1:]) for i in session.get_inputs()}
    outputs = {o.name: (o.type, o.shape[1:]) for o in session.get_outputs()}
    plain = {OUTPUT: ("tensor(float)", [10])}
    scored = plain | {SCORE: ("tensor(float)", [])}
    if inputs != {INPUT: ("tensor(uint8)", [28, 28])} or outputs not in (plain, scored):
        raise ModelError(
            f"{model} takes {inputs} and gives {outputs}; expected uint8 (N, 28, 28) '{INPUT}', "
            f"float32 (N, 10) '{OUTPUT}' and perhaps float32 (N,) '{SCORE}'"
        )
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    form = metadata.get("canonical_version")
    if form != CANONICAL_VERSION or "version" not in metadata:
        raise (OutdatedModel if form else ModelError)(
            f"{model} was made for canonical form {form or 'unknown'}, this digitflow has "
            f"{CANONICAL_VERSION}: train again, or use the digitflow it was made with"
        )
    return metadata


def _calibration(metadata: dict[str, str], model: Path) -> Calibration:
    if CALIBRATION not in metadata:
        raise ModelError(
            f"{model} carries no risk curve, so that no error can be promised: train again"
        )
    try:
        return Calibration.from_json(metadata[CALIBRATION])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{model} carries a damaged risk curve ({error}): train again") from error
