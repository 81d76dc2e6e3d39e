"""Prove that reading runs on the GPU: device time, the CPU's digits, and the speed of both.

`gpu.py MODEL.onnx` needs numpy, onnxruntime-gpu, the model file and the two files beside it; it
imports nothing else of this project but for the training part, which is left out in words where it
cannot run. Exit codes: 0 proved, 1 not proved, 77 no GPU.

A provider's name proves little, so the network runs in a stream that this program made and holds:

* the stream first waits a while: answers that come only after that were made in it;
* the driver's events before and after the network give its time by the GPU's own clock;
* the processor time that went by is a fraction of what the same pictures cost on the CPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cuda_driver import Driver, DriverError, Monitor, NoGpu
from gpu_reading import (
    CUDA,
    HOLD_MS,
    ON_CPU,
    ON_GPU,
    Answers,
    Bound,
    Held,
    NotProved,
    Pixels,
    Place,
    Profile,
    held,
    open_session,
    profiled,
    read,
)

NO_GPU = 77  # exit code that test runners take as "skipped"
BATCHES = (1, 256, 4_096, 16_384)  # pictures
TF32_TOLERANCE = 1e-2  # of a probability: the CUDA provider multiplies with 10-bit mantissas
FLOAT32_TOLERANCE = 1e-4
PROCESSOR_SHARE = 0.5  # of what the CPU provider spends on the same pictures, at most
TIMED_S = 0.5  # of repetitions for one number
BUSY_S = 1.5  # longer than the driver's sample period for utilisation, at most 1 s
TRAINED_PICTURES, TRAINED_EPOCHS = 55_000, 3


@dataclass(frozen=True)
class Check:
    """One thing that had to be shown, and whether it was."""

    name: str
    passed: bool
    measured: str


def strokes(count: int, seed: int = 1) -> Pixels:
    """Return uint8 (count, 28, 28): bent strokes, bright on 0, inside the middle 20 x 20 pixels."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(28), np.arange(28)), -1).reshape(1, 1, 784, 2)
    grid = grid.astype(np.float32)
    images = np.empty((count, 28, 28), np.uint8)
    for start in range(0, count, 1_024):
        some = min(1_024, count - start)
        corners = random.uniform(5, 23, (some, 4, 1, 2)).astype(np.float32)
        begin, along = corners[:, :-1], np.diff(corners, axis=1)
        reach = ((grid - begin) * along).sum(-1, keepdims=True) / (along**2).sum(-1, keepdims=True)
        gap = np.linalg.norm(grid - begin - along * np.clip(reach, 0, 1), axis=-1).min(1)
        ink = np.clip((2.0 - gap) * 255, 0, 255)
        images[start : start + some] = ink.reshape(some, 28, 28).astype(np.uint8)
    return images


def ran_there(profile: Profile, place: Place) -> Check:
    """Return the check of ONNX Runtime's own profile."""
    said = ", ".join(
        f"{count} nodes by {provider} ({spent:.1f} ms of the host)"
        for provider, (count, spent) in profile.nodes.items()
    )
    strays = f"; elsewhere: {', '.join(profile.strays)}" if profile.strays else ""
    passed = place.provider in profile.nodes and not profile.strays
    return Check("profile", passed, said + strays)


def device_checks(run: Held, expected: Answers, cpu_ms: float) -> list[Check]:
    """Return the checks of a held run against what the CPU answered and spent."""
    gap = float(np.abs(run.answers - expected).max())  # NaN if an answer is missing
    state = "still waiting" if run.pending else "done"
    late = f"the stream waits {HOLD_MS} ms; the call was back after {run.returned_ms:.1f} ms "
    late += f"(stream {state}), the answers, {gap:.1e} from the CPU's, after {run.done_ms:.1f} ms"
    spent = f"{run.processor_ms:.1f} ms; the CPU provider spends {cpu_ms:.1f} ms on the same"
    return [
        Check("held stream", run.done_ms >= HOLD_MS and gap <= TF32_TOLERANCE, late),
        Check("device time", run.device_ms > 0, f"{run.device_ms:.3f} ms by the GPU's clock"),
        Check("processor time", run.processor_ms <= PROCESSOR_SHARE * cpu_ms, spent),
    ]


