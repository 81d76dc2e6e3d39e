"""A network run where it is told to, and what can be observed of that; numpy and ONNX Runtime only.

Everything but `held` also runs on the CPU provider, where it can be tested without a GPU.
"""

import contextlib
import io
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cuda_driver import Driver
from numpy.typing import NDArray

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
WEIGHTY = ("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")  # where work is
HOLD_MS = 300

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
    """Return a session that runs at a place, and nowhere else in silence.

    Raises:
        NotProved: the model does not load, or ONNX Runtime chose another provider.
    """
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
        raise NotProved(f"{place.provider} was asked for, ONNX Runtime took {found}")
    return session


def read(session: Any, images: Pixels) -> Answers:
    """Return float32 (N, 10) for uint8 (N, 28, 28), array to array as the reading path does."""
    answers: Answers = session.run([_output(session)], {_input(session): images})[0]
    return answers


def _input(session: Any) -> str:
    return str(session.get_inputs()[0].name)


def _output(session: Any) -> str:
    return str(session.get_outputs()[0].name)  # the probabilities come first


@dataclass(frozen=True)
class Profile:
    """What ONNX Runtime itself says of one run."""

    nodes: dict[str, tuple[int, float]]  # by provider: how many, and the host's ms to start them
    strays: list[str]  # weighty nodes that ran on another provider


def profiled(model: Path, place: Place, images: Pixels) -> Profile:
    """Return where the nodes of the network ran, in the second of two runs."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(model, place, Path(folder))
        read(session, images)
        read(session, images)
        events = json.loads(Path(session.end_profiling()).read_text())
    begin = [event["ts"] for event in events if event.get("name") == "model_run"][-1]
    nodes: dict[str, tuple[int, float]] = {}
    strays = []
    for event in events:
        is_node = event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
        if not is_node or event["ts"] < begin:
            continue
        provider, operator = event["args"]["provider"], event["args"]["op_name"]
        count, spent = nodes.get(provider, (0, 0.0))
        nodes[provider] = (count + 1, spent + event["dur"] / 1_000)
        if provider != place.provider and operator in WEIGHTY:
            strays.append(operator)
    return Profile(nodes, strays)


class Bound:
    """A session whose pictures and answers lie where it computes, so that nothing is copied."""

    def __init__(self, session: Any, place: Place, images: Pixels) -> None:
        """Put the pictures there, and run until nothing is left to be prepared."""
        import onnxruntime

        self._session, self._place, self._count = session, place, len(images)
        self._binding, self._no_wait = session.io_binding(), onnxruntime.RunOptions()
        self._no_wait.add_run_config_entry("disable_synchronize_execution_providers", "1")
        self._images = self._placed(images)
        self._binding.bind_ortvalue_input(_input(session), self._images)
        self.forget()
        for _ in range(3):
            self.run()

    def forget(self) -> None:
        """Bind a place for the answers that holds none: it is all NaN."""
        self._answers = self._placed(np.full((self._count, 10), np.nan, np.float32))
        self._binding.bind_ortvalue_output(_output(self._session), self._answers)

    def start(self) -> None:
        """Run, without waiting for the answers where the place allows it."""
        self._session.run_with_iobinding(self._binding, self._no_wait)

    def run(self) -> None:
        """Run and wait."""
        self._session.run_with_iobinding(self._binding)

    def answers(self) -> Answers:
        """Return float32 (N, 10), which is NaN where nobody wrote an answer."""
        answers: Answers = self._answers.numpy().copy()  # on the CPU it is the place itself
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
    """Run the network once in a stream that waits HOLD_MS before it.

    By the time the stream goes on, the host has put all of the network into it, so that the time
    between the events before and after is the GPU's own.
    """
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
