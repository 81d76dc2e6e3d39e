"""The parent learns what a process was at work on when it ended, and how it ended."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tasks.errors import ModelError
from tasks.processes.watched_process import IDLE, ProcessDied, WatchedProcess

pytestmark = pytest.mark.processes

pytestmark = pytest.mark.processes

PATIENCE_S = 60.0  # for what takes no time on an idle machine


@contextmanager
def process(start: object = None) -> Iterator[WatchedProcess]:
    """Start one, and end it whatever happens."""
    started = WatchedProcess("tests.processes.obedient", start)
    try:
        yield started
    finally:
        started.end()


def death(job: object) -> ProcessDied:
    """Return how a process ends at a job."""
    with process() as one:
        one.send(job)
        with pytest.raises(ProcessDied) as died:
            one.receive()
    return died.value


def test_it_is_given_what_it_starts_with_however_much_that_is_and_answers() -> None:
    much = {"model": b"x" * 10**7}
    with process(much) as one:
        assert one.pid != os.getpid()
        assert not one.answers_within(0)
        one.send("start")
        assert one.answers_within(PATIENCE_S)
        assert one.receive() == much
        one.send("bytes")
        assert one.receive_bytes() == b"rows"


def test_an_error_that_it_sends_is_raised_and_it_goes_on() -> None:
    with process(1) as one:
        one.send("error")
        with pytest.raises(ModelError, match="it does not load"):
            one.receive()
        one.send("start")
        assert one.receive() == 1


def test_it_says_whether_an_item_is_in_work() -> None:
    with process() as one:
        one.send("busy")
        assert [one.receive(), one.receive()] == [True, False]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_that_ends_it_is_named_with_the_item_in_work(how: signal.Signals) -> None:
    died = death(("die", 3, how))
    assert (died.item, died.how) == (3, how.name)
    assert not died.timed_out
    assert not died.failed
    assert died.item_from(start=10) == 13


def test_what_ends_by_itself_has_failed_and_its_words_are_kept() -> None:
    died = death(("exit", 4))
    assert (died.item, died.how, died.failed) == (4, "exit code 1", True)
    assert died.output == "no memory for 4"


def test_what_takes_longer_than_it_may_is_ended_though_it_never_gives_way() -> None:
    died = death(("loop", 5, 0.1))
    assert (died.item, died.timed_out) == (5, True)


def test_each_page_of_a_file_has_its_own_time() -> None:
    with process() as one:
        one.send(("pages", 8, 0.4, 0.1, 6))  # longer than a page may take, all together
        assert one.receive() == "done"


@pytest.mark.parametrize("pages", [(0.3, 1), (0.02, 1000)], ids=["one", "all"])
def test_a_page_has_no_more_than_its_time_and_all_have_ten_times_as_much(
    pages: tuple[float, int],
) -> None:
    died = death(("pages", 8, 0.1, *pages))
    assert (died.item, died.timed_out) == (8, True)


def test_the_timer_stops_with_the_work() -> None:
    with process() as one:
        one.send(("quick", 6))
        assert one.receive() == "done"


def test_an_item_that_is_no_file_is_counted_from_nowhere() -> None:
    assert death(("die", IDLE - 1, signal.SIGKILL)).item_from(start=10) == IDLE - 1


def test_whoever_asks_one_that_has_ended_is_told() -> None:
    with process() as one:
        one.end()
        with pytest.raises(ProcessDied) as died:
            one.send("start")
            one.receive()
        assert (died.value.item, died.value.how) == (IDLE, "SIGKILL")


def test_ctrl_c_is_left_to_the_parent() -> None:
    with process(1) as one:
        one.send("start")
        one.receive()  # it is at work
        os.kill(one.pid, signal.SIGINT)
        one.send("start")
        assert one.receive() == 1
