"""Pools of processes that draw or compute for this one, and end with it."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait


def process_pool(processes: int = 0) -> ProcessPoolExecutor:
    """Return a pool whose processes end with this one, however it ends.

    Those of the standard library wait for ever for work, or for somebody to take it, once the
    process that gave it was killed.

    Args:
        processes: how many; 0: one for each core.
    """
    return ProcessPoolExecutor(
        processes or None, mp_context=get_context("forkserver"), initializer=_end_with_parent
    )


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None  # noqa: S101 - a process of a pool has been started by one

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
