"""The same PNG files read by us and by a plain Keras script: whole process and steady state.

Both use the same network: the champion of DIGITFLOW_HOME where there is one, else the quick recipe
with random weights, which costs the same. Each reading is a process of its own, in turns, so that
whatever else this machine does falls on both. Steady state leaves the start out: ours is from the
moment when each process has committed its first shard (where shards are few, all reading), Keras's
from the first batch to the last. Keras decodes ahead during its first batch, which flatters its
steady state where files are few. The last row is what the hardware allows: `cv2.imread` of the
files in two processes, and nothing else. `--photos 2000` reads simulated phone photos of 448 px
instead, without Keras.

Only runs on an idle machine compare: under load the two lose unequally. The load is printed.

The files are MNIST's test pictures first, then those the champion may have learned from: the
accuracy shows that both read the same, and is no measure of the network.
"""

import argparse
import json
import math
import multiprocessing
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from platformdirs import user_cache_dir
from rich.console import Console
from rich.table import Table

from tasks.data.snapshot import Part, Snapshot, ingest
from tasks.device import usable_cores
from tasks.imaging.form import CANONICAL_VERSION
from tasks.inference.model_file import KERAS_FILE, ONNX_FILE
from tasks.inference.session import CALIBRATION
from tasks.metrics.calibration import calibrate
from tasks.registry.registry import READY, Registry
from tasks.results.commit import ROWS
from tasks.settings.base import models_place
from tasks.synthesis.rasterize import rasterize_digit
from tasks.synthesis.scene import photo

LABELLED = re.compile(r"\d+-(\d)\.\w+")  # number and digit, as `write_pictures` names a file
DECODERS = 2  # processes
FEW_SHARDS = 4
AROUND_READING = ("list", "start", "decide", "check", "other")  # stages
PHOTO, PHOTO_SEED = 448, 12345  # px
DECODERS_START_S = 120  # a decoder whose fellow does not come ends with an error
OURS, KERAS, LIMIT = "digitflow predict", "Keras", "cv2.imread only"


_ready: Barrier


@dataclass(frozen=True)
class Reading:
    """One process that read all the files."""

    whole: float  # seconds
    processor: float  # seconds of all its cores; a busy machine stretches these less, but does
    steady: float  # pictures per second
    digits: dict[str, int]  # by file name


def mnist() -> Snapshot:
    """Return MNIST, from where the tests keep it, too."""
    cache = os.environ.get("DIGITFLOW_TEST_CACHE") or user_cache_dir("digitflow-tests")
    return ingest("mnist", Path(cache) / "datasets")


def write_pictures(folder: Path, count: int) -> None:
    """Write MNIST as PNG files, test pictures first and again from the start after the last."""
    snapshot = mnist()
    pairs = [
        pair
        for part in (Part.TEST, Part.CALIBRATION, Part.TRAIN)
        for pair in zip(*snapshot.part(part), strict=True)
    ]
    for number in range(count):
        image, label = pairs[number % len(pairs)]
        cv2.imwrite(str(folder / f"{number:06}-{label}.png"), image)


def write_photos(folder: Path, count: int) -> None:
    """Write simulated photos of digits drawn from pen paths, as JPEG of 448 px."""
    for number in range(count):
        random = np.random.default_rng([PHOTO_SEED, number])
        digit = number % 10
        ink = rasterize_digit(digit, None, (PHOTO, PHOTO), 0.6 * PHOTO, random)
        picture = photo(ink, random)[..., ::-1]
        quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
        cv2.imwrite(str(folder / f"{number:06}-{digit}.jpg"), picture, quality)


def find_models(folder: Path) -> tuple[Path, str]:
    """Return the folder of the champion, or of a network made for the purpose; and what it is."""
    if champion := Registry(models_place()).champion():
        return champion.folder, f"champion {champion.name}"
    _child("make", folder)
    return folder, "recipe quick, random weights"


def make_models(folder: Path) -> None:
    """Write the untrained quick network to a folder."""
    from tasks.training.export import to_onnx
    from tasks.training.network import build
    from tasks.training.recipes import RECIPES

    model = build(RECIPES["quick"])
    model.save(folder / KERAS_FILE)
    metadata = {
        "version": "untrained",
        "canonical_version": CANONICAL_VERSION,
        CALIBRATION: calibrate(np.eye(10) * 99, np.arange(10)).to_json(),
    }
    to_onnx(model, folder / ONNX_FILE, metadata, temperature=1.0)


