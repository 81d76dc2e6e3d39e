"""One shard of a listing: read by reading processes, its rows committed at once, or not at all."""

import atexit
import pickle
import platform
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc

from tasks.commit import Origin, commit
from tasks.decode import Undecodable
from tasks.device import Device, usable_cores
from tasks.errors import DigitflowError
from tasks.inputs import Entry
from tasks.reading_process import ProcessDied, ReaderFacts, ReadingProcess, Start
from tasks.reasons import Reason, Status
from tasks.stretch import ReadPlan, Seconds

# starting a process costs what so many small files do, or photos of so many bytes
FILES_A_PROCESS, BYTES_A_PROCESS = 1_500, 5_000_000
STRETCH = 1_024  # files that a process reads in one go: enough for the network, few to read again
DEATHS_OF_ONE_FILE = 2  # the first can be anybody's fault: an operator's kill, a full memory
DEATHS_OUTSIDE = 3  # of processes that decoded nothing at that moment

OnFiles = Callable[[int, int], None]
"""Is told how many more files were read, and how many of their pages were rejected."""


@dataclass(frozen=True)
class ShardDone:
    """What became of one shard."""

    files: int
    rows: int  # committed
    rejected: int  # of all that were read
    others: int  # files that another run has read meanwhile, whose rows here were left out
    seconds: Seconds
    commit_seconds: float


def processes_for(files: int, size: int) -> int:
    """Return how many reading processes are worth while for so many files and bytes."""
    return max(1, min(usable_cores(), int(files / FILES_A_PROCESS + size / BYTES_A_PROCESS)))


