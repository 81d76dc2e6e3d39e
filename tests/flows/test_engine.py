"""Jobs run beside each other, their results come in order, and an error ends them."""

import threading
import time
from collections.abc import Iterator

import pytest

from flows.engine import PlainEngine

SOON = 30.0  # seconds that nothing here takes


@pytest.fixture
def engine() -> PlainEngine:
    """Return an engine that writes nothing."""
    return PlainEngine(quiet=True)


@pytest.mark.parametrize("width", [1, 2, 5, 50])
def test_results_come_in_the_order_of_the_jobs(engine: PlainEngine, width: int) -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number

    jobs = ((number,) for number in range(20))
    assert list(engine.spread(slow_first, jobs, width)) == list(range(20))
    assert list(engine.spread(slow_first, [], width)) == []


@pytest.mark.parametrize("width", [1, 2, 4])
def test_as_many_jobs_as_asked_for_run_at_once_and_no_more_are_taken(
    engine: PlainEngine, width: int
) -> None:
    together, taken, most = threading.Barrier(width), 0, 0
    running, lock = 0, threading.Lock()

    def jobs() -> Iterator[tuple[int]]:
        nonlocal taken
        for number in range(4 * width):
            taken += 1
            yield (number,)

    def meet(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(SOON)
        with lock:
            running -= 1
        return number

    results = engine.spread(meet, jobs(), width)
    for number, result in enumerate(results):
        assert result == number
        assert taken <= number + width
    assert most == width


def test_an_error_of_one_job_comes_out_and_no_more_are_started(engine: PlainEngine) -> None:
    started = []

    def fail_at_two(number: int) -> int:
        started.append(number)
        if number == 2:
            raise KeyError(number)
        return number

    results = engine.spread(fail_at_two, ((number,) for number in range(100)), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError):
        next(results)
    assert len(started) <= 4


def test_an_error_does_not_wait_for_jobs_that_go_on(engine: PlainEngine) -> None:
    held, ended, both = threading.Event(), threading.Event(), threading.Barrier(2)

    def fail_or_hold(number: int) -> None:
        both.wait(SOON)
        if number == 0:
            raise KeyError(number)
        held.wait(SOON)
        ended.set()

    with pytest.raises(KeyError):
        list(engine.spread(fail_or_hold, [(0,), (1,)], 2))
    assert not ended.is_set()
    held.set()


def test_files_that_are_read_are_counted_from_any_thread(engine: PlainEngine) -> None:
    with engine.reading(100) as advance:
        threads = [threading.Thread(target=advance, args=(10, 1)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
