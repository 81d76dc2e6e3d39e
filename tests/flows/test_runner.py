"""Jobs run beside each other, their results come in order, and an error ends them."""

import threading
import time

import pytest

from flows.runner import LOCAL, ClusterConfig, ThreadRunner
from tasks.errors import InputError

SOON = 30.0  # seconds that nothing here takes


HERE = ClusterConfig(LOCAL)


@pytest.fixture
def runner() -> ThreadRunner:
    return ThreadRunner()


def nothing() -> None:
    """Stop nothing: these jobs end by themselves."""


@pytest.mark.parametrize("width", [1, 2, 5, 50])
def test_results_come_in_the_order_of_the_jobs(runner: ThreadRunner, width: int) -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number

    jobs = ((number,) for number in range(20))
    assert list(runner.map(slow_first, jobs, width, HERE, nothing)) == list(range(20))
    assert list(runner.map(slow_first, [], width, HERE, nothing)) == []


@pytest.mark.parametrize("width", [1, 2, 4])
def test_as_many_jobs_as_asked_for_run_at_once(runner: ThreadRunner, width: int) -> None:
    together, most = threading.Barrier(width), 0
    running, lock = 0, threading.Lock()

    def meet(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(SOON)
        with lock:
            running -= 1
        return number

    jobs = [(number,) for number in range(4 * width)]
    assert list(runner.map(meet, jobs, width, HERE, nothing)) == list(range(4 * width))
    assert most == width


def test_an_error_of_one_job_stops_those_that_run_and_no_more_are_started(
    runner: ThreadRunner,
) -> None:
    started, stopped = [], threading.Event()

    def fail_at_two(number: int) -> int:
        started.append(number)
        if number == 2:
            raise KeyError(number)
        if number > 2:
            stopped.wait(SOON)
        return number

    jobs = ((number,) for number in range(100))
    results = runner.map(fail_at_two, jobs, 2, HERE, stopped.set)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError):
        next(results)
    assert stopped.is_set()
    assert len(started) <= 6


def test_a_cluster_is_refused_without_the_orchestrator(runner: ThreadRunner) -> None:
    with pytest.raises(InputError, match="--runner dask is Prefect's: leave out --no-prefect"):
        list(runner.map(print, [], 2, ClusterConfig("dask"), nothing))
