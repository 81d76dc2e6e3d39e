"""What fails while it measures is a value that says why, so that a verdict can say it."""

import pytest

from tasks.errors import ModelError
from tasks.not_measured import NotMeasured, fails_closed


@fails_closed
def share(right: int, *, count: int) -> float:
    """Return a share; a negative count is one of our own errors."""
    if count < 0:
        raise ModelError("the model answers nothing")
    return right / count


def test_what_can_be_measured_is_returned_as_it_is() -> None:
    assert share(1, count=4) == 0.25
    assert share.__name__ == "share"


def test_an_error_of_ours_is_its_message_and_any_other_has_its_kind() -> None:
    assert share(1, count=-1) == NotMeasured("the model answers nothing")
    assert share(1, count=0) == NotMeasured("ZeroDivisionError: division by zero")


def test_whoever_stops_the_program_is_obeyed() -> None:
    @fails_closed
    def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
