"""The workers of one machine: how many are worth while, and who may use which one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.device import usable_cores
from tasks.errors import DigitflowError
from tasks.inference.worker import ReaderFacts, ReadingProcess, Start
from tasks.inference.worker_deaths import WorkerDeaths
from tasks.processes.watched_process import ProcessDied

# starting a process costs what so many small files do, or photos of so many bytes
FILES_A_PROCESS, BYTES_A_PROCESS = 1_500, 5_000_000


def processes_for(files: int, size: int) -> int:
    """Return how many reading processes are worth while for so many files and bytes."""
    return max(1, min(usable_cores(), int(files / FILES_A_PROCESS + size / BYTES_A_PROCESS)))


class Processes:
    """Reading processes that are alike, lent to threads and started when none is idle."""

    def __init__(self, start: Start) -> None:
        """Start the first, which loads the model while others things are prepared."""
        self.start, self.closed = start, False
        self._lock, self._free, self._lent_at_once = threading.Lock(), threading.Semaphore(1), 1
        self._all = {ReadingProcess(start)}
        self._idle = list(self._all)

    def facts(self) -> ReaderFacts:
        """Return what the first process says about the model, once it has loaded it.

        Raises:
            ModelError, DeviceError: it cannot be loaded.
            DigitflowError: processes end although they have nothing to do yet.
        """
        deaths = WorkerDeaths(self.start)
        while True:
            try:
                with self.lent() as process:
                    return process.facts()
            except ProcessDied as died:
                if self.closed:
                    raise
                deaths.count(died, died.place(0))

    def limit(self, count: int) -> None:
        """Lend so many at once, and start them."""
        self._free = threading.Semaphore(count)
        with self._lock:
            self._lent_at_once = count
            self._fill(count)

    def _fill(self, count: int) -> None:
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
        """Lend a process, started if none is idle; one that was left with an error is ended.

        From the first one that dies on, one more than can be lent is kept: who comes after the next
        one need not wait until a process has started.
        """
        with self._lock:
            if self.closed:
                raise DigitflowError("the run is being ended")
            process = self._idle.pop() if self._idle else ReadingProcess(self.start)
            self._all.add(process)
        try:
            yield process
        except BaseException as error:
            process.end()
            with self._lock:
                self._all.discard(process)
                if isinstance(error, ProcessDied) and not self.closed:
                    self._fill(self._lent_at_once + 1)
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
