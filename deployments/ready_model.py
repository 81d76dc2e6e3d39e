"""Make the model that ships with the package: train on MNIST, judge, copy what was accepted."""

from flows.engine import PlainEngine
from flows.train import train
from tasks.errors import DigitflowError, GateRefused
from tasks.registry import Registry, ship
from tasks.settings import TrainSettings, home


def make() -> None:
    """Train with the default recipe and settings; the gate decides whether the result ships.

    Raises:
        GateRefused: it did not pass; what shipped before is unchanged.
    """
    engine = PlainEngine()
    outcome = train(TrainSettings(promote=False), engine)
    if not outcome.accepted:
        raise GateRefused(outcome.sentence)
    ship(Registry(home() / "models").load(outcome.version))
    engine.say("Ready model", outcome.version)


if __name__ == "__main__":
    try:
        make()
    except DigitflowError as error:
        raise SystemExit(f"ready-model: {error}") from error
