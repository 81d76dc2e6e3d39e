"""What the gate is given: what was measured of a candidate and of what serves, or why it was not.

A measurement that failed is a `NotMeasured` with its reason, never an exception: the gate has to
write down a refusal even where nothing could be measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.gate.slices import Slice, SliceFiles
from tasks.inference.evaluate_files import FileAnswers
from tasks.metrics.calibration import NO_DIGIT
from tasks.metrics.classification import Parity
from tasks.not_measured import NotMeasured, fails_closed


@dataclass(frozen=True)
class SliceAnswers:
    """How a model answered the N pictures of a slice."""

    labels: NDArray[np.int8]  # (N,), NO_DIGIT for pictures without one
    digits: NDArray[np.int8]  # (N,), NO_ANSWER where the picture was rejected
    read: NDArray[np.bool_]  # (N,)
    confidences: NDArray[np.float32]  # (N,), NaN where it was rejected
    sources: NDArray[np.int64]  # (N,): index in the test part, or -1

    @property
    def right(self) -> NDArray[np.bool_]:
        """Return which pictures have their digit, read or in review; rejected ones have none."""
        return np.asarray((self.digits == self.labels) & (self.labels != NO_DIGIT), np.bool_)


Answers = Mapping[str, SliceAnswers | NotMeasured]  # by the name of the slice


def by_slice(slices: Sequence[SliceFiles], answers: FileAnswers) -> Answers:
    """Return the answers of one reading of all slices, slice by slice.

    A slice of which a file has no answer was not measured.
    """
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(answers.paths):
        rows.setdefault(path, []).append(row)
    return {files.name: _of_slice(files, rows, answers) for files in slices}


@fails_closed
def _of_slice(
    files: SliceFiles, rows: Mapping[str, list[int]], answers: FileAnswers
) -> SliceAnswers:
    pages = [(row, place) for place, path in enumerate(files.paths) for row in rows[path]]
    chosen, places = (np.array(each, np.intp) for each in zip(*pages, strict=True))
    return SliceAnswers(
        labels=files.labels[places],
        digits=answers.digits[chosen],
        read=answers.read[chosen],
        confidences=answers.confidences[chosen],
        sources=files.sources[places],
    )


@dataclass(frozen=True)
class ModelFile:
    """The ONNX file of a version."""

    name: str
    sha256: str


@dataclass(frozen=True)
class ChampionAnswers:
    """The answers of what serves to the same pictures, on the first device of the candidate."""

    model: ModelFile
    answers: Answers


@dataclass(frozen=True)
class Outdated:
    """What serves by the history, but reads nothing with this digitflow."""

    name: str
    reason: str


@dataclass(frozen=True)
class Batches:
    """Whether the answers depend on how many pictures are answered at once."""

    count: int  # pictures
    same: dict[int, bool]  # batch size to whether the digits are those of the first size


@dataclass(frozen=True)
class Resources:
    """What one process needs to answer with the file, on one thread of the processor."""

    file_bytes: int
    input_bytes: int  # of one picture
    memory_mib: float  # more than before the file was loaded, at most
    pictures_per_second: float  # of processor time


@dataclass(frozen=True)
class DataFacts:
    """What training and test part have in common."""

    train_digest: str  # SHA-256 of pictures and labels
    test_digest: str
    leaked: int  # test pictures that are in another part too
    tested: int  # pictures of the test part


@dataclass(frozen=True)
class PredictionChange:
    """One page of a real batch whose answer the candidate changes; None: rejected."""

    root: str
    path: str
    page: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class PredictionChanges:
    """The most recent real batches, read again by what serves and by the candidate."""

    runs: list[str]
    pages: int
    gone: int  # pages of these batches whose files are not there any more
    changes: list[PredictionChange]


@dataclass(frozen=True)
class Evidence:
    """All that a verdict rests on."""

    candidate: ModelFile
    slices: Sequence[Slice]  # every slice that has to be measured
    answers: Mapping[str, Answers | NotMeasured]  # by kind of device
    serving: ChampionAnswers | Outdated | NotMeasured | None  # None: nothing serves yet
    parity: Parity | NotMeasured
    batches: Batches | NotMeasured
    resources: Resources | NotMeasured
    data: DataFacts | NotMeasured
    # None: nothing was read yet, or nothing serves
    prediction_changes: PredictionChanges | NotMeasured | None
    acceptance: Mapping[str, str] = field(default_factory=dict)  # registered sets: their digests