def read_by_us(pictures: Path, models: Path) -> Reading:
    """Run `digitflow predict --no-prefect` in a new DIGITFLOW_HOME."""
    from deltalake import DeltaTable

    with tempfile.TemporaryDirectory() as state:
        options = ["--model", str(models / ONNX_FILE), "--no-prefect", "--json", "--max-error", "1"]
        command = [sys.executable, "-m", "flows.cli.main", "predict", str(pictures), *options]
        start = _clocks()
        summary = json.loads(_run(command, DIGITFLOW_HOME=state))
        spent = _since(start)
        table = DeltaTable(summary["results"])
        rows = table.to_pyarrow_table(columns=["path", "digit"]).to_pylist()
        steady = _between_commits(table.history(), summary)
    return Reading(*spent, steady, {row["path"]: row["digit"] for row in rows})


def _between_commits(history: list[dict[str, Any]], summary: dict[str, Any]) -> float:
    """Return the pictures per second after as many shards as there are processes.

    Of all reading where shards are few.
    """
    writes = sorted((one["timestamp"], int(one[ROWS])) for one in history if ROWS in one)
    if len(writes) < FEW_SHARDS + usable_cores():
        reading = (s for name, s in summary["stages"].items() if name not in AROUND_READING)
        return float(summary["found"] / sum(reading))
    # processes that started together commit together: one shard less would count one for nothing
    begun = usable_cores()
    return sum(rows for _, rows in writes[begun:]) / (writes[-1][0] - writes[begun - 1][0]) * 1e3


def read_by_keras(pictures: Path, models: Path, batch: int) -> Reading:
    """Run the Keras script, which is `predict_with_keras` below."""
    start = _clocks()
    facts = json.loads(_child("keras", pictures, models / KERAS_FILE, str(batch)).splitlines()[-1])
    return Reading(*_since(start), facts["steady"], facts["digits"])


def predict_with_keras(pictures: Path, model: Path, batch: int) -> None:
    """Do what Keras's own guide does for a folder, and print the digits as JSON."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    class Clock(keras.callbacks.Callback):
        ticks: list[float] = []  # noqa: RUF012 - there is one clock

        def on_predict_begin(self, logs: object = None) -> None:
            self.ticks.append(time.perf_counter())

        def on_predict_batch_end(self, batch: int, logs: object = None) -> None:
            self.ticks.append(time.perf_counter())

    network = keras.models.load_model(model, compile=False)
    dataset = keras.utils.image_dataset_from_directory(
        pictures,
        labels=None,
        color_mode="grayscale",
        image_size=(28, 28),
        batch_size=batch,
        shuffle=False,
        verbose=False,
    )
    names = [Path(path).name for path in dataset.file_paths]
    images = dataset.map(lambda some: tf.cast(some[..., 0], tf.uint8))
    digits = network.predict(images, callbacks=[Clock()], verbose=0).argmax(1)
    first = 1 if len(names) > batch else 0  # the first batch is left out unless it is the only
    steady = (len(names) - first * batch) / (Clock.ticks[-1] - Clock.ticks[first])
    facts = {"steady": steady, "digits": dict(zip(names, digits.tolist(), strict=True))}
    print(json.dumps(facts))


def decode_only(pictures: Path) -> Reading:
    """Decode all the files with OpenCV in as many processes as there are decoders."""
    files = sorted(str(path) for path in pictures.rglob("*") if path.is_file())
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(DECODERS)
    start = _clocks()
    with ProcessPoolExecutor(DECODERS, context, _begin, (ready,)) as pool:
        slowest = max(pool.map(_decode, [files[at::DECODERS] for at in range(DECODERS)]))
    return Reading(*_since(start), len(files) / slowest, {})


def _begin(ready: Barrier) -> None:
    global _ready  # noqa: PLW0603 - of a decoder process, set when it starts
    _ready = ready
    cv2.setNumThreads(1)


def _decode(files: list[str]) -> float:
    _ready.wait(DECODERS_START_S)
    start = time.perf_counter()
    for file in files:
        cv2.imread(file, cv2.IMREAD_UNCHANGED)
    return time.perf_counter() - start


def _clocks() -> tuple[float, float]:
    """Return the time, and the processor time of the processes that have ended, seconds."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), ended.ru_utime + ended.ru_stime


