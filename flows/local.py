"""The orchestrated flows, called from this process: on a server where one runs, else embedded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from flows.prefect_defaults import set_defaults
from flows.quiet import quietly
from tasks.errors import DigitflowError
from tasks.heap import uncollected
from tasks.settings import PredictSettings, TrainSettings

if TYPE_CHECKING:
    from flows.train import Outcome
    from tasks.summary import Summary


def run_train(settings: TrainSettings, *, quiet: bool = False) -> "Outcome":
    """Run the train flow and return its outcome."""
    with _prefect(quiet=quiet):
        with uncollected():
            from flows.orchestrated import train

        return cast("Outcome", train(settings))


def run_predict(settings: PredictSettings, *, quiet: bool = False) -> "Summary":
    """Run the predict flow and return its summary."""
    with _prefect(quiet=quiet):
        with uncollected():
            from flows.orchestrated import predict

        return cast("Summary", predict(settings))


@contextmanager
def _prefect(*, quiet: bool) -> Iterator[None]:
    """Set Prefect up for a flow; a server of `digitflow up` is used unless another is configured.

    Raises:
        DigitflowError: the server cannot be reached.
    """
    set_defaults()
    with uncollected():
        import httpx
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from deployments.local import running_server

    configured = PREFECT_API_URL.value()
    local = None if configured else running_server()
    try:
        with quietly(on=quiet), temporary_settings({PREFECT_API_URL: local} if local else {}):
            yield
    except httpx.TransportError as error:
        raise DigitflowError(
            f"the Prefect server at {configured or local or 'embedded'} does not answer ({error}): "
            "start it, unset PREFECT_API_URL, or use --no-prefect"
        ) from error
