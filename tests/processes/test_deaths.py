"""A file that ends two processes is quarantined; where none does, so many deaths are an error."""

import signal

import pytest

from tasks.errors import DigitflowError
from tasks.outcomes import Reason
from tasks.processes.deaths import DEATHS_OF_ONE_FILE, DEATHS_OUTSIDE, Deaths
from tasks.processes.watched_process import IDLE, ProcessDied

CRASH = ProcessDied(0, -signal.SIGSEGV, "")


def quarantined(died: ProcessDied) -> tuple[Reason, str]:
    """Return why a file cannot be read that ends its processes in this way."""
    deaths = Deaths(decode_timeout=30)
    for _ in range(DEATHS_OF_ONE_FILE):
        deaths.count(died, 4)
    [(item, why)] = deaths.quarantined.items()
    assert item == 4
    return why.reason, str(why.detail)


def test_the_first_death_quarantines_nothing_and_each_file_is_counted_for_itself() -> None:
    deaths = Deaths(30)
    for item in (1, 2, 3):
        deaths.count(CRASH, item)
    assert deaths.quarantined == {}
    deaths.count(CRASH, 2)
    assert list(deaths.quarantined) == [2]


@pytest.mark.parametrize(
    ("died", "expected"),
    [
        (CRASH, (Reason.DECODER_CRASHED, "ended its process (SIGSEGV), twice")),
        (
            ProcessDied(0, 1, "Traceback\nMemoryError: 9 GB"),
            (Reason.DECODER_CRASHED, "ended its process (exit code 1: MemoryError: 9 GB), twice"),
        ),
        (
            ProcessDied(0, -signal.SIGALRM, ""),
            (Reason.DECODER_TIMEOUT, "longer than 30 s, twice"),
        ),
    ],
)
def test_a_file_is_quarantined_for_how_it_ended_the_process(
    died: ProcessDied, expected: tuple[Reason, str]
) -> None:
    assert quarantined(died) == expected


def test_deaths_at_work_on_no_file_are_an_error_once_there_are_too_many() -> None:
    deaths = Deaths(30)
    killed = ProcessDied(IDLE, -signal.SIGKILL, "out of memory")
    for _ in range(DEATHS_OUTSIDE - 1):
        deaths.count(killed, IDLE)
    with pytest.raises(
        DigitflowError, match=r"\(SIGKILL\) outside of any picture: .*out of memory"
    ):
        deaths.count(killed, IDLE)
    assert deaths.quarantined == {}
