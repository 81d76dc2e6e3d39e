"""What a training says of its network, of its epochs and of single answers, as cards keep it."""

from tasks.contracts.base import Contract


class Layer(Contract):
    """One layer of the network."""

    name: str
    type: str
    output_shape: list[int]  # without the batch
    parameters: int
    multiply_adds: int = 0  # for one picture


class Epoch(Contract):
    """One pass over the training part, and how the network stood after it."""

    epoch: int  # from 1
    loss: float  # mean over the augmented training pictures while they were learned, nats
    accuracy: float  # share of the same
    val_loss: float  # of the calibration part
    val_accuracy: float
    seconds: float


class Answer(Contract):
    """The answer to one picture of the test part."""

    index: int
    label: int
    digit: int
    confidence: float
