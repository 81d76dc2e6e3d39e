"""Clusters that read shards: Prefect's task runners for Dask and Ray, by name and address."""

from typing import Any

from prefect.task_runners import TaskRunner

from tasks.device import usable_cores
from tasks.errors import InputError


def task_runner(runner: str, address: str | None) -> TaskRunner[Any]:
    """Return the task runner of a cluster; without an address a local one is started.

    Raises:
        InputError: the extra of that runner is not installed.
    """
    try:
        return _dask(address) if runner == "dask" else _ray(address)
    except ImportError as error:
        raise InputError(
            f"--runner {runner}: {error}. Install it with pip install 'digitflow[{runner}]'"
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

    local = {"num_cpus": usable_cores(), "include_dashboard": False}
    runner: TaskRunner[Any] = RayTaskRunner(address, {} if address else local)
    return runner
