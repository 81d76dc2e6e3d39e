"""A process of its own that reads stretches of files, so that no picture can end a run.

A decoder that crashes takes this process with it; one that never ends is ended by the kernel's
timer. The parent then knows which file it was, and starts another process.

Nothing here is a pool of Python's: after a crash theirs are broken, they start `__main__` again,
and they pickle rows, which here cross as Arrow's own bytes.
"""

import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tasks.device import Device
from tasks.errors import DigitflowError
from tasks.inputs import Entry

if TYPE_CHECKING:
    from tasks.stretch import Blamed, ReadPlan, Seconds

START_S = 120.0  # a busy machine takes long to import
# glibc gives freed memory back to the system and takes it again for each large picture, which costs
# more than decoding it: so much stays with the process
HEAP = {f"MALLOC_{what}_THRESHOLD_": str(64 * 1024 * 1024) for what in ("TRIM", "MMAP")}  # bytes
NOBODY = -1  # no file is being decoded


@dataclass(frozen=True)
class ReaderFacts:
    """What a process says about the model it has loaded."""

    version: str
    canonical_version: str
    provider: str
    calibration: str  # JSON


@dataclass(frozen=True)
class Start:
    """How a process is to load the model."""

    model: Path
    device: Device
    decode_timeout: float  # seconds for one file


class ProcessDied(Exception):
    """The process ended while it read: which file of the stretch it decoded, and how it ended."""

    def __init__(self, number: int | None, exit_code: int, said: str) -> None:
        """Keep the place of the file, None if none was being decoded."""
        super().__init__(f"ended with {exit_code}: {said}")
        self.number, self.said = number, said
        self.timed_out, self.failed = exit_code == -signal.SIGALRM, exit_code > 0
        self.how = _how(exit_code)


def _environment() -> dict[str, str]:
    """Return the environment, in which this very code is found first."""
    paths = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    found_first = os.pathsep.join(filter(None, paths))
    # processes stand beside each other: threads within one would only be in the way
    return {**HEAP, **os.environ, "PYTHONPATH": found_first, "OPENBLAS_NUM_THREADS": "1"}


def _noted(place: mmap.mmap) -> int:
    """Return the file that is being decoded, by what `_Watch` has noted; NOBODY if none is."""
    return int.from_bytes(place[:8], sys.byteorder, signed=True)


def _how(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


class ReadingProcess:
    """The parent's side of one process."""

    def __init__(self, start: Start) -> None:
        """Start it; `facts` waits until it has loaded the model."""
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as place, theirs:
            place.truncate(mmap.PAGESIZE)
            self._place = mmap.mmap(place.fileno(), mmap.PAGESIZE)
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
            handed = (theirs.fileno(), place.fileno())
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                [sys.executable, "-c", f"from tasks.reading_process import main; main{handed}"],
                pass_fds=handed,
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                env=_environment(),
            )
        self._connection = Connection(ours.detach())
        self._connection.send(start)
        self._facts: ReaderFacts | None = None

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def facts(self) -> ReaderFacts:
        """Return what it says about the model, once it has loaded it.

        Raises:
            ModelError, DeviceError: as `Reader` does.
            ProcessDied: it ended before it had.
            DigitflowError: it has not within START_S.
        """
        if self._facts is None:
            if not self._connection.poll(START_S):
                raise DigitflowError(f"a reading process did not start within {START_S:.0f} s")
            try:
                answer = self._connection.recv()
            except (EOFError, OSError):
                raise self._died() from None
            if isinstance(answer, Exception):
                raise answer
            self._facts = answer
        return self._facts

    def read(
        self, plan: "ReadPlan", entries: Sequence[Entry], blamed: "Blamed"
    ) -> tuple[pa.Table, "Seconds"]:
        """Return the rows of a stretch, and where the time went.

        Raises:
            ProcessDied: it ended before it was done; nothing of the stretch came back.
            DigitflowError: reading failed, which is a defect.
        """
        self.facts()
        try:
            # columns of plain values: named tuples are pickled one by one
            self._connection.send((plan, tuple(zip(*entries, strict=True)), blamed))
            answer = self._connection.recv()
            if isinstance(answer, Exception):
                raise answer
            rows = pa.ipc.open_stream(self._connection.recv_bytes()).read_all()
        except (EOFError, OSError):
            raise self._died() from None
        return rows, answer

    def _died(self) -> ProcessDied:
        exit_code = self._process.wait()
        number = _noted(self._place)
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace").strip()[-500:]
        return ProcessDied(None if number == NOBODY else number, exit_code, said)

    def end(self) -> None:
        """End the process, whatever it does; who waits for an answer of it gets ProcessDied."""
        self._process.kill()
        self._process.wait()


class _Watch:
    """Notes which file is decoded where the parent can see it, and sets the kernel's timer."""

    def __init__(self, place: mmap.mmap, seconds: float) -> None:
        self._place, self._seconds = place, seconds
        self.end()

    @property
    def busy(self) -> bool:
        """Tell whether a file is being decoded."""
        return _noted(self._place) != NOBODY

    def begin(self, number: int) -> None:
        """Note the file; SIGALRM, which nobody handles, ends the process when time is up."""
        self._place[:8] = number.to_bytes(8, sys.byteorder)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def end(self) -> None:
        """Note that no file is decoded."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._place[:8] = NOBODY.to_bytes(8, sys.byteorder, signed=True)


def main(connection: int, place: int) -> None:
    """Load the model, then read one stretch after another until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a parent that ignores it hands that down
    parent = Connection(connection)
    try:
        _serve(parent, mmap.mmap(place, mmap.PAGESIZE))
    except (EOFError, ConnectionError):
        return


def _serve(parent: Connection, place: mmap.mmap) -> None:
    start: Start = parent.recv()
    try:
        import cv2

        from tasks.reader import CALIBRATION, Reader
        from tasks.stretch import read_stretch

        cv2.setNumThreads(1)
        reader = Reader(start.model, start.device)
    except DigitflowError as error:
        parent.send(error)
        return
    form = reader.metadata["canonical_version"]
    calibration = reader.metadata[CALIBRATION]
    parent.send(ReaderFacts(reader.version, form, reader.provider, calibration))
    watch = _Watch(place, start.decode_timeout)
    while True:
        answer, rows = _answer(read_stretch, parent.recv(), reader, watch)
        parent.send(answer)
        if rows is not None:
            parent.send_bytes(rows)


def _answer(read_stretch: Any, job: Any, reader: Any, watch: _Watch) -> tuple[Any, Any]:
    plan, columns, blamed = job
    entries = list(map(Entry._make, zip(*columns, strict=True)))
    try:
        stretch = read_stretch(plan, entries, reader, watch, blamed)
    except Exception as error:  # a defect
        if watch.busy:  # that one file brings up: it costs itself alone, as if it had crashed us
            raise
        # the run has to end with what happened, not hang
        return DigitflowError(f"reading failed: {type(error).__name__}: {error}"), None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, stretch.rows.schema) as writer:
        writer.write_table(stretch.rows)
    return stretch.seconds, sink.getvalue()
