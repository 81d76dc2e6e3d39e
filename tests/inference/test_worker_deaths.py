"""What is at fault when workers die: a file, the model, or nothing that reading can avoid."""

import signal

import pytest

from tasks.device import cpu
from tasks.errors import DigitflowError, ModelError
from tasks.inference.model_file import Model
from tasks.inference.worker import NETWORK, TOGETHER, WorkerStart
from tasks.inference.worker_deaths import WorkerDeaths
from tasks.outcomes import Reason
from tasks.processes.watched_process import IDLE, ProcessDied

CRASH, TIMED_OUT = -signal.SIGSEGV, -signal.SIGALRM


def died(exit_code: int, item: int = 0) -> ProcessDied:
    """Return a death at work on an item."""
    return ProcessDied(item, exit_code, "out of memory")


@pytest.fixture
def deaths() -> WorkerDeaths:
    """Return those of workers that begin to read a batch."""
    model = Model("v1", "/models/v1/model.onnx", b"")
    return WorkerDeaths(WorkerStart(model, cpu(), decode_timeout=30, network_timeout=7))


def test_a_network_that_does_not_end_is_the_fault_of_the_model_the_second_time(
    deaths: WorkerDeaths,
) -> None:
    deaths.count(died(TIMED_OUT), NETWORK)
    with pytest.raises(ModelError, match=r"^/models/v1/model.onnx does not answer within 7 s, tw"):
        deaths.count(died(TIMED_OUT), NETWORK)
    assert deaths.quarantined == {}


def test_a_network_that_crashes_is_no_fault_of_a_file_and_said_to_be_in_the_network(
    deaths: WorkerDeaths,
) -> None:
    for _ in range(2):
        deaths.count(died(CRASH), NETWORK)
    with pytest.raises(DigitflowError, match=r"\(SIGSEGV\) in the network: .*out of memory") as end:
        deaths.count(died(CRASH), NETWORK)
    assert not isinstance(end.value, ModelError)
    assert deaths.quarantined == {}


def test_deaths_outside_of_files_and_in_the_network_are_counted_apart(
    deaths: WorkerDeaths,
) -> None:
    for item in (IDLE, IDLE, NETWORK, NETWORK, TOGETHER, TOGETHER):
        deaths.count(died(CRASH), item)
    with pytest.raises(DigitflowError, match="outside of any picture"):
        deaths.count(died(CRASH), IDLE)


def test_after_a_death_among_small_files_each_is_decoded_by_itself(deaths: WorkerDeaths) -> None:
    assert deaths.prior_attempts(0).decode_together
    deaths.count(died(TIMED_OUT), TOGETHER)
    prior = deaths.prior_attempts(0)
    assert not prior.decode_together
    assert (prior.quarantined, prior.suspects) == ({}, frozenset())


def test_the_rest_of_a_batch_is_told_of_its_own_files_by_their_places_in_it(
    deaths: WorkerDeaths,
) -> None:
    for item in (2, 5, 5, 7, NETWORK, IDLE):
        deaths.count(died(CRASH), item)
    whole, rest, none = (deaths.prior_attempts(at) for at in (0, 5, 8))
    assert {item: why.reason for item, why in whole.quarantined.items()} == {
        5: Reason.DECODER_CRASHED
    }
    assert whole.suspects == {2, 5, 7}
    assert (set(rest.quarantined), rest.suspects) == ({0}, {0, 2})
    assert (none.quarantined, none.suspects, none.decode_together) == ({}, frozenset(), True)
