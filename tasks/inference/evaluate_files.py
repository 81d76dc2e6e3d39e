"""A model's answers to files, by the code that reads folders: what the gate judges a model by."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.device import Device
from tasks.errors import ModelError
from tasks.inference.batch import ReadPlan
from tasks.inference.decision import guaranteed_or_review
from tasks.inference.model_file import Model
from tasks.inference.shard import OnFiles, read_rows, tell_nobody
from tasks.inference.worker import WorkerStart
from tasks.inference.worker_pool import WorkerPool, workers_for
from tasks.inputs.base import Entry, Inputs
from tasks.metrics.calibration import Calibration
from tasks.outcomes import Reason, Status

NO_ANSWER = -1  # the digit of a picture that was rejected
DECODE_S = 30.0  # seconds for one file


@dataclass(frozen=True)
class FileAnswers:
    """What became of N pages, in the order of the files that were given."""

    paths: list[str]  # (N,), as rows name them
    reasons: list[str]  # (N,)
    digits: NDArray[np.int8]  # (N,), NO_ANSWER where the page was rejected
    read: NDArray[np.bool_]  # (N,): neither in review nor rejected
    confidences: NDArray[np.float32]  # (N,), NaN where rejected


def answers_of_files(
    model: Model,
    device: Device,
    inputs: Inputs,
    paths: Sequence[bytes],
    max_error: float,
    on_files: OnFiles = tell_nobody,
) -> FileAnswers:
    """Read files as `digitflow predict` does, without writing to the results table.

    Args:
        model: which.
        device: where the network runs.
        inputs: where the files lie.
        paths: of the files, at least one.
        max_error: the error that is accepted. A model that cannot guarantee it reads nothing; what
            it would answer is still known, as of everything in review.
        on_files: is told how many more files were read, from any thread.

    Raises:
        ModelError: the model cannot be used, or an answer is no probability: that proves nothing.
        DigitflowError: the device cannot be used.
    """
    entries = [Entry(path, None, None) for path in paths]
    with WorkerPool(WorkerStart(model, device, DECODE_S)) as pool:
        calibration = Calibration.from_json(pool.session_facts().calibration)
        plan = ReadPlan("gate", inputs, guaranteed_or_review(max_error, calibration))
        workers = workers_for(len(paths), size=0)
        pool.resize(workers)
        size = -(-len(paths) // workers)
        parts = [entries[start : start + size] for start in range(0, len(paths), size)]
        with ThreadPoolExecutor(workers) as threads:
            read = list(threads.map(lambda part: read_rows(plan, part, pool, on_files)[0], parts))
    rows = pa.concat_tables(read)
    if useless := pc.sum(pc.equal(rows["reason"], Reason.NO_ANSWER)).as_py():
        raise ModelError(
            f"{model.location} answers {useless:,} of {rows.num_rows:,} pictures with something "
            "that is no probability"
        )
    return _answers(rows)


def _answers(rows: pa.Table) -> FileAnswers:
    return FileAnswers(
        paths=rows["path"].to_pylist(),
        reasons=rows["reason"].to_pylist(),
        digits=rows["digit"].fill_null(NO_ANSWER).to_numpy(zero_copy_only=False).astype(np.int8),
        read=np.array([status == Status.READ for status in rows["status"].to_pylist()]),
        confidences=rows["confidence"].to_numpy(zero_copy_only=False).astype(np.float32),
    )
