"""Each file's pages come in the order asked for, whatever becomes of the processes that decode."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.errors import DigitflowError
from tasks.inputs.base import Content
from tasks.outcomes import Reason, Undecodable
from tasks.processes import page_process
from tasks.processes.page_process import (
    DecodedPage,
    PageJob,
    PageProcesses,
    PageRequest,
    PageSettings,
    PagesOfFile,
    do_job,
)
from tasks.processes.watched_process import IDLE, ProcessDied
from tests.bars import bar, encoded
from tests.deadly import InMemory

MORE = [Image.fromarray(bar(digit)) for digit in range(1, 5)]
MANY_PAGES = encoded(bar(0), "TIFF", save_all=True, append_images=MORE)
GONE = Undecodable(Reason.VANISHED, "it was here")


class Few:
    """Files in memory; one that is not there has vanished."""

    def __init__(self, **files: bytes) -> None:
        """Take the files by their names."""
        self.files = {name.encode(): data for name, data in files.items()}

    def read_each(self, paths: Any) -> Iterator[Content | Undecodable]:
        """Yield each file."""
        for path in paths:
            data = self.files.get(path)
            yield GONE if data is None else Content(data, len(data), 1)


class Told:
    """A watchdog, and the parent's end of a connection, that write down what they are told."""

    def __init__(self) -> None:
        """Have been told nothing."""
        self.sent: list[PagesOfFile] = []
        self.marks: list[tuple[str, int]] = []

    def send(self, pages: PagesOfFile) -> None:
        """Be sent the pages of a file."""
        self.sent.append(pages)

    def mark(self, number: int) -> None:
        """Be told what is fetched."""
        self.marks.append(("fetch", number))

    def start_file(self, number: int, _page_seconds: float) -> None:
        """Be told what is decoded."""
        self.marks.append(("decode", number))

    def next_page(self) -> None:
        """Be told that a page is decoded."""
        self.marks.append(("page", self.marks[-1][1]))

    def stop(self) -> None:
        """Be told that nothing is."""
        self.marks.append(("idle", IDLE))


def decoded(files: Few, *requests: PageRequest, thumbnails: bool = False) -> Told:
    """Return what a process says that does one job."""
    told = Told()
    job = PageJob(PageSettings(files, 30, thumbnails), requests)
    do_job(told, told, job)  # type: ignore[arg-type]
    return told


def forms(pages: PagesOfFile) -> dict[int, Any]:
    """Return the forms of pages by their numbers."""
    whole = {number: page for number, page in pages.items() if isinstance(page, DecodedPage)}
    return {number: page.form.tolist() for number, page in whole.items()}


def test_the_pages_asked_for_are_given_and_no_others() -> None:
    [some, none] = decoded(
        Few(many=MANY_PAGES), PageRequest(b"many", (1, 3)), PageRequest(b"many", (7,))
    ).sent
    assert forms(some) == {1: bar(1).tolist(), 3: bar(3).tolist()}
    assert none == {}


def test_why_a_file_gave_nothing_is_said_of_each_page_and_the_next_file_is_decoded() -> None:
    files = Few(text=b"bring milk", cut=encoded(bar(3))[:-30], good=encoded(bar(8)))
    paths = (b"gone", b"text", b"cut", b"good")
    gone, text, cut, good = decoded(files, *(PageRequest(path, (0, 1)) for path in paths)).sent
    assert gone == {0: GONE, 1: GONE}
    for pages, reason in ((text, Reason.UNSUPPORTED_FORMAT), (cut, Reason.TRUNCATED)):
        [trouble] = pages.values()
        assert isinstance(trouble, Undecodable)
        assert trouble.reason == reason
    assert forms(good) == {0: bar(8).tolist()}


def test_a_file_is_marked_while_it_is_fetched_and_timed_only_while_it_is_decoded() -> None:
    told = decoded(Few(a=encoded(bar(1))), PageRequest(b"a"), PageRequest(b"gone"))
    each = [("fetch", 0), ("decode", 0), ("idle", IDLE), ("fetch", 1), ("decode", 1)]
    assert told.marks == [*each, ("idle", IDLE)]


def test_each_page_before_the_last_that_is_asked_for_gives_the_next_its_time() -> None:
    told = decoded(Few(many=MANY_PAGES), PageRequest(b"many", (1, 2)))
    assert told.marks[1:] == [("decode", 0), ("page", 0), ("page", 0), ("idle", IDLE)]


def test_a_small_original_comes_only_where_it_was_asked_for() -> None:
    files = Few(a=encoded(np.full((300, 600), 255, np.uint8)))
    for wanted in (False, True):
        [[page]] = [d.values() for d in decoded(files, PageRequest(b"a"), thumbnails=wanted).sent]
        assert isinstance(page, DecodedPage)
        assert (page.width, page.height) == (600, 300)
        assert (page.thumbnail is not None) is wanted
        assert not page.form.any()


Fate = Callable[[bytes], None]
"""Is told the path of a file before its pages are given; raises what then happens instead."""