def same_answers(model: Path, place: Place, images: Pixels, expected: Answers) -> list[Check]:
    """Return the checks of digits and probabilities, as reading runs and in plain float32."""
    if place.provider != CUDA:
        return _compared("", read(open_session(model, place), images), expected, FLOAT32_TOLERANCE)
    reading = read(open_session(model, place), images)
    exact = read(open_session(model, place.with_options(use_tf32="0")), images)
    return [
        *_compared(" as reading runs", reading, expected, TF32_TOLERANCE),
        *_compared(" without TF32", exact, expected, FLOAT32_TOLERANCE),
    ]


def _compared(mode: str, found: Answers, expected: Answers, tolerance: float) -> list[Check]:
    gap = float(np.abs(found - expected).max())
    ranked = np.sort(expected, axis=1)
    other = found.argmax(1) != expected.argmax(1)
    ties = other & (ranked[:, -1] - ranked[:, -2] <= 2 * tolerance)
    said = f"{np.count_nonzero(~other):,} of {len(found):,} the same"
    said += f", the others are ties within {2 * tolerance}" if ties.any() else ""
    return [
        Check(f"digits{mode}", bool((other == ties).all()), said),
        Check(f"probabilities{mode}", gap <= tolerance, f"{gap:.1e} apart at most"),
    ]


def speeds(model: Path, place: Place, images: Pixels) -> list[list[str]]:
    """Return a row for each batch size: pictures per second on the CPU and at the place."""
    on_cpu, there = open_session(model, ON_CPU), open_session(model, place)
    rows = []
    for size in BATCHES:
        batch = images[:size]
        cpu = size / _seconds_of(lambda batch=batch: read(on_cpu, batch))
        copied = size / _seconds_of(lambda batch=batch: read(there, batch))
        resident = size / _seconds_of(Bound(there, place, batch).run)
        rates = [f"{rate:,.0f}" for rate in (cpu, copied, resident)]
        rows.append([f"{size:,}", *rates, f"{copied / cpu:.1f}", f"{resident / cpu:.1f}"])
    return rows


def _seconds_of(work: Callable[[], Any]) -> float:
    """Return the median time of some work, after two runs that do not count."""
    work(), work()
    times, stop = [], time.perf_counter() + TIMED_S
    while len(times) < 3 or time.perf_counter() < stop:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def busy(model: Path, place: Place, images: Pixels, monitor: Monitor) -> list[tuple[str, str]]:
    """Return what the driver's monitor says while the network runs for a moment."""
    bound = Bound(open_session(model, place), place, images)
    stop = time.perf_counter() + BUSY_S
    while time.perf_counter() < stop:
        bound.run()
    return [("utilisation", monitor.utilisation()), ("processes", monitor.processes())]


def examine(model: Path, place: Place, driver: Driver | None) -> list[Check]:
    """Print what was found of reading and return the checks; without a driver, those without it."""
    import onnxruntime

    images = strokes(max(BATCHES))
    on_cpu = open_session(model, ON_CPU)
    expected = read(on_cpu, images)
    facts = [("onnxruntime", f"{onnxruntime.__version__}, {place.provider}")]
    checks = [ran_there(profiled(model, place, images), place)]
    if driver:
        processor = time.process_time()
        read(on_cpu, images)
        cpu_ms = (time.process_time() - processor) * 1e3
        checks += device_checks(held(driver, model, place, images), expected, cpu_ms)
        facts += describe(driver, model, place, images)
    checks += same_answers(model, place, images, expected)
    show(["", ""], facts, left=2)
    rows = [[check.name, "pass" if check.passed else "FAIL", check.measured] for check in checks]
    show(["check", "", "measured"], rows, left=3)
    print("Pictures per second: copied is array to array; resident finds them on the device.\n")
    heads = ["batch", "CPU", "GPU copied", "GPU resident", "copied/CPU", "resident/CPU"]
    show(heads, speeds(model, place, images))
    return checks


