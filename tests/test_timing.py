"""The seconds of the stages add up to those on the clock."""

import time

import pytest

from tasks.timing import OTHER, WAIT, Stages


def test_stages_and_what_is_none_of_them_add_up_to_the_time_that_went_by() -> None:
    start = time.perf_counter()
    stages = Stages()
    with stages.of("list"):
        time.sleep(0.02)
    time.sleep(0.01)
    with stages.of("check"):
        time.sleep(0.01)
    with stages.of("list"):
        time.sleep(0.01)
    summed = stages.summed()
    passed = time.perf_counter() - start
    assert list(summed) == ["list", "check", OTHER]
    assert (summed["list"] >= 0.03, summed["check"] >= 0.01, summed[OTHER] >= 0.01) == (True,) * 3
    assert sum(summed.values()) <= passed


def test_a_stage_that_ends_with_an_error_has_its_time_too() -> None:
    stages = Stages()
    with pytest.raises(KeyError), stages.of("list"):
        raise KeyError
    assert set(stages.summed()) == {"list", OTHER}


@pytest.mark.parametrize(
    ("clock", "parts", "workers", "expected"),
    [
        (10, {"read": 6, "decode": 4}, 1, {"read": 6, "decode": 4, WAIT: 0}),
        (10, {"read": 6, "decode": 4}, 2, {"read": 3, "decode": 2, WAIT: 5}),
        (10, {"read": 15, "decode": 5}, 2, {"read": 7.5, "decode": 2.5, WAIT: 0}),
        # clocks of processes are not quite those of their parent
        (10, {"read": 30, "decode": 10}, 2, {"read": 7.5, "decode": 2.5, WAIT: 0}),
        (10, {"read": 0.0}, 2, {"read": 0, WAIT: 10}),
    ],
)
def test_stages_beside_each_other_share_the_clock_by_their_seconds(
    clock: float, parts: dict[str, float], workers: int, expected: dict[str, float]
) -> None:
    stages = Stages()
    stages.add_parallel(clock, parts, workers)
    summed = stages.summed()
    summed.pop(OTHER)
    assert summed == pytest.approx(expected)
    assert sum(summed.values()) == pytest.approx(clock)
