"""An ONNX model in a session: canonical pictures to probabilities, on a device that is known."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.canonical import CANONICAL_VERSION
from tasks.device import CPU_PROVIDER, CUDA_PROVIDER, Device
from tasks.errors import DeviceError, ModelError

BATCH = 256  # pictures in one run of the network: large enough to be fast, small enough for cache
INPUT, OUTPUT = "images", "probabilities"


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

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 (N, 10), rows sum to 1, for uint8 (N, 28, 28) canonical pictures."""
        batches = [
            self._session.run([OUTPUT], {INPUT: images[start : start + BATCH]})[0]
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate(batches) if batches else np.empty((0, 10), np.float32)


def _checked_metadata(session: Any, model: Path) -> dict[str, str]:
    inputs = {i.name: (i.type, i.shape[1:]) for i in session.get_inputs()}
    outputs = {o.name: (o.type, o.shape[1:]) for o in session.get_outputs()}
    expected = {INPUT: ("tensor(uint8)", [28, 28])}
    if inputs != expected or outputs.get(OUTPUT) != ("tensor(float)", [10]):
        raise ModelError(
            f"{model} takes {inputs} and gives {outputs}; expected uint8 (N, 28, 28) '{INPUT}' "
            f"and float32 (N, 10) '{OUTPUT}'"
        )
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    form = metadata.get("canonical_version")
    if form != CANONICAL_VERSION or "version" not in metadata:
        raise ModelError(
            f"{model} was made for canonical form {form or 'unknown'}, this digitflow has "
            f"{CANONICAL_VERSION}: train again, or use the digitflow it was made with"
        )
    return metadata
