"""Who runs the task runs of spread stages: Prefect's task runners for threads, Dask and Ray."""

import logging
import socket
from typing import Any
from urllib.parse import urlsplit

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.engine import LOCAL, Crew
from tasks.device import usable_cores
from tasks.errors import InputError

CONNECT_S = 10.0  # until who answers at all has answered


def task_runner(crew: Crew) -> TaskRunner[Any]:
    """Return the task runner of a crew; it starts and ends as a context.

    Raises:
        InputError: the extra of that runner is not installed.
    """
    if crew.runner == LOCAL:
        return ThreadPoolTaskRunner(max_workers=crew.width)
    try:
        return _dask(crew.address) if crew.runner == "dask" else _ray(crew.address)
    except ImportError as error:
        raise InputError(
            f"--runner {crew.runner}: {error}. "
            f"Install it with pip install 'digitflow[{crew.runner}]'"
        ) from error


def require_reachable(crew: Crew) -> None:
    """Refuse an address where nobody answers, before any work is done.

    Raises:
        InputError: nobody does.
    """
    address = crew.address
    if address is None:
        return
    try:
        place = urlsplit(address if "://" in address else f"//{address}")
        if place.port is None:  # a name that the runner knows, as Ray's `auto`
            return
        socket.create_connection((place.hostname, place.port), CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"--address {address}: nobody answers there ({error}); give the address that the "
            f"scheduler of the {crew.runner.title()} cluster prints when it starts"
        ) from error


def _dask(address: str | None) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    if address:
        return DaskTaskRunner(address=address)
    # each task starts a reading process of its own: threads would share one interpreter for nothing
    local = {"n_workers": usable_cores(), "threads_per_worker": 1, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=local)


def _ray(address: str | None) -> TaskRunner[Any]:
    from prefect_ray.task_runners import RayTaskRunner

    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    local = {"num_cpus": usable_cores(), "include_dashboard": False, **quiet}
    runner: TaskRunner[Any] = RayTaskRunner(address, {} if address else local)
    return runner
