"""Prove that reading runs on the GPU: device time, the CPU's digits, and the speed of both.

`gpu.py MODEL.onnx` needs numpy, onnxruntime-gpu and the model file; it imports nothing else of
this project but for the training part, which is left out in words where it cannot run. Exit codes:
0 proved, 1 not proved, 77 no GPU.

A provider's name proves little, so the network runs in a stream that this program made and holds:

* the stream first waits HOLD_MS; answers that come only after it ran again were made in it;
* the driver's events on both sides of the network give its time by the GPU's own clock;
* the processor time that went by is a fraction of what the same pictures cost on the CPU.
"""

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvidia import Driver, DriverError, Monitor, NoGpu

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
NO_GPU = 77  # exit code that test runners take as "skipped"
BATCHES = (1, 256, 4_096, 16_384)
TENSOR_CORE_TOLERANCE = 1e-2  # of a probability: ONNX Runtime multiplies in TF32, 10 bits, there
FLOAT32_TOLERANCE = 1e-4
HOLD_MS = 300
CPU_TIME_LIMIT = 0.5  # of what the CPU spends on the same pictures
TIMED_S = 0.5  # of repetitions for one number
BUSY_S = 1.5  # longer than the driver's sample period for utilisation, at most 1 s
NETWORK_OPS = ("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")
TRAINED_PICTURES, TRAINED_EPOCHS = 55_000, 3

Pixels = NDArray[np.uint8]
Answers = NDArray[np.float32]


class NotProved(Exception):
    """A GPU is here, and something that should work on it does not."""


@dataclass(frozen=True)
class Place:
    """Where a network runs, and where its pictures then lie."""

    provider: str
    memory: str  # as OrtValue names it
    options: tuple[tuple[str, str], ...] = ()

    def with_options(self, **options: str) -> "Place":
        """Return it with options of its provider, where it is a GPU."""
        return replace(self, options=tuple(options.items())) if self.provider == CUDA else self


ON_CPU, ON_GPU = Place(CPU, "cpu"), Place(CUDA, "cuda")


def open_session(model: Path, place: Place, profile: Path | None = None) -> Any:
    """Return a session that runs at a place, and nowhere else in silence."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, str(profile / "profile")
    providers: list[Any] = [(place.provider, dict(place.options))]
    if place.provider == CUDA:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints each library it did not find
            onnxruntime.preload_dlls()
        providers.append(CPU)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        raise NotProved(f"{model} does not load: {error}") from error
    if (found := session.get_providers()[0]) != place.provider:
        raise NotProved(f"asked for {place.provider}, ONNX Runtime took {found}")
    return session


def read(session: Any, images: Pixels) -> Answers:
    """Return float32 (N, 10) for uint8 (N, 28, 28) as the reading path does, array to array."""
    answers: Answers = session.run([output_of(session)], {input_of(session): images})[0]
    return answers


def input_of(session: Any) -> str:
    """Return the name of the pictures."""
    return str(session.get_inputs()[0].name)


def output_of(session: Any) -> str:
    """Return the name of the probabilities: the first output."""
    return str(session.get_outputs()[0].name)


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


@dataclass(frozen=True)
class Nodes:
    """What ONNX Runtime's own profile says of one run."""

    by_provider: dict[str, tuple[int, float]]  # nodes, and the host's milliseconds to start them
    strays: list[str]  # nodes of the network's weight that ran elsewhere


