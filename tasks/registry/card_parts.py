"""The parts of a model card as they stand in its JSON; a key that a card may lack has a default."""

from typing import Literal

from pydantic import Field, JsonValue

from tasks.contracts.base import Contract
from tasks.contracts.training import Answer
from tasks.contracts.verdict import Digest
from tasks.device import Device
from tasks.metrics import calibration, classification, risk_curve


class CardDevice(Contract):
    """What the network was fitted on."""

    kind: Literal["cpu", "cuda"]
    name: str
    detail: str

    def device(self) -> Device:
        """Return it as what work runs on."""
        return Device(self.kind, self.name, self.detail)


class CardAdded(Contract):
    """What was added to the training part of the data; see `tasks.data.snapshot_facts`."""

    base: Digest  # of the snapshot that it was added to
    what: str
    pictures: int
    times: int  # that each of them is there
    left_out: dict[str, int]


class CardDataset(Contract):
    """What of a snapshot's facts a card repeats."""

    name: str
    digest: Digest
    source: str | None = None
    licence: str | None = None
    counts: dict[str, list[int]] | None = None  # by part: pictures of each digit
    duplicates: dict[str, int] | None = None
    first_labels: list[int] | None = None
    converted: list[str] | None = None  # what of the data was taken for what, in words
    added: CardAdded | None = None


class CardCurve(Contract):
    """How many calibration digits each threshold lets through, and how many of them wrong."""

    digits: int
    thresholds: list[float]
    accepted: list[int]
    wrong: list[int]

    def risk_curve(self) -> risk_curve.RiskCurve:
        """Return it as what thresholds are chosen by.

        Raises:
            ValueError, TypeError: no calibration can have found these counts.
        """
        columns = (tuple(self.thresholds), tuple(self.accepted), tuple(self.wrong))
        return risk_curve.RiskCurve(self.digits, *columns)


class CardCalibration(Contract):
    """What calibration found; see `tasks.metrics.calibration.Calibration`."""

    temperature: float
    error_before: float
    error_after: float
    min_digit_score: float
    sure_digit_score: float
    no_digits: int
    no_digits_rejected: float
    no_digits_refused: float
    curve: CardCurve
    kinds: dict[str, CardCurve] = Field(
        default_factory=dict
    )  # of earlier versions: none were told apart

    def curves(self) -> dict[str, risk_curve.RiskCurve]:
        """Return the curve of each kind of picture, as thresholds are chosen by.

        Raises:
            ValueError, TypeError: no calibration can have found these counts.
        """
        kinds = self.kinds or {calibration.EVERY: self.curve}
        return {kind: curve.risk_curve() for kind, curve in kinds.items()}


class CardMetrics(Contract):
    """How the test part was answered; see `tasks.metrics.classification.Metrics`."""

    count: int
    correct: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    loss: float
    calibration_error: float
    recall: list[float]
    confusion: list[list[int]]
    mistakes: list[Answer]  # the surest wrong answers first


class Golden(Contract):
    """A few pictures with the answers that the model gave when it was registered."""

    pictures: str  # uint8 (N, 28, 28), zlib, base64
    probabilities: list[list[float]]  # (N, 10)


class CardParity(Contract):
    """How far Keras and ONNX Runtime agree; see `tasks.metrics.classification.Parity`."""

    count: int
    batch_sizes: list[int]
    same_digits: bool
    max_difference: float

    def parity(self) -> classification.Parity:
        """Return it as what the gate judges."""
        return classification.Parity(
            self.count, self.batch_sizes, self.same_digits, self.max_difference
        )


class CardChanges(Contract):
    """What the candidate would have changed in the most recent real pictures."""

    runs: list[str]
    pages: int
    gone: int
    flips: int


class CardUnknown(Contract):
    """Why something was not measured."""

    reason: str


Values = dict[str, JsonValue]  # settings and recipes, whose names differ from version to version
