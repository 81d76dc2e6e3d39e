"""Make the model that ships with the package: train on MNIST, judge, copy what was accepted.

python -m flows.release_model                 train it anew
python -m flows.release_model VERSION_FOLDER  keep the weights of a version: calibrate,
export and judge them anew
"""

import sys
from pathlib import Path

from flows.terminal.console import Console
from flows.train import train, train_again
from tasks.errors import DigitflowError, GateRefused
from tasks.registry.registry import Registry, ship
from tasks.settings.base import models_place
from tasks.settings.training import TrainSettings


def make(weights: Path | None = None) -> None:
    """Train with the default recipe and settings; the gate decides whether the result ships.

    Args:
        weights: folder of a version whose weights are kept, with its Keras file and its card.

    Raises:
        GateRefused: it did not pass; what shipped before is unchanged.
    """
    console = Console()
    settings = TrainSettings(promote=False)
    outcome = train_again(weights, settings, console) if weights else train(settings, console)
    if not outcome.accepted:
        raise GateRefused(outcome.sentence)
    ship(Registry(models_place()).load(outcome.version))
    console.log("Model", outcome.version)


if __name__ == "__main__":
    try:
        make(*map(Path, sys.argv[1:2]))
    except DigitflowError as error:
        raise SystemExit(f"release-model: {error}") from error