def _since(start: tuple[float, float]) -> tuple[float, float]:
    now = _clocks()
    return now[0] - start[0], now[1] - start[1]


def _child(*arguments: str | Path) -> str:
    """Run one of this file's own parts in a process of its own and return what it prints."""
    return _run([sys.executable, __file__, "--part", *map(str, arguments)])


def _run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def accuracy(digits: dict[str, int]) -> str:
    """Return the share of right digits among the files whose names hold them."""
    pairs = [(LABELLED.fullmatch(Path(name).name), digit) for name, digit in digits.items()]
    right = [int(label[1]) == digit for label, digit in pairs if label]
    return f"{statistics.mean(right):.2%}" if right else "unknown"


def compare(pictures: Path, models: Path, batch: int, rounds: int) -> dict[str, list[Reading]]:
    """Read in turns, after a decoding that also brings the files into the page cache.

    A batch of 0 leaves Keras out.
    """
    readings = defaultdict(list)
    for _ in range(rounds):
        readings[LIMIT].append(decode_only(pictures))
        readings[OURS].append(read_by_us(pictures, models))
        if batch:
            readings[KERAS].append(read_by_keras(pictures, models, batch))
    return readings


def print_table(readings: dict[str, list[Reading]], count: int, title: str) -> None:
    """Print the medians, how much faster than Keras they are, and which share of decoding alone."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("")
    heads = ("whole s", "x Keras", "processor s", "x Keras", "steady pictures/s", "x Keras")
    for head in (*heads, "x imread", "accuracy"):
        table.add_column(head, justify="right")
    theirs = _medians(readings[KERAS]) if KERAS in readings else (math.nan,) * 3
    limit = _medians(readings[LIMIT])[2]
    for name in (name for name in (OURS, KERAS, LIMIT) if name in readings):
        ours = _medians(readings[name])
        table.add_row(
            name,
            *(f"{ours[0]:.2f}", f"{theirs[0] / ours[0]:.2f}"),
            *(f"{ours[1]:.2f}", f"{theirs[1] / ours[1]:.2f}"),
            *(f"{ours[2]:,.0f}", f"{ours[2] / theirs[2]:.2f}", f"{ours[2] / limit:.2f}"),
            accuracy(readings[name][0].digits) if name != LIMIT else "",
        )
    Console(width=120).print(table)
    if KERAS not in readings:
        return
    found, expected = readings[OURS][0].digits, readings[KERAS][0].digits
    same = sum(found.get(name) == digit for name, digit in expected.items())
    print(f"\nThe two read the same digit in {same:,} of {len(expected):,} files.")
    rates = (f"{name} {count / _medians(readings[name])[0]:,.0f}" for name in (OURS, KERAS))
    print(f"Whole process, pictures/s: {', '.join(rates)}. x Keras: above 1 is faster.")


def _medians(readings: list[Reading]) -> tuple[float, float, float]:
    triples = [(one.whole, one.processor, one.steady) for one in readings]
    whole, processor, steady = (statistics.median(values) for values in zip(*triples, strict=True))
    return whole, processor, steady


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--files", type=int, default=50_000, help="how many to make")
    parser.add_argument("--folder", type=Path, help="read this folder instead of making one")
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many")
    parser.add_argument("--keras-batch", type=int, default=256, help="pictures in Keras's batch")
    parser.add_argument("--photos", type=int, help="make so many photos and leave Keras out")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        return run_part(*options.part)
    with tempfile.TemporaryDirectory() as name:
        made, pictures = Path(name) / "models", options.folder or Path(name) / "pictures"
        made.mkdir()
        if not options.folder:
            pictures.mkdir()
            if options.photos:
                write_photos(pictures, options.photos)
            else:
                write_pictures(pictures, options.files)
        models, network = (READY, "shipped model") if options.photos else find_models(made)
        batch = 0 if options.photos else options.keras_batch
        readings = compare(pictures, models, batch, options.rounds)
        count = len(readings[OURS][0].digits)
        title = f"{count:,} files, {usable_cores()} cores, {network}; medians of {options.rounds}"
        title += f"; load {os.getloadavg()[0]:.1f}"
        print_table(readings, count, title)
    return None


def run_part(name: str, *arguments: str) -> None:
    """Do what needs a process of its own."""
    if name == "make":
        make_models(Path(arguments[0]))
    else:
        predict_with_keras(Path(arguments[0]), Path(arguments[1]), int(arguments[2]))


if __name__ == "__main__":
    main()
