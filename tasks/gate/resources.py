"""What a model file needs, and whether its answers depend on how many pictures come at once.

Both are found out in a process of their own, as a network need not come to an end.
"""

import multiprocessing
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.device import Device, cpu
from tasks.errors import ModelError
from tasks.gate.evidence import Batches, Resources
from tasks.inference.model_file import Model
from tasks.inference.session import ModelSession

ROUNDS = 3  # the fastest counts
LONGEST_S = 120.0  # for what takes seconds

T = TypeVar("T")

RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss


def batches(
    model: Model, device: Device, images: NDArray[np.uint8], sizes: tuple[int, ...]
) -> Batches:
    """Return whether the digits are the same in batches of these sizes.

    Args:
        model: the candidate.
        device: where the network runs.
        images: uint8 (N, 28, 28) canonical pictures.
        sizes: pictures at once; the first is what the others are compared with.

    Raises:
        ModelError: it cannot be used, or does not come to an end.
    """
    return _apart(_batches, model, device, images, sizes)


def _batches(
    model: Model, device: Device, images: NDArray[np.uint8], sizes: tuple[int, ...]
) -> Batches:
    session = ModelSession(model, device)
    digits = [session.answers(images, size).probabilities.argmax(1) for size in sizes]
    same = {size: bool((some == digits[0]).all()) for size, some in zip(sizes, digits, strict=True)}
    return Batches(len(images), same)


def resources(model: Model, images: NDArray[np.uint8]) -> Resources:
    """Return what it takes to answer with a file; see `batches` for what it raises."""
    memory, speed = _apart(_used, model, images)
    return Resources(len(model.onnx), images[0].nbytes, memory, speed)


def _apart(function: Callable[..., T], model: Model, *more: object) -> T:
    """Return what a function says of a model in a process that does nothing else."""
    context = multiprocessing.get_context("spawn")  # a forked one would start with this memory
    with context.Pool(1) as process:
        try:
            return process.apply_async(function, (model, *more)).get(LONGEST_S)
        except multiprocessing.TimeoutError:
            raise ModelError(
                f"{model.location} does not come to an end within {LONGEST_S:g} s"
            ) from None


def _used(model: Model, images: NDArray[np.uint8]) -> tuple[float, float]:
    import onnxruntime  # noqa: F401 - its own memory is not the model's

    before = _peak()
    session = ModelSession(model, cpu())
    seconds = []
    for _ in range(ROUNDS):
        start = process_time()
        session.answers(images)
        seconds.append(process_time() - start)
    return (_peak() - before) / 2**20, len(images) / max(1e-9, min(seconds))


def _peak() -> int:
    """Return the most memory that this process had, bytes.

    Linux hands ru_maxrss on to programs that a process starts, so it would be that of the parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
