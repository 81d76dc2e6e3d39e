"""Pages of files in canonical form, for people and for training: decoded apart, as in a reading.

A process is given files and sends back small arrays. One that a picture ends is started again, and
after two deaths that file is to blame.
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

from tasks.errors import DigitflowError
from tasks.imaging.canonical import Ink, canonical
from tasks.imaging.decode import Picture, pages
from tasks.imaging.thumbnail import thumbnail
from tasks.inputs.base import Content
from tasks.outcomes import Undecodable
from tasks.processes.deaths import Deaths
from tasks.processes.watched_process import Note, ProcessDied, WatchedProcess, serve

BATCH = 256  # files that are sent for at once


class Files(Protocol):
    """Files by their paths, such as `Inputs`; it is pickled to the processes."""

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each file or why it cannot be read, in order."""


class Wanted(NamedTuple):
    """Pages of one file, which is decoded once for all of them."""

    path: bytes  # as the files know it
    pages: tuple[int, ...] = (0,)  # in order


class Seen(NamedTuple):
    """A page as it is shown or learned."""

    form: NDArray[np.uint8]  # (28, 28), canonical; all is 0 without ink
    ink: Ink
    width: int  # px in the file, upright
    height: int
    thumbnail: NDArray[np.uint8] | None = None  # (h, w, 3) in OpenCV's order


Answer = Mapping[int, Seen | Undecodable]
"""The pages wanted of a file by their numbers, without those that it does not have."""


@dataclass(frozen=True)
class PageSettings:
    """What every job has in common."""

    files: Files
    decode_timeout: float  # seconds for one file
    thumbnails: bool = False


class PageJob(NamedTuple):
    """What a process is sent."""

    settings: PageSettings
    wanted: Sequence[Wanted]


Lend = Callable[[], AbstractContextManager[WatchedProcess]]
"""Lends a process that does a `PageJob`, and ends one that is left with an error."""


class _OutOfTime(Exception):
    """The process that was asked is still busy, so it has to be ended."""


class PageProcesses:
    """Processes that decode pages, one for each thread that asks."""

    def __init__(self, settings: PageSettings, lend: Lend | None = None) -> None:
        """Start none yet; where processes that can decode are there already, they are lent."""
        self._settings, self._closed = settings, False
        self._lock, self._all = threading.Lock(), set[WatchedProcess]()
        self._lend = lend or self._started

    def answers(self, wanted: Sequence[Wanted], seconds: float | None = None) -> Iterator[Answer]:
        """Yield what is found in each file, in order, by one process at a time.

        Args:
            wanted: the files.
            seconds: for all of them; after that nothing more is yielded.

        Raises:
            DigitflowError: processes die while they are at work on no file.
        """
        until = None if seconds is None else time.monotonic() + seconds
        deaths, done = Deaths(self._settings.decode_timeout), 0
        while done < len(wanted):
            try:
                with self._lend() as process:
                    for answer in self._answers_of(process, wanted[done:], until):
                        done += 1
                        yield answer
            except _OutOfTime:
                return
            except ProcessDied as died:
                if self._closed:
                    raise
                # what was sent before its end has arrived, so the file noted is the next one
                deaths.count(died, done if died.noted >= 0 else died.noted)
                if why := deaths.blamed.get(done):
                    yield dict.fromkeys(wanted[done].pages, why)
                    done += 1

    def answers_beside(
        self, wanted: Sequence[Wanted], width: int, on_answer: Callable[[], None]
    ) -> list[Answer]:
        """Return the same of many files, by so many processes beside each other.

        Args:
            wanted: the files.
            width: processes.
            on_answer: is called for each file, from any thread.
        """

        def answered(part: Sequence[Wanted]) -> list[Answer]:
            found = []
            for answer in self.answers(part):
                found.append(answer)
                on_answer()
            return found

        size = max(1, -(-len(wanted) // width))
        parts = [wanted[at : at + size] for at in range(0, len(wanted), size)]
        with ThreadPoolExecutor(width) as pool:
            try:
                return list(itertools.chain.from_iterable(pool.map(answered, parts)))
            except BaseException:
                self.close()  # so that no thread waits for an answer
                raise

    @contextmanager
    def _started(self) -> Iterator[WatchedProcess]:
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

    def _answers_of(
        self, process: WatchedProcess, wanted: Sequence[Wanted], until: float | None
    ) -> Iterator[Answer]:
        for at in range(0, len(wanted), BATCH):
            batch = wanted[at : at + BATCH]
            process.send(PageJob(self._settings, batch))
            for _ in batch:
                left = None if until is None else max(0, until - time.monotonic())
                if left is not None and not process.answers_within(left):
                    raise _OutOfTime
                answer: Answer = process.receive()
                yield answer

    def close(self) -> None:
        """End all processes, whatever they do."""
        with self._lock:
            self._closed = True
            for process in self._all:
                process.end()


def main(connection: int, note: int, start: int) -> None:
    """Be the process that `PageProcesses` starts."""
    serve(connection, note, start, _serve)


def _serve(parent: Connection, note: Note, _start: None) -> None:
    import cv2

    cv2.setNumThreads(1)
    while True:
        do_job(parent, note, parent.recv())


def do_job(parent: Connection, note: Note, job: PageJob) -> None:
    """Be asked in a process that has the decoders: send the answer to each file of a job."""
    settings = job.settings
    contents = settings.files.read_each(one.path for one in job.wanted)
    for number, one in enumerate(job.wanted):
        note.note(number)  # storage may be slow
        content = next(contents)
        note.begin(number, settings.decode_timeout)
        answer = _answer(content, one.pages, settings.thumbnails)
        note.end()
        parent.send(answer)


def _answer(content: Content | Undecodable, wanted: Sequence[int], thumbnails: bool) -> Answer:
    if isinstance(content, Undecodable):
        return dict.fromkeys(wanted, content)
    found: dict[int, Seen | Undecodable] = {}
    for number, page in enumerate(pages(content.data)):
        if number in wanted:
            found[number] = _seen(page, thumbnails) if isinstance(page, Picture) else page
        if number == wanted[-1]:
            break
    return found


def _seen(picture: Picture, thumbnails: bool) -> Seen:
    form, ink = canonical(picture.pixels, picture.side, picture.colour)
    small = thumbnail(picture.shown()) if thumbnails else None
    return Seen(form, ink, picture.width, picture.height, small)
