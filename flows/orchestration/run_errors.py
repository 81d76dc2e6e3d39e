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

TASK_LOG = "prefect.task_runs"  # the logger of all task runs


def failing_in_one_line(work: Callable[[S], Any]) -> Callable[[S], Any]:
    """Let a flow that stops with an error of ours return a failed state with its message.

    Who calls the flow gets the error, which Prefect takes out of the state.
    """

    @wraps(work)
    def call(settings: S) -> Any:
        logging.getLogger(TASK_LOG).addFilter(_is_no_error_of_ours)
        try:
            return work(settings)
        except DigitflowError as error:
            get_run_logger().error("%s", error)
            return Failed(message=str(error), data=error)

    return call


def _is_no_error_of_ours(record: logging.LogRecord) -> bool:
    """Leave out what a task run says of an error with which the flow run ends, too."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, DigitflowError)