def profiled(model: Path, place: Place, images: Pixels) -> Nodes:
    """Return where the nodes of the network ran, in the second of two runs."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(model, place, Path(folder))
        read(session, images)
        read(session, images)
        events = json.loads(Path(session.end_profiling()).read_text())
    begin = [e["ts"] for e in events if e.get("name") == "model_run"][-1]
    nodes: dict[str, tuple[int, float]] = {}
    strays = []
    for event in events:
        is_node = event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
        if not is_node or event["ts"] < begin:
            continue
        provider, operator = event["args"]["provider"], event["args"]["op_name"]
        count, spent = nodes.get(provider, (0, 0.0))
        nodes[provider] = (count + 1, spent + event["dur"] / 1_000)
        if provider != place.provider and operator in NETWORK_OPS:
            strays.append(operator)
    return Nodes(nodes, strays)


class Bound:
    """A session whose pictures and answers lie where it computes, so that nothing is copied."""

    def __init__(self, session: Any, place: Place, images: Pixels) -> None:
        """Put the pictures there and run until nothing is left to be prepared."""
        import onnxruntime

        self._session, self._place = session, place
        self._binding, self._options = session.io_binding(), onnxruntime.RunOptions()
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        self._nothing = np.full((len(images), 10), np.nan, np.float32)
        self._images = self._placed(images)
        self._binding.bind_ortvalue_input(input_of(session), self._images)
        self.forget()
        for _ in range(3):
            session.run_with_iobinding(self._binding)

    def forget(self) -> None:
        """Bind a place for the answers that holds none."""
        self._answers = self._placed(self._nothing)
        self._binding.bind_ortvalue_output(output_of(self._session), self._answers)

    def start(self) -> None:
        """Run, without waiting for the answers where the place allows it."""
        self._session.run_with_iobinding(self._binding, self._options)

    def run(self) -> None:
        """Run and wait."""
        self._session.run_with_iobinding(self._binding)

    def answers(self) -> Answers:
        """Return float32 (N, 10), which is NaN where nobody wrote an answer."""
        answers: Answers = self._answers.numpy()
        return answers

    def _placed(self, array: NDArray[Any]) -> Any:
        import onnxruntime

        return onnxruntime.OrtValue.ortvalue_from_numpy(array, self._place.memory, 0)


@dataclass(frozen=True)
class Held:
    """What came of a run in a stream that was made to wait first."""

    returned_ms: float  # until the host's call was back
    pending: bool  # by the driver's word at that moment
    done_ms: float  # until the stream had got through
    device_ms: float  # of the network, by the GPU's clock
    processor_ms: float  # spent by all threads of this process
    answers: Answers


def held(driver: Driver, model: Path, place: Place, images: Pixels) -> Held:
    """Run the network once in a stream that waits HOLD_MS before it."""
    stream = driver.stream()
    session = open_session(model, place.with_options(user_compute_stream=str(stream.value)))
    bound = Bound(session, place, images)
    bound.forget()
    clock, processor = time.perf_counter(), time.process_time()
    driver.hold(stream, HOLD_MS)
    begin = driver.event(stream)
    bound.start()
    end = driver.event(stream)
    returned, pending = time.perf_counter() - clock, driver.pending(end)
    device_ms = driver.elapsed_ms(begin, end)
    done, spent = time.perf_counter() - clock, time.process_time() - processor
    return Held(returned * 1e3, pending, done * 1e3, device_ms, spent * 1e3, bound.answers())


def seconds_of(work: Callable[[], Any]) -> float:
    """Return the median time of some work, after two runs that do not count."""
    work(), work()
    times, stop = [], time.perf_counter() + TIMED_S
    while len(times) < 3 or time.perf_counter() < stop:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def processor_ms_of(work: Callable[[], Any]) -> float:
    """Return the processor time of all threads for some work."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


@dataclass(frozen=True)
class Check:
    """One thing that had to be shown, and whether it was."""

    name: str
    passed: bool
    measured: str


def speeds(model: Path, place: Place, images: Pixels) -> list[list[str]]:
    """Return a row for each batch size: pictures per second on the CPU and at the place."""
    on_cpu, there = open_session(model, ON_CPU), open_session(model, place)
    rows = []
    for size in BATCHES:
        batch = images[:size]
        cpu = size / seconds_of(lambda batch=batch: read(on_cpu, batch))
        copied = size / seconds_of(lambda batch=batch: read(there, batch))
        resident = size / seconds_of(Bound(there, place, batch).run)
        rates = [f"{rate:,.0f}" for rate in (cpu, copied, resident)]
        rows.append([f"{size:,}", *rates, f"{copied / cpu:.1f}", f"{resident / cpu:.1f}"])
    return rows


def same_answers(model: Path, place: Place, images: Pixels, expected: Answers) -> list[Check]:
    """Return the checks of digits and probabilities, as reading runs and in plain float32."""
    modes = {"": (place, TENSOR_CORE_TOLERANCE)}
    if place.provider == CUDA:
        exact = place.with_options(use_tf32="0")
        modes = {" as reading runs": modes[""], " without TF32": (exact, FLOAT32_TOLERANCE)}
    checks = []
    for mode, (where, tolerance) in modes.items():
        found = read(open_session(model, where), images)
        gap = float(np.abs(found - expected).max())
        ranked = np.sort(expected, axis=1)
        other = found.argmax(1) != expected.argmax(1)
        ties = other & (ranked[:, -1] - ranked[:, -2] <= 2 * tolerance)
        said = f"{np.count_nonzero(~other):,} of {len(images):,} the same"
        said += f", {np.count_nonzero(ties)} ties" if ties.any() else ""
        checks += [
            Check(f"digits{mode}", bool((other == ties).all()), said),
            Check(f"probabilities{mode}", gap <= tolerance, f"{gap:.1e} apart at most"),
        ]
    return checks


def ran_there(nodes: Nodes, place: Place) -> Check:
    """Return the check of ONNX Runtime's own profile."""
    said = ", ".join(
        f"{count} nodes by {provider} ({spent:.1f} ms of the host)"
        for provider, (count, spent) in nodes.by_provider.items()
    )
    passed = place.provider in nodes.by_provider and not nodes.strays
    return Check("profile", passed, said + (f"; strays: {nodes.strays}" if nodes.strays else ""))


