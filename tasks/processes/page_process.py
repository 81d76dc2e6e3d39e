"""Pages of files in canonical form, for people and for training: decoded apart, as in a reading.

A process is given files and sends back small arrays. One that a picture ends is started again, and
after two deaths that file is quarantined.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.decoding.decode import Picture, pages
from tasks.decoding.thumbnail import SIDE, thumbnail
from tasks.errors import DigitflowError
from tasks.imaging.form import Ink
from tasks.inputs.base import Content
from tasks.outcomes import Undecodable
from tasks.processes.deaths import Deaths
from tasks.processes.watched_process import ProcessDied, Watchdog, WatchedProcess, serve

FILE_BATCH = 256  # files that are sent for at once


class Files(Protocol):
    """Files by their paths, such as `Inputs`; it is pickled to the processes."""

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each file or why it cannot be read, in order."""


class PageRequest(NamedTuple):
    """The pages that are asked for of one file, which is decoded once for all of them."""

    path: bytes  # as the files know it
    pages: tuple[int, ...] = (0,)  # in order


class DecodedPage(NamedTuple):
    """A page for people or for training."""

    form: NDArray[np.uint8]  # (28, 28), canonical; all is 0 without ink
    ink: Ink
    width: int  # px in the file, upright
    height: int
    thumbnail: NDArray[np.uint8] | None = None  # (h, w, 3) in OpenCV's order
    others: tuple[NDArray[np.uint8], ...] = ()  # (28, 28) each: other ways to see it


PagesOfFile = Mapping[int, DecodedPage | Undecodable]
"""The pages requested of a file by their numbers, without those that it does not have."""


@dataclass(frozen=True)
class PageSettings:
    """What every job has in common."""

    files: Files
    decode_timeout: float  # seconds for one page; see `Watchdog.start_file`
    thumbnails: bool = False
    side: int = SIDE  # px: longer side of a thumbnail at most


class PageJob(NamedTuple):
    """What a process is sent."""

    settings: PageSettings
    requests: Sequence[PageRequest]


AcquireProcess = Callable[[], AbstractContextManager[WatchedProcess]]
"""Acquires a process that does a `PageJob`, and ends one that is left with an error."""


class _OutOfTime(Exception):
    """The process that was asked is still busy, so it has to be ended."""


class PageProcesses:
    """Processes that decode pages, one for each thread that asks."""

    def __init__(self, settings: PageSettings, acquire: AcquireProcess | None = None) -> None:
        """Start none yet; where processes that can decode are there already, they are acquired."""
        self._settings, self._closed = settings, False
        self._lock, self._all = threading.Lock(), set[WatchedProcess]()
        self._acquire = acquire or self._start_process

    def decode(
        self, requests: Sequence[PageRequest], seconds: float | None = None
    ) -> Iterator[PagesOfFile]:
        """Yield what is found in each file, in order, by one process at a time.

        Args:
            requests: the files.
            seconds: for all of them; after that nothing more is yielded.

        Raises:
            DigitflowError: processes die while they are at work on no file.
        """
        until = None if seconds is None else time.monotonic() + seconds
        deaths, done = Deaths(self._settings.decode_timeout), 0
        while done < len(requests):
            try:
                with self._acquire() as process:
                    for pages_of_file in self._decode_by(process, requests[done:], until):
                        done += 1
                        yield pages_of_file
            except _OutOfTime:
                return
            except ProcessDied as died:
                if self._closed:
                    raise
                # what was sent before its end has arrived, so the file marked is the next one
                deaths.count(died, done if died.item >= 0 else died.item)
                if why := deaths.quarantined.get(done):
                    yield dict.fromkeys(requests[done].pages, why)
                    done += 1

    def decode_parallel(
        self, requests: Sequence[PageRequest], workers: int, on_file: Callable[[], None]
    ) -> list[PagesOfFile]:
        """Return the same of many files, by so many processes in parallel.

        Args:
            requests: the files.
            workers: processes.
            on_file: is called for each file, from any thread.
        """

        def pages_of(requests: Sequence[PageRequest]) -> list[PagesOfFile]:
            found = []
            for pages_of_file in self.decode(requests):
                found.append(pages_of_file)
                on_file()
            return found

        size = max(1, -(-len(requests) // workers))
        slices = [requests[at : at + size] for at in range(0, len(requests), size)]
        with ThreadPoolExecutor(workers) as pool:
            try:
                return list(itertools.chain.from_iterable(pool.map(pages_of, slices)))
            except BaseException:
                self.close()  # so that no thread waits for an answer
                raise

    @contextmanager
    def _start_process(self) -> Iterator[WatchedProcess]:
        with self._lock:
            if self._closed:
                raise DigitflowError("the run is being ended")
            process = WatchedProcess("tasks.processes.page_process", None)
            self._all.add(process)
        try:
            yield process
        finally:
            process.end()
            with self._lock:
                self._all.discard(process)

    def _decode_by(
        self, process: WatchedProcess, requests: Sequence[PageRequest], until: float | None
    ) -> Iterator[PagesOfFile]:
        for at in range(0, len(requests), FILE_BATCH):
            batch = requests[at : at + FILE_BATCH]
            process.send(PageJob(self._settings, batch))
            for _ in batch:
                left = None if until is None else max(0, until - time.monotonic())
                if left is not None and not process.answers_within(left):
                    raise _OutOfTime
                pages_of_file: PagesOfFile = process.receive()
                yield pages_of_file

    def close(self) -> None:
        """End all processes, whatever they do."""
        with self._lock:
            self._closed = True
            for process in self._all:
                process.end()


def main(connection: int, memory: int, start: int) -> None:
    """Be the process that `PageProcesses` starts."""
    serve(connection, memory, start, _serve)


def _serve(parent: Connection, watchdog: Watchdog, _start: None) -> None:
    import cv2

    cv2.setNumThreads(1)
    while True:
        do_job(parent, watchdog, parent.recv())


def do_job(parent: Connection, watchdog: Watchdog, job: PageJob) -> None:
    """Be asked in a process that has the decoders: send the answer to each file of a job."""
    settings = job.settings
    contents = settings.files.read_each(request.path for request in job.requests)
    for number, request in enumerate(job.requests):
        watchdog.mark(number)  # storage may be slow
        content = next(contents)
        watchdog.start_file(number, settings.decode_timeout)
        pages_of_file = _pages_in(content, request.pages, settings, watchdog)
        watchdog.stop()
        parent.send(pages_of_file)


def _pages_in(
    content: Content | Undecodable,
    numbers: Sequence[int],
    settings: PageSettings,
    watchdog: Watchdog,
) -> PagesOfFile:
    if isinstance(content, Undecodable):
        return dict.fromkeys(numbers, content)
    found: dict[int, DecodedPage | Undecodable] = {}
    for number, page in enumerate(pages(content.data)):
        if number in numbers:
            found[number] = _decoded(page, settings) if isinstance(page, Picture) else page
        if number == numbers[-1]:
            break
        watchdog.next_page()
    return found


def _decoded(picture: Picture, settings: PageSettings) -> DecodedPage:
    form, ink, others = picture.prepared()
    small = thumbnail(picture.shown(), settings.side) if settings.thumbnails else None
    return DecodedPage(form, ink, picture.width, picture.height, small, others)
