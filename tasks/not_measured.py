"""A measurement that failed: a value with its reason, so that a gate can write down the refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from tasks.errors import DigitflowError

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class NotMeasured:
    """Why something was not measured."""

    reason: str


def fails_closed(function: Callable[P, T]) -> Callable[P, T | NotMeasured]:
    """Return the function with every exception turned into the `NotMeasured` that it is."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T | NotMeasured:
        try:
            return function(*args, **kwargs)
        except DigitflowError as error:
            return NotMeasured(str(error))
        except Exception as error:  # whatever it is, nothing was measured
            return NotMeasured(f"{type(error).__name__}: {error}")

    return guarded
