"""A process that loads the model once and reads stretches of files, a part at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from tasks.device import Device
from tasks.errors import DigitflowError
from tasks.inference.model_file import Model
from tasks.inputs.base import Entry
from tasks.processes.watched_process import NOBODY, Note, WatchedProcess, serve

if TYPE_CHECKING:  # they bring the decoders, which the parent never needs
    from tasks.inference.batch import Earlier, Part, ReadPlan, Seconds

START_S = 120.0  # a busy machine takes long to import
NETWORK_S = 30.0  # for one batch, which takes milliseconds, or for loading the model
# beside the number of a file, what a process can be at work on
TOGETHER = NOBODY - 1  # small files, many at once
NETWORK = NOBODY - 2  # the model: loading it, or one batch


@dataclass(frozen=True)
class ReaderFacts:
    """What a process says about the model it has loaded."""

    version: str
    canonical_version: str
    provider: str
    calibration: str  # JSON


@dataclass(frozen=True)
class Start:
    """What a process loads, and how long it may take."""

    model: Model
    device: Device
    decode_timeout: float  # seconds for one file
    network_timeout: float = NETWORK_S  # seconds for one batch


class Rows(NamedTuple):
    """The rows of the next files of a stretch."""

    files: int
    table: pa.Table
    seconds: "Seconds"


class ReadingProcess(WatchedProcess):
    """The parent's side of one process."""

    def __init__(self, start: Start) -> None:
        """Start it; `facts` waits until it has loaded the model."""
        super().__init__("tasks.inference.worker", start)
        self._facts: ReaderFacts | None = None

    def facts(self) -> ReaderFacts:
        """Return what it says about the model, once it has loaded it.

        Raises:
            ModelError, DeviceError: as `Reader` does.
            ProcessDied: it ended before it had.
            DigitflowError: it has not within START_S.
        """
        if self._facts is None:
            if not self.answers_within(START_S):
                raise DigitflowError(f"a reading process did not start within {START_S:.0f} s")
            facts: ReaderFacts = self.receive()
            self._facts = facts
        return self._facts

    def read(
        self, plan: "ReadPlan", entries: Sequence[Entry], earlier: "Earlier"
    ) -> Iterator[Rows]:
        """Yield the rows of a stretch, some files at a time, in order.

        Args:
            plan: what every shard of the run has to know.
            entries: the files.
            earlier: what other processes that read them have shown.

        Raises:
            ProcessDied: it ended before it was done; what was yielded is whole.
            ModelError: the model answers with something else than its contract says.
            DigitflowError: reading failed, which is a defect.
        """
        self.facts()
        # columns of plain values: named tuples are pickled one by one
        self.send((plan, tuple(zip(*entries, strict=True)), earlier))
        done = 0
        while done < len(entries):
            files, seconds = self.receive()
            rows = pa.ipc.open_stream(self.receive_bytes()).read_all()
            done += files
            yield Rows(files, rows, seconds)


class _Watch:
    """Notes what is read, with the time that it may take; see `tasks.inference.batch.Watch`."""

    def __init__(self, note: Note, start: Start) -> None:
        self._note, self._start = note, start

    def fetch(self, number: int) -> None:
        self._note.note(number)

    def decode(self, number: int) -> None:
        self._note.begin(number, self._start.decode_timeout)

    def decode_together(self) -> None:
        self._note.begin(TOGETHER, self._start.decode_timeout)

    def run_network(self) -> None:
        self._note.begin(NETWORK, self._start.network_timeout)

    def end(self) -> None:
        self._note.end()


def main(connection: int, note: int, start: int) -> None:
    """Be the process that `ReadingProcess` starts."""
    serve(connection, note, start, _serve)


def _serve(parent: Connection, note: Note, start: Start) -> None:
    try:
        import cv2
        import pyarrow.compute  # noqa: F401 - the first rows need it, which may be waited for

        from tasks.inference.batch import read_parts
        from tasks.inference.session import CALIBRATION, Reader
        from tasks.processes.page_process import PageJob, do_job

        cv2.setNumThreads(1)
        watch = _Watch(note, start)
        watch.run_network()
        reader = Reader(start.model, start.device)
        watch.end()
    except DigitflowError as error:
        parent.send(error)
        return
    form = reader.metadata["canonical_version"]
    calibration = reader.metadata[CALIBRATION]
    parent.send(ReaderFacts(reader.version, form, reader.provider, calibration))
    while True:
        job = parent.recv()
        if isinstance(job, PageJob):
            do_job(parent, note, job)
            continue
        plan, columns, earlier = job
        entries = list(map(Entry._make, zip(*columns, strict=True)))
        try:
            for part in read_parts(plan, entries, reader, watch, earlier):
                _hand_over(parent, part)
        except DigitflowError as error:
            note.end()
            parent.send(error)
        except ConnectionError:
            raise
        except Exception as error:  # a defect
            if note.busy:  # that one file brings up: it costs itself alone, as if it had crashed us
                raise
            # the run has to end with what happened, not hang
            parent.send(DigitflowError(f"reading failed: {type(error).__name__}: {error}"))


def _hand_over(parent: Connection, part: "Part") -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, part.rows.schema) as writer:
        writer.write_table(part.rows)
    parent.send((part.files, part.seconds))
    parent.send_bytes(sink.getvalue())
