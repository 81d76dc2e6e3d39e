"""A worker: a process that loads the model once and reads batches of files, chunk by chunk."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from tasks.device import Device
from tasks.errors import DigitflowError
from tasks.inference.model_file import Model
from tasks.inputs.base import Entry
from tasks.processes.watched_process import IDLE, Watchdog, WatchedProcess, serve

if TYPE_CHECKING:  # they bring the decoders, which the parent never needs
    from tasks.inference.batch import Chunk, PriorAttempts, ReadPlan, Seconds
    from tasks.inference.session import ModelSession

START_S = 120.0  # a busy machine takes long to import
NETWORK_S = 30.0  # for one network batch, which takes milliseconds, or for loading the model
# beside the number of a file, what a worker can be at work on
TOGETHER = IDLE - 1  # small files, many at once
NETWORK = IDLE - 2  # the model: loading it, or one network batch


@dataclass(frozen=True)
class SessionFacts:
    """What a worker says about the model it has loaded."""

    version: str
    canonical_version: str
    provider: str
    calibration: str  # JSON


@dataclass(frozen=True)
class WorkerStart:
    """What a worker loads, and how long it may take."""

    model: Model
    device: Device
    decode_timeout: float  # seconds for one page; see `Watchdog.start_file`
    network_timeout: float = NETWORK_S  # seconds for one network batch


class SessionJob(ABC):
    """Something else that is done with the model, on small arrays; it is pickled to the worker."""

    @abstractmethod
    def run(self, session: "ModelSession") -> Any:
        """Do it in the worker, within `network_timeout`, and return the answer."""


class ChunkRows(NamedTuple):
    """The rows of the next files of a batch."""

    files: int
    table: pa.Table
    seconds: "Seconds"


class Worker(WatchedProcess):
    """The parent's side of one worker."""

    def __init__(self, start: WorkerStart) -> None:
        """Start it; `session_facts` waits until it has loaded the model."""
        super().__init__("tasks.inference.worker", start)
        self._session_facts: SessionFacts | None = None

    def session_facts(self) -> SessionFacts:
        """Return what it says about the model, once it has loaded it.

        Raises:
            ModelError, DeviceError: as `ModelSession` does.
            ProcessDied: it ended before it had.
            DigitflowError: it has not within START_S.
        """
        if self._session_facts is None:
            if not self.answers_within(START_S):
                raise DigitflowError(f"a worker did not start within {START_S:.0f} s")
            facts: SessionFacts = self.receive()
            self._session_facts = facts
        return self._session_facts

    def send(self, job: object) -> None:
        """Hand something over, once the model is loaded; raise ProcessDied if it has ended."""
        self.session_facts()
        super().send(job)

    def read(
        self, plan: "ReadPlan", entries: Sequence[Entry], prior: "PriorAttempts"
    ) -> Iterator[ChunkRows]:
        """Yield the rows of a batch, some files at a time, in order.

        Args:
            plan: what every shard of the run has to know.
            entries: the files.
            prior: what workers that ended while they read these files have shown.

        Raises:
            ProcessDied: it ended before it was done; what was yielded is whole.
            ModelError: the model answers with something else than its contract says.
            DigitflowError: reading failed, which is a defect.
        """
        # columns of plain values: named tuples are pickled one by one
        self.send((plan, tuple(zip(*entries, strict=True)), prior))
        done = 0
        while done < len(entries):
            files, seconds = self.receive()
            rows = pa.ipc.open_stream(self.receive_bytes()).read_all()
            done += files
            yield ChunkRows(files, rows, seconds)

    def do(self, job: SessionJob) -> Any:
        """Return what a job answers.

        Raises:
            ProcessDied: it ended before it was done, or the job took too long.
            ModelError: the model answers with something else than its contract says.
            DigitflowError: it failed, which is a defect.
        """
        self.send(job)
        return self.receive()


class _BatchWatchdog:
    """Marks what is read, with its time limit; see `tasks.inference.batch.BatchWatchdog`."""

    def __init__(self, watchdog: Watchdog, start: WorkerStart) -> None:
        self._watchdog, self._start = watchdog, start

    def fetch(self, number: int) -> None:
        self._watchdog.mark(number)

    def decode(self, number: int) -> None:
        self._watchdog.start_file(number, self._start.decode_timeout)

    def next_page(self) -> None:
        self._watchdog.next_page()

    def decode_together(self) -> None:
        self._watchdog.start(TOGETHER, self._start.decode_timeout)

    def run_network(self) -> None:
        self._watchdog.start(NETWORK, self._start.network_timeout)

    def stop(self) -> None:
        self._watchdog.stop()


def main(connection: int, memory: int, start: int) -> None:
    """Be the process that `Worker` starts."""
    serve(connection, memory, start, _serve)


def _serve(parent: Connection, watchdog: Watchdog, start: WorkerStart) -> None:
    try:
        import cv2
        import pyarrow.compute  # noqa: F401 - the first rows need it, which may be waited for

        from tasks.inference.batch import read_chunks
        from tasks.inference.session import CALIBRATION, ModelSession
        from tasks.processes.page_process import PageJob, do_job

        cv2.setNumThreads(1)
        batch_watchdog = _BatchWatchdog(watchdog, start)
        batch_watchdog.run_network()
        session = ModelSession(start.model, start.device)
        batch_watchdog.stop()
    except DigitflowError as error:
        parent.send(error)
        return
    form = session.metadata["canonical_version"]
    calibration = session.metadata[CALIBRATION]
    parent.send(SessionFacts(session.version, form, session.provider, calibration))
    while True:
        job = parent.recv()
        if isinstance(job, PageJob):
            do_job(parent, watchdog, job)
            continue
        if isinstance(job, SessionJob):
            batch_watchdog.run_network()
            answer = _answer(job, session)
            batch_watchdog.stop()
            parent.send(answer)
            continue
        plan, columns, prior = job
        entries = list(map(Entry._make, zip(*columns, strict=True)))
        try:
            for chunk in read_chunks(plan, entries, session, batch_watchdog, prior):
                _send(parent, chunk)
        except DigitflowError as error:
            watchdog.stop()
            parent.send(error)
        except ConnectionError:
            raise
        except Exception as error:  # a defect
            if watchdog.busy:  # that one file brings up: it costs itself alone, as a crash does
                raise
            # the run has to end with what happened, not hang
            parent.send(DigitflowError(f"reading failed: {type(error).__name__}: {error}"))


def _answer(job: SessionJob, session: "ModelSession") -> Any:
    """Return what a job answers, or what it failed with, which is raised where it is received."""
    try:
        return job.run(session)
    except DigitflowError as error:
        return error
    except Exception as error:  # a defect
        return DigitflowError(f"{type(job).__name__} failed: {type(error).__name__}: {error}")


def _send(parent: Connection, chunk: "Chunk") -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, chunk.rows.schema) as writer:
        writer.write_table(chunk.rows)
    parent.send((chunk.files, chunk.seconds))
    parent.send_bytes(sink.getvalue())