class Processes:
    """Reading processes that are alike, lent to threads and started when none is idle."""

    def __init__(self, start: Start) -> None:
        """Start the first, which loads the model while others things are prepared."""
        self.start, self.closed = start, False
        self._lock, self._free = threading.Lock(), threading.Semaphore(1)
        self._all = {ReadingProcess(start)}
        self._idle = list(self._all)

    def facts(self) -> ReaderFacts:
        """Return what the first process says about the model, once it has loaded it.

        Raises:
            ModelError, DeviceError: it cannot be loaded.
            DigitflowError: processes end although they have nothing to do yet.
        """
        deaths = 0
        while True:
            try:
                with self.lent() as process:
                    return process.facts()
            except ProcessDied as died:
                deaths += 1
                if deaths == DEATHS_OUTSIDE or self.closed:
                    raise _outside(died) from died

    def limit(self, count: int) -> None:
        """Lend so many at once, and start them."""
        self._free = threading.Semaphore(count)
        with self._lock:
            while len(self._all) < count:
                process = ReadingProcess(self.start)
                self._all.add(process)
                self._idle.insert(0, process)  # the one that is ready is lent first

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until one of the processes has nothing to do, and keep it for a shard."""
        with self._free:
            yield

    @contextmanager
    def lent(self) -> Iterator[ReadingProcess]:
        """Lend a process, started if none is idle; one that was left with an error is ended."""
        with self._lock:
            if self.closed:
                raise DigitflowError("the run is being ended")
            process = self._idle.pop() if self._idle else ReadingProcess(self.start)
            self._all.add(process)
        try:
            yield process
        except BaseException:
            process.end()
            with self._lock:
                self._all.discard(process)
            raise
        with self._lock:
            self._idle.append(process)

    def pids(self) -> list[int]:
        """Return the process ids."""
        with self._lock:
            return [process.pid for process in self._all]

    def __enter__(self) -> "Processes":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        self.close()

    def close(self) -> None:
        """End all processes, whatever they do."""
        with self._lock:
            self.closed = True
            for process in self._all:
                process.end()


def read_shard(
    plan: ReadPlan,
    number: int,
    files: Callable[[], Sequence[Entry]],
    processes: Processes,
    origin: Origin,
    on_files: OnFiles,
) -> ShardDone:
    """Read the files of a shard, a stretch at a time, and commit their rows at once.

    Args:
        plan: what every shard of the run has to know.
        number: of this shard; with the run's id it names the commit.
        files: gives the files; a function, since orchestrators look through what they are passed.
        processes: read them.
        origin: which run commits.
        on_files: is told after every stretch.
    """
    entries = files()
    whole, seconds = read_rows(plan, entries, processes, on_files)
    start = perf_counter()
    committed = commit(whole, f"{plan.run_id}/{number}", origin)
    spent_committing = perf_counter() - start
    return ShardDone(
        files=len(entries),
        rows=committed.rows,
        rejected=_rejected(whole),
        others=committed.others,
        seconds=seconds,
        commit_seconds=spent_committing,
    )


def read_rows(
    plan: ReadPlan,
    entries: Sequence[Entry],
    processes: Processes,
    on_files: OnFiles = lambda files, rejected: None,
) -> tuple[pa.Table, Seconds]:
    """Return the rows of files, which one process at a time reads, and where the time went."""
    tables: list[pa.Table] = []
    seconds = Seconds()
    with processes.turn():
        for at in range(0, len(entries), STRETCH):
            stretch = entries[at : at + STRETCH]
            rows, spent = _read_narrowing(plan, stretch, processes)
            seconds.add(spent)
            tables.append(rows)
            on_files(len(stretch), _rejected(rows))
    return pa.concat_tables(tables), seconds


def _rejected(rows: pa.Table) -> int:
    return int(pc.sum(pc.equal(rows["status"], Status.REJECTED), min_count=0).as_py())


def pack(entries: Sequence[Entry]) -> bytes:
    """Return files as bytes, which no orchestrator looks through."""
    return pickle.dumps([tuple(entry) for entry in entries])


def read_shard_remotely(
    plan: ReadPlan, number: int, packed: bytes, start: Start, onnx: bytes, origin: Origin
) -> ShardDone:
    """Read a shard on a machine that shares the source and the results with the run, and no more.

    Its reading process stays for the next shard, and ends with the worker.

    Args:
        plan: what every shard of the run has to know.
        number: of this shard.
        packed: its files, by `pack`.
        start: how to load the model.
        onnx: the model file.
        origin: which run commits.

    Raises:
        DigitflowError: source or results are not there on this machine.
    """
    for place in (plan.inputs.root, origin.table):
        if "://" not in place and not Path(place).exists():
            raise DigitflowError(
                f"{place} is not there on {platform.node()}: the machines of a cluster have to "
                "share source and results, as a mounted folder or a bucket"
            )
    entries = [Entry(*each) for each in pickle.loads(packed)]  # noqa: S301 - packed by this run
    nobody: OnFiles = lambda files, rejected: None  # noqa: E731
    processes = _processes_of(start.device, start.decode_timeout, onnx)
    return read_shard(plan, number, lambda: entries, processes, origin, nobody)


@lru_cache(maxsize=2)
def _processes_of(device: Device, decode_timeout: float, onnx: bytes) -> Processes:
    with tempfile.NamedTemporaryFile(suffix=".onnx", delete=False) as model:
        model.write(onnx)
    atexit.register(Path(model.name).unlink)  # a process that has died is started again until then
    return Processes(Start(Path(model.name), device, decode_timeout))


def _read_narrowing(
    plan: ReadPlan, entries: Sequence[Entry], processes: Processes
) -> tuple[pa.Table, Seconds]:
    """Read a stretch; a file that kills its process again and again costs itself alone.

    The process notes which file it decodes, so that narrowing down takes two deaths for each such
    file and no search.

    Raises:
        DigitflowError: processes die although they decode nothing.
    """
    blamed: dict[int, Undecodable] = {}
    deaths: Counter[int | None] = Counter()
    while True:
        try:
            with processes.lent() as process:
                return process.read(plan, entries, blamed)
        except ProcessDied as died:
            if processes.closed:
                raise
            deaths[died.number] += 1
            if died.number is None:
                if deaths[None] == DEATHS_OUTSIDE:
                    raise _outside(died) from died
            elif deaths[died.number] == DEATHS_OF_ONE_FILE:
                blamed[died.number] = _blame(died, processes.start.decode_timeout)


def _outside(died: ProcessDied) -> DigitflowError:
    return DigitflowError(
        f"{DEATHS_OUTSIDE} reading processes ended ({died.how}) outside of any picture: is there "
        f"enough memory? {died.said}"
    )


def _blame(died: ProcessDied, limit: float) -> Undecodable:
    if died.timed_out:
        return Undecodable(Reason.DECODER_TIMEOUT, f"longer than {limit:g} s, twice")
    # a Python process that ends by itself has said why in its last line
    said = f": {died.said.splitlines()[-1]}" if died.failed and died.said else ""
    return Undecodable(Reason.DECODER_CRASHED, f"ended its process ({died.how}{said}), twice")