class Here:
    """Stands for a process that answers each file with its path as the only page."""

    def __init__(self, fate: Fate) -> None:
        """Take what happens at each file."""
        self.fate, self.waiting = fate, list[bytes]()

    def send(self, job: PageJob) -> None:
        """Take a job."""
        assert not self.waiting
        self.waiting = [request.path for request in job.requests]

    def answers_within(self, seconds: float) -> bool:
        """Tell whether there was any time."""
        return seconds > 0

    def receive(self) -> Any:
        """Return the answer to the next file."""
        path = self.waiting.pop(0)
        self.fate(path)
        return {0: path}


def processes(fate: Fate = lambda path: None) -> tuple[PageProcesses, list[Here]]:
    """Return processes of that fate, and those that were started so far."""
    started: list[Here] = []

    @contextmanager
    def acquire() -> Iterator[Here]:
        started.append(Here(fate))
        yield started[-1]

    settings = PageSettings(Few(), decode_timeout=30)
    return PageProcesses(settings, acquire), started  # type: ignore[arg-type]


def requests(count: int) -> list[PageRequest]:
    """Return so many files."""
    return [PageRequest(b"%d" % number) for number in range(count)]


def answers(found: Sequence[PagesOfFile]) -> list[Any]:
    """Return the answer to each file, or the reason in its place."""
    return [
        str(page.reason) if isinstance(page, Undecodable) else page
        for pages in found
        for page in pages.values()
    ]


def dies_at(*paths: bytes, item: int = 0, times: int = 99) -> Fate:
    """Return the fate that a process dies at these files, so many times each."""
    left = dict.fromkeys(paths, times)

    def fate(path: bytes) -> None:
        if left.get(path):
            left[path] -= 1
            raise ProcessDied(item, -signal.SIGSEGV, "")

    return fate


def test_more_files_than_are_sent_for_at_once_come_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_process, "FILE_BATCH", 3)
    pool, started = processes()
    assert answers(list(pool.decode(requests(8)))) == [b"%d" % number for number in range(8)]
    assert len(started) == 1
    assert list(pool.decode([])) == []


def test_a_file_that_ends_two_processes_is_quarantined_and_the_others_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_process, "FILE_BATCH", 3)
    pool, started = processes(dies_at(b"4", b"5"))
    crashed = "decoder_crashed"
    assert answers(list(pool.decode(requests(7)))) == [
        *(b"0", b"1", b"2", b"3"),
        *(crashed, crashed, b"6"),
    ]
    assert len(started) == 5


def test_a_file_that_ends_one_process_is_decoded_by_the_next() -> None:
    pool, started = processes(dies_at(b"0", b"2", times=1))
    assert answers(list(pool.decode(requests(3)))) == [b"0", b"1", b"2"]
    assert len(started) == 3


def test_processes_that_die_at_no_file_are_an_error_after_what_was_decoded() -> None:
    pool, _ = processes(dies_at(b"1", item=IDLE))
    found = []
    with pytest.raises(DigitflowError, match="outside of any picture"):
        for pages in pool.decode(requests(3)):
            found.append(pages)  # noqa: PERF402 - to keep what came before the error
    assert answers(found) == [b"0"]


def test_when_time_is_up_what_was_decoded_is_all_that_comes() -> None:
    pool, _ = processes()
    assert list(pool.decode(requests(3), seconds=0)) == []
    assert len(list(pool.decode(requests(3), seconds=60))) == 3


@pytest.mark.parametrize(("count", "workers"), [(0, 3), (1, 3), (3, 3), (7, 3), (8, 3), (5, 1)])
def test_in_parallel_every_file_comes_once_in_order_and_is_counted(
    count: int, workers: int
) -> None:
    pool, started = processes()
    counted: list[None] = []
    found = pool.decode_parallel(requests(count), workers, lambda: counted.append(None))
    assert answers(found) == [b"%d" % number for number in range(count)]
    assert len(counted) == count
    assert len(started) <= workers


def test_an_error_of_one_process_in_parallel_is_that_of_all_and_none_is_started_after_it() -> None:
    pool = PageProcesses(PageSettings(InMemory("memory", {}), 30))
    pool.close()
    with pytest.raises(DigitflowError, match="the run is being ended"):
        pool.decode_parallel(requests(4), 2, lambda: None)


@pytest.mark.processes
def test_who_ends_all_processes_ends_who_waits_for_them() -> None:
    files = {b"%d" % number: encoded(bar(number % 10)) for number in range(4)}
    pool = PageProcesses(PageSettings(InMemory("memory", files), 30))
    started, goes_on = threading.Event(), threading.Event()
    ended: list[BaseException] = []

    def decode() -> None:
        try:
            for _ in pool.decode([PageRequest(path) for path in files] * 200):
                started.set()
                goes_on.wait(60)
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=decode)
    thread.start()
    assert started.wait(60)
    pool.close()
    goes_on.set()
    thread.join(60)
    assert not thread.is_alive()
    assert [type(error) for error in ended] == [ProcessDied]
