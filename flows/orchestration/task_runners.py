"""Stages run many times as task runs: by Prefect's task runners for threads, Dask and Ray."""

import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.callables import get_call_parameters

from flows.runner import LOCAL, ClusterConfig
from tasks.device import usable_cores
from tasks.errors import InputError
from tasks.task import prefect_task

T = TypeVar("T")

CONNECT_S = 10.0  # until who answers at all has answered


class PrefectRunner:
    """Submits stages as task runs; needs a flow run around it."""

    def require(self, cluster: ClusterConfig) -> None:
        """Refuse a runner whose extra is not installed, and an address where nobody answers.

        Raises:
            InputError: with what to do.
        """
        task_runner(cluster, workers=1)
        require_reachable(cluster)

    def map(
        self,
        function: Callable[..., T],
        jobs: Iterable[tuple[Any, ...]],
        workers: int,
        cluster: ClusterConfig,
        stop: Callable[[], None],
    ) -> Iterator[T]:
        """Submit a stage for each job; yield the results in order."""
        task = prefect_task(function)
        with task_runner(cluster, workers) as runner:
            arguments = (get_call_parameters(function, job, {}) for job in jobs)
            futures = [runner.submit(task, argument) for argument in arguments]
            try:
                for future in futures:
                    yield future.result()
            except BaseException:
                stop()
                raise


def task_runner(cluster: ClusterConfig, workers: int) -> TaskRunner[Any]:
    """Return the task runner of a cluster; it starts and ends as a context.

    Args:
        cluster: which one.
        workers: threads, where it is this program.

    Raises:
        InputError: the extra of that runner is not installed.
    """
    if cluster.runner == LOCAL:
        return ThreadPoolTaskRunner(max_workers=workers)
    try:
        return _dask(cluster.address) if cluster.runner == "dask" else _ray(cluster.address)
    except ImportError as error:
        raise InputError(
            f"--runner {cluster.runner}: {error}. "
            f"Install it with pip install 'digitflow[{cluster.runner}]'"
        ) from error


def require_reachable(cluster: ClusterConfig) -> None:
    """Refuse an address where nobody answers, before any work is done.

    Raises:
        InputError: nobody does.
    """
    address = cluster.address
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
            f"scheduler of the {cluster.runner.title()} cluster prints when it starts"
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
