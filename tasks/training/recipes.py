"""The recipes: networks and how they are fitted, as data that a card can hold; no TensorFlow."""

from dataclasses import asdict, dataclass
from typing import Any

OPTIMIZER = "keras.optimizers.Adam"  # of tasks/training/fit.py: another gives other weights


@dataclass(frozen=True)
class Convolution:
    """One convolution and its ReLU, followed by max pooling where `pool` > 1."""

    filters: int  # in fours: ONNX Runtime's fast convolutions take no other inputs
    kernel: int  # pixels, square
    stride: int = 1  # pixels
    pool: int = 1  # pixels, square
    padding: str = "valid"


@dataclass(frozen=True)
class Simulation:
    """What is drawn for training beside the data: see tasks/synthesis/generate.py."""

    elastic_copies: int  # elastic deformations of each picture of the training part
    digits: int  # digits in simulated scans and photos
    no_digits: int  # simulated pictures that are no digit


@dataclass(frozen=True)
class Recipe:
    """A network and how it is fitted; an entry in RECIPES is all that another recipe takes."""

    name: str
    convolutions: tuple[Convolution, ...]
    dropout: float  # share of the last convolution's outputs
    epochs: int
    batch_size: int
    learning_rate: float  # the peak of the one cycle
    rotation_degrees: float = 0.0  # augmentation, each up to so much either way
    zoom: float = 0.0  # share of the side; also of the slant
    shift: float = 0.0  # pixels
    dense_units: int = 0  # of a dense layer between the convolutions and the answers; 0: none
    smoothing: float = 0.0  # share of each label that is spread over all ten digits
    weight_decay: float = 0.0  # per step, times the learning rate (Loshchilov and Hutter, 2019)
    ema_momentum: float = 0.0  # of the moving average of the weights, which is then the model;
    # 0.999 averages over some 1,000 steps, of the 20,000 and more that `standard` takes
    simulation: Simulation | None = None  # with one, the network also says if it is one digit
    optimizer: str = OPTIMIZER

    def to_dict(self) -> dict[str, Any]:
        """Return the same as JSON holds it."""
        return asdict(self) | {"convolutions": [asdict(each) for each in self.convolutions]}


RECIPES = {
    "quick": Recipe(
        name="quick",
        convolutions=(Convolution(16, 5, 2), Convolution(32, 3, pool=2), Convolution(64, 3)),
        dropout=0.25,
        epochs=8,
        batch_size=128,
        learning_rate=0.004,
        rotation_degrees=9,
        zoom=0.1,
        shift=1,
    ),
    "standard": Recipe(
        name="standard",
        convolutions=(
            Convolution(24, 5, 2),
            Convolution(48, 3, 2, padding="same"),
            Convolution(64, 3),
        ),
        dropout=0.15,
        dense_units=88,
        epochs=24,
        batch_size=256,
        learning_rate=0.0025,
        shift=1,
        smoothing=0.03,
        weight_decay=0.02,
        ema_momentum=0.999,
        simulation=Simulation(elastic_copies=2, digits=160_000, no_digits=48_000),
    ),
}
