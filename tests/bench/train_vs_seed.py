"""Our quick recipe beside a beginner's Keras script: seconds to an accuracy, and where both end.

Run `python -m tests.bench.train_vs_seed`; each side trains in a process of its own, one after the
other. Both are asked about the test part after every epoch; nothing is tuned on the answers.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tasks.data.snapshot import Part, ingest
from tasks.settings.base import home

GOAL = 0.9793  # test accuracy
PLAIN_EPOCHS, PLAIN_BATCH = 5, 32


@dataclass
class Run:
    """One training as its process reports it."""

    device: str
    seconds: list[float]  # since the fit began, at the end of each epoch
    accuracy: list[float]  # on the test part, at the same moments

    def to_goal(self) -> str:
        """Return when the goal was reached, as text."""
        pairs = zip(self.seconds, self.accuracy, strict=True)
        reached = [seconds for seconds, accuracy in pairs if accuracy >= GOAL]
        return f"{reached[0]:.1f} s" if reached else "not reached"


class Silent:
    """Progress that nobody watches."""

    def on_batch(self, done: int, total: int) -> None:
        """Take no note."""

    def on_epoch(self, epoch: object) -> None:
        """Take no note."""


def ours(datasets: Path, seed: int) -> Run:
    """Train the quick recipe as `digitflow train` does."""
    from tasks.training.device import training_device
    from tasks.training.fit import fit
    from tasks.training.recipes import RECIPES

    device, snapshot = training_device("auto"), ingest("mnist", datasets)
    train, test = snapshot.part(Part.TRAIN), snapshot.part(Part.TEST)
    _, history = fit(train, test, RECIPES["quick"], seed, device, Silent())
    seconds = [sum(e.seconds for e in history[: e.epoch]) for e in history]
    return Run(str(device), seconds, [epoch.val_accuracy for epoch in history])


def plain(datasets: Path, seed: int) -> Run:
    """Train as the classic first script does: dense layers, Adam, batches of 32, five epochs."""
    from tasks.training.device import training_device
    from tasks.training.network import keras

    device, snapshot = training_device("auto"), ingest("mnist", datasets)
    learned = snapshot.splits != Part.TEST  # the script holds nothing back
    test_images, test_labels = snapshot.part(Part.TEST)
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dense(64, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ended: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ended.append(perf_counter()))
    start = perf_counter()
    history = model.fit(
        snapshot.images[learned] / 255,
        snapshot.labels[learned],
        batch_size=PLAIN_BATCH,
        epochs=PLAIN_EPOCHS,
        validation_data=(test_images / 255, test_labels),
        callbacks=[clock],
        verbose=0,
    )
    return Run(str(device), [end - start for end in ended], history.history["val_accuracy"])


SIDES = {"ours": ours, "plain": plain}


def in_its_own_process(side: str, datasets: Path, seed: int) -> Run:
    """Return what a fresh interpreter reports of one side."""
    command = [sys.executable, "-m", __spec__.name]  # so that neither side warms the other up
    command += ["--side", side, "--datasets", str(datasets), "--seed", str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Run(**json.loads(done.stdout))


def main() -> None:
    """Print the table, or one side's figures as JSON for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=SIDES, help="train this side and print JSON")
    parser.add_argument("--datasets", type=Path, default=home() / "datasets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1, help="with seeds one after another")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(vars(SIDES[options.side](options.datasets, options.seed))))
        return

    ingest("mnist", options.datasets)
    print(f"{'':6}{'seed':>5}{f'to {GOAL:.2%}':>14}{'fit':>9}{'epochs':>8}{'final':>9}")
    for seed in range(options.seed, options.seed + options.repeats):
        for side in SIDES:
            run = in_its_own_process(side, options.datasets, seed)
            print(
                f"{side:6}{seed:5}{run.to_goal():>14}{run.seconds[-1]:7.1f} s"
                f"{len(run.seconds):8}{run.accuracy[-1]:9.2%}",
                flush=True,
            )
    print(f"{run.device}; seconds are of the fit with its validation, without loading libraries")


if __name__ == "__main__":
    main()