def describe(driver: Driver, model: Path, place: Place, images: Pixels) -> list[tuple[str, str]]:
    """Return what the driver says of its GPU, and of this process on it."""
    monitor = Monitor(driver.text("cuDeviceGetPCIBusId"))
    free, total = driver.memory()
    return [
        ("GPU", f"{driver.text('cuDeviceGetName')}, compute capability {driver.capability()}"),
        ("memory", f"{total / 2**30:.0f} GiB, {(total - free) / 2**20:,.0f} MiB in use"),
        ("driver", f"{monitor.driver_version()}, CUDA {driver.cuda_version()}"),
        *busy(model, place, images, monitor),
    ]


def show(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 0) -> None:
    """Print a table; the first `left` columns begin at the left, the others end at the right."""
    lines = [heads, *rows] if any(heads) else list(rows)
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    for line in lines:
        cells = (
            f"{cell:<{width}}" if at < left else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
    print()


def fit_here(kind: str) -> None:
    """Fit the quick recipe on one kind of device and print what its epochs took, as JSON."""
    from tasks.contracts.training import Epoch
    from tasks.training.device import training_device
    from tasks.training.fit import fit
    from tasks.training.recipes import RECIPES

    class Silent:
        def on_batch(self, done: int, total: int) -> None: ...
        def on_epoch(self, epoch: Epoch) -> None: ...

    device = training_device("cuda" if kind == "cuda" else "cpu")
    images = np.tile(strokes(TRAINED_PICTURES // 5), (5, 1, 1))
    labels = (np.arange(len(images)) % 10).astype(np.int8)
    recipe = replace(RECIPES["quick"], epochs=TRAINED_EPOCHS)
    few = images[:1_000], labels[:1_000]
    _, history = fit((images, labels), few, recipe, 1, device, Silent())
    print(json.dumps({"device": str(device), "seconds": [epoch.seconds for epoch in history]}))


def compare_training() -> None:
    """Print what an epoch takes on the GPU and on the CPU, or why that is not known."""
    rows, later = [], []
    for kind in ("cuda", "cpu"):
        command = [sys.executable, __file__, "--fit", kind]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            cause = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
            print(f"Training was not timed: {cause}")
            return
        facts = json.loads(done.stdout.splitlines()[-1])
        later.append(min(facts["seconds"][1:]))
        rows.append([facts["device"], f"{facts['seconds'][0]:.2f}", f"{later[-1]:.2f}"])
    print(f"Training: seconds for an epoch of {TRAINED_PICTURES:,} pictures, recipe quick.\n")
    show(["device", "first epoch", "later"], rows, left=1)
    print(f"The CPU takes {later[1] / later[0]:.1f} times as long.")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", help="ONNX file of digitflow")
    parser.add_argument("--no-train", action="store_true", help="leave the training part out")
    parser.add_argument(
        "--rehearse", action="store_true", help="put the CPU in the GPU's place: proves nothing"
    )
    parser.add_argument("--fit", choices=["cpu", "cuda"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        fit_here(options.fit)
        return 0
    driver = None
    try:
        driver = Driver()
    except NoGpu as cause:
        if not options.rehearse:
            print(f"no GPU: {cause}")
            return NO_GPU
    if options.model is None:
        parser.error("give the ONNX file of a model")
    try:
        checks = examine(options.model, ON_CPU if options.rehearse else ON_GPU, driver)
    except (DriverError, NotProved) as cause:
        print(f"not proved: {cause}")
        return 1
    if not (options.no_train or options.rehearse):
        compare_training()
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
