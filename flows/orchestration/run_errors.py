"""What a flow run says of an error that digitflow raised on purpose: its line, in state and log.

Of anything else Prefect writes the traceback, as of any error.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from prefect.logging import get_run_logger
from prefect.states import Failed

from tasks.errors import DigitflowError

S = TypeVar("S")

LOGGERS = ("prefect.task_runs", "prefect.flow_runs", "prefect.engine")  # that tell what was raised


def failing_in_one_line(work: Callable[[S], Any]) -> Callable[[S], Any]:
    """Let a flow that stops with an error of ours return a failed state with its message.

    Who calls the flow gets the error, which Prefect takes out of the state.
    """

    @wraps(work)
    def call(settings: S) -> Any:
        for name in LOGGERS:
            logging.getLogger(name).addFilter(_is_no_error_of_ours)
        try:
            return work(settings)
        except DigitflowError as error:
            get_run_logger().error("%s", error)
            return Failed(message=str(error), data=error)

    return call


def _is_no_error_of_ours(record: logging.LogRecord) -> bool:
    """Leave out what Prefect says, with a traceback, of an error that the run itself has told."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, DigitflowError)