def device_checks(run: Held, expected: Answers, cpu_ms: float) -> list[Check]:
    """Return the checks of a held run against what the CPU answered and spent."""
    whole = bool(np.isfinite(run.answers).all())
    gap = float(np.abs(run.answers - expected).max()) if whole else float("nan")
    state = "still waiting" if run.pending else "done"
    return [
        Check(
            "held stream",
            run.done_ms >= HOLD_MS and gap <= TENSOR_CORE_TOLERANCE,
            f"stream waits {HOLD_MS} ms; the call was back after {run.returned_ms:.1f} ms (stream "
            f"{state}), the answers after {run.done_ms:.1f} ms, {gap:.1e} from the CPU's at most",
        ),
        Check("device time", run.device_ms > 0, f"{run.device_ms:.3f} ms by the GPU's clock"),
        Check(
            "processor time",
            run.processor_ms <= CPU_TIME_LIMIT * cpu_ms,
            f"{run.processor_ms:.1f} ms; the CPU provider spends {cpu_ms:.1f} ms on the same",
        ),
    ]


def busy(model: Path, place: Place, images: Pixels, monitor: Monitor) -> list[tuple[str, str]]:
    """Return what the driver's monitor says while the network runs for a moment."""
    bound = Bound(open_session(model, place), place, images)
    stop = time.perf_counter() + BUSY_S
    while time.perf_counter() < stop:
        bound.run()
    return [("utilisation", monitor.utilisation()), ("on the GPU", monitor.processes())]


def examine(model: Path, place: Place, driver: Driver | None) -> list[Check]:
    """Print everything about reading and return the checks; without a driver, what needs none."""
    import onnxruntime

    images = strokes(max(BATCHES))
    on_cpu = open_session(model, ON_CPU)
    expected = read(on_cpu, images)
    cpu_ms = processor_ms_of(lambda: read(on_cpu, images))
    facts = [("onnxruntime", f"{onnxruntime.__version__}, {place.provider}")]
    checks = [ran_there(profiled(model, place, images), place)]
    if driver:
        free, total = driver.memory()
        monitor = Monitor(driver.text("cuDeviceGetPCIBusId"))
        facts += [
            ("GPU", f"{driver.text('cuDeviceGetName')}, {total / 2**30:.0f} GiB"),
            ("capability", driver.capability()),
            ("driver", f"{monitor.driver_version()}, CUDA {driver.cuda_version()}"),
        ]
        checks += device_checks(held(driver, model, place, images), expected, cpu_ms)
        facts += busy(model, place, images, monitor)
        facts.append(("its memory", f"{(free - driver.memory()[0]) / 2**20:,.0f} MiB more in use"))
    checks += same_answers(model, place, images, expected)
    for name, value in facts:
        print(f"{name:<12} {value}")
    show(["check", "", "measured"], [[c.name, verdict(c), c.measured] for c in checks], left=3)
    heads = ["batch", "CPU/s", "GPU/s, copied", "GPU/s, resident", "x CPU", "x CPU"]
    show(heads, speeds(model, place, images))
    return checks


def verdict(check: Check) -> str:
    """Return one word."""
    return "pass" if check.passed else "FAIL"


def show(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 0) -> None:
    """Print a table; the first `left` columns begin at the left, the others end at the right."""
    lines = [heads, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    print()
    for line in lines:
        cells = (
            f"{cell:<{width}}" if at < left else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
    print()


def fit_here(kind: str) -> None:
    """Fit the quick recipe on one kind of device and print what an epoch took, as JSON."""
    from tasks.network import RECIPES
    from tasks.train import Epoch, fit, training_device

    class Silent:
        def on_batch(self, done: int, total: int) -> None: ...
        def on_epoch(self, epoch: Epoch) -> None: ...

    device = training_device("cuda" if kind == "cuda" else "cpu")
    images = np.tile(strokes(TRAINED_PICTURES // 5), (5, 1, 1))
    pairs = images, (np.arange(len(images)) % 10).astype(np.int8)
    few = pairs[0][:1_000], pairs[1][:1_000]
    recipe = replace(RECIPES["quick"], epochs=TRAINED_EPOCHS)
    _, history = fit(pairs, few, recipe, 1, device, Silent())
    seconds = [epoch.seconds for epoch in history]
    print(json.dumps({"device": str(device), "first": seconds[0], "later": min(seconds[1:])}))


def compare_training() -> None:
    """Print a table of an epoch on the GPU and on the CPU, or why there is none."""
    rows, later = [], []
    for kind in ("cuda", "cpu"):
        command = [sys.executable, __file__, "--fit", kind]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            cause = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
            print(f"training     not timed: {cause}")
            return
        facts = json.loads(done.stdout.splitlines()[-1])
        later.append(facts["later"])
        rows.append([facts["device"], f"{facts['first']:.2f}", f"{facts['later']:.2f}"])
    print(f"Training: an epoch of {TRAINED_PICTURES:,} pictures, recipe quick", end="")
    show(["device", "first epoch s", "later epochs s"], rows, left=1)
    print(f"An epoch takes {later[1] / later[0]:.1f} times as long on the CPU.")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", help="ONNX file of digitflow")
    parser.add_argument("--no-train", action="store_true", help="leave the training part out")
    parser.add_argument(
        "--rehearse", action="store_true", help="put the CPU in place of the GPU: proves nothing"
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
    except NotProved as cause:
        print(f"not proved: {cause}")
        return 1
    if not (options.no_train or options.rehearse):
        compare_training()
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
