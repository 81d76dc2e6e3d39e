"""Runners of a stage for many jobs in parallel: threads of this program, or a cluster."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

from tasks.errors import InputError

T = TypeVar("T")

LOCAL = "local"


class ClusterConfig(NamedTuple):
    """Where shards are read."""

    runner: str = LOCAL  # or dask, ray
    address: str | None = None  # of a cluster; without one a local cluster is started


class Runner(Protocol):
    """How a stage is run many times."""

    def require(self, cluster: ClusterConfig) -> None:
        """Refuse a cluster that it cannot run stages on, before any work is done."""

    def map(
        self,
        function: Callable[..., T],
        jobs: Iterable[tuple[Any, ...]],
        workers: int,
        cluster: ClusterConfig,
        stop: Callable[[], None],
    ) -> Iterator[T]:
        """Run a stage for each job, some in parallel; yield the results in order.

        Args:
            function: the stage.
            jobs: its arguments.
            workers: how many run at once, where threads run them.
            cluster: where they run.
            stop: is called when one fails, or the wait is interrupted, so that the others end soon.
        """


class ThreadRunner:
    """Runs stages in threads of this program."""

    def require(self, cluster: ClusterConfig) -> None:
        """Refuse clusters.

        Raises:
            InputError: it is one, which is reached through Prefect.
        """
        if cluster.runner != LOCAL:
            raise InputError(f"--runner {cluster.runner} is Prefect's: leave out --no-prefect")

    def map(
        self,
        function: Callable[..., T],
        jobs: Iterable[tuple[Any, ...]],
        workers: int,
        cluster: ClusterConfig,
        stop: Callable[[], None],
    ) -> Iterator[T]:
        """Run a stage for each job in threads; yield the results in order.

        Raises:
            InputError: a cluster was asked for.
        """
        self.require(cluster)
        pool = ThreadPoolExecutor(workers, thread_name_prefix=function.__name__)
        try:
            for future in [pool.submit(function, *job) for job in jobs]:
                yield future.result()
        except BaseException:
            stop()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
