"""A model's answers to files, by the code that reads folders: what the gate judges a model by."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.calibrate import threshold_for
from tasks.decide import Thresholds
from tasks.device import Device
from tasks.discover import LISTING_SCHEMA, ROW_GROUP, Shard
from tasks.errors import InputError
from tasks.reader import calibration_of
from tasks.reasons import Status
from tasks.results import PROBABILITIES
from tasks.shard import ReadPlan
from tasks.workers import Workers

NO_ANSWER = -1  # the digit of a picture that was rejected
NEVER = 1.01  # a confidence that no answer has: everything goes to review


@dataclass(frozen=True)
class FileAnswers:
    """What became of N pages, in the order of the files that were given."""

    paths: list[str]  # (N,), as rows name them
    digits: NDArray[np.int8]  # (N,), NO_ANSWER where the page was rejected
    read: NDArray[np.bool_]  # (N,): neither in review nor rejected
    confidences: NDArray[np.float32]  # (N,), NaN where rejected, or where a probability was NaN


def answers_of_files(
    model: Path, device: Device, root: Path, paths: Sequence[str], max_error: float
) -> FileAnswers:
    """Read files as `digitflow predict` does, without writing to the results table.

    Args:
        model: the ONNX file.
        device: where the network runs.
        root: folder of the files.
        paths: relative to it.
        max_error: the error that is accepted. A model that cannot promise it reads nothing; what
            it would answer is still known, as of everything in review.

    Raises:
        DigitflowError: the model or the device cannot be used.
    """
    with TemporaryDirectory() as scratch:
        listing = Path(scratch) / "listing.parquet"
        listed = pa.table({"path": [os.fsencode(path) for path in paths]}, LISTING_SCHEMA)
        pq.write_table(listed, listing, row_group_size=ROW_GROUP)
        plan = ReadPlan("gate", root, listing, _thresholds(model, max_error))
        with Workers(plan, model, device, len(paths), workers=0) as workers:
            stretches = list(workers.read(Shard(0, 0, len(paths))))
    return _answers(pa.concat_tables(stretches))


def _thresholds(model: Path, max_error: float) -> Thresholds:
    calibration = calibration_of(model)
    try:
        confidence = threshold_for(max_error, calibration.curve).confidence
    except InputError:
        confidence = NEVER
    return Thresholds(confidence, calibration.min_digit_score, calibration.sure_digit_score)


def _answers(rows: pa.Table) -> FileAnswers:
    answered = rows["digit"].is_valid().to_numpy(zero_copy_only=False)
    whole = sum(
        rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in PROBABILITIES
    )
    confidences = rows["confidence"].to_numpy(zero_copy_only=False).astype(np.float32)
    confidences[answered & ~np.isfinite(whole)] = np.nan
    return FileAnswers(
        paths=rows["path"].to_pylist(),
        digits=rows["digit"].fill_null(NO_ANSWER).to_numpy(zero_copy_only=False).astype(np.int8),
        read=np.array([status == Status.READ for status in rows["status"].to_pylist()]),
        confidences=confidences,
    )
