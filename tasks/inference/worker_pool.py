"""The pool of workers of one machine: how many are worth while, and which thread has which."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.device import usable_cores
from tasks.errors import DigitflowError
from tasks.inference.worker import SessionFacts, Worker, WorkerStart
from tasks.inference.worker_deaths import WorkerDeaths
from tasks.processes.watched_process import ProcessDied

# starting a worker costs what so many small files do, or photos of so many bytes
FILES_PER_WORKER, BYTES_PER_WORKER = 1_500, 5_000_000


def workers_for(files: int, size: int) -> int:
    """Return how many workers are worth while for so many files and bytes."""
    return max(1, min(usable_cores(), int(files / FILES_PER_WORKER + size / BYTES_PER_WORKER)))


class WorkerPool:
    """Workers that are alike, which threads acquire and release; started when none is idle."""

    def __init__(self, start: WorkerStart) -> None:
        """Start the first, which loads the model while other things are prepared."""
        self.start, self.closed = start, False
        self._lock, self._slots, self._size = threading.Lock(), threading.Semaphore(1), 1
        self._all = {Worker(start)}
        self._idle = list(self._all)

    def session_facts(self) -> SessionFacts:
        """Return what the first worker says about the model, once it has loaded it.

        Raises:
            ModelError, DeviceError: it cannot be loaded.
            DigitflowError: workers end although they have nothing to do yet.
        """
        deaths = WorkerDeaths(self.start)
        while True:
            try:
                with self.acquire() as worker:
                    return worker.session_facts()
            except ProcessDied as died:
                if self.closed:
                    raise
                deaths.count(died, died.item_from(0))

    def resize(self, count: int) -> None:
        """Let so many workers be in use at once, and start them."""
        self._slots = threading.Semaphore(count)
        with self._lock:
            self._size = count
            self._fill(count)

    def _fill(self, count: int) -> None:
        while len(self._all) < count:
            worker = Worker(self.start)
            self._all.add(worker)
            self._idle.insert(0, worker)  # the one that is ready is acquired first

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for one of the slots, of which there are as many as workers, and hold it."""
        with self._slots:
            yield

    @contextmanager
    def acquire(self) -> Iterator[Worker]:
        """Acquire a worker, started if none is idle; one that was left with an error is ended.

        From the first one that dies on, one more is kept than there are slots: who comes after the
        next one need not wait until a worker has started.
        """
        with self._lock:
            if self.closed:
                raise DigitflowError("the run is being ended")
            worker = self._idle.pop() if self._idle else Worker(self.start)
            self._all.add(worker)
        try:
            yield worker
        except BaseException as error:
            worker.end()
            with self._lock:
                self._all.discard(worker)
                if isinstance(error, ProcessDied) and not self.closed:
                    self._fill(self._size + 1)
            raise
        with self._lock:
            self._idle.append(worker)

    def pids(self) -> list[int]:
        """Return the process ids."""
        with self._lock:
            return [worker.pid for worker in self._all]

    def __enter__(self) -> "WorkerPool":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers."""
        self.close()

    def close(self) -> None:
        """End all workers, whatever they do."""
        with self._lock:
            self.closed = True
            for worker in self._all:
                worker.end()
