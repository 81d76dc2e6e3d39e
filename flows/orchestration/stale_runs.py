"""Runs on a home's own server whose process is gone, which nobody says: they have crashed.

python -m flows.orchestration.stale_runs POOL
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Crashed

from flows.deploying.remembered import TAG

UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
MODULE = b"\0-m\0prefect."  # in the command line of a process that runs a flow, or prepares that
RUN_ID = b"PREFECT__FLOW_RUN_ID="  # the variable by which it is told which
PAGE = 200  # runs that the server lists at once
GONE = "The process of this run was killed, or its machine was lost."


def crash_stale_runs(pool: str) -> int:
    """Bring runs that say they go on, and whose process does not live, to Crashed.

    Their places are given back. Looked at are the runs of a work pool whose processes are all
    on this machine, and those of commands that have noted their process here.

    Args:
        pool: its name.

    Returns:
        How many.
    """
    with get_client(sync_client=True) as client:
        # read before the processes are looked at: who has ended in between has said so
        unfinished = [run for run in _unfinished(client) if _is_ours(run, pool)]
        living = _runs_of_workers()
        stale = [run for run in unfinished if not _lives(run, pool, living)]
        for run in stale:
            # what is being cancelled may not become anything else
            end = Cancelled if run.state_type == StateType.CANCELLING else Crashed
            client.set_flow_run_state(run.id, end(message=GONE))
        return len(stale)


def note_process() -> None:
    """Note at the flow run around this which process it is, unless a worker has started that."""
    if deployment.id is None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(flow_run.id), infrastructure_pid=_noted(os.getpid()))


def _unfinished(client: SyncPrefectClient) -> Iterator[FlowRun]:
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)))
    offset = 0
    while page := client.read_flow_runs(
        flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset
    ):
        yield from page
        offset += len(page)


def _is_ours(run: FlowRun, pool: str) -> bool:
    if run.work_pool_name == pool:
        return True
    here = f"{socket.gethostname()}:"
    return TAG in run.tags and (run.infrastructure_pid or "").startswith(here)


def _lives(run: FlowRun, pool: str, living: set[str]) -> bool:
    if run.work_pool_name == pool:
        return str(run.id) in living
    pid = (run.infrastructure_pid or "").split(":")[1]
    return _noted(int(pid)) == run.infrastructure_pid


def _noted(pid: int) -> str:
    """Return what tells a process from all others of before: ids are used again."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    status, *facts = stat.rpartition(b")")[2].split()
    if status == b"Z":  # it has ended, and nobody has asked how
        return ""
    started = facts[18].decode()  # in clock ticks since that boot
    return f"{socket.gethostname()}:{pid}:{started}:{boot}"


def _runs_of_workers() -> set[str]:
    """Return the ids of the runs for which a process of a worker lives on this machine."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if MODULE in (process / "cmdline").read_bytes():
                variables = (process / "environ").read_bytes().split(b"\0")
                found |= {
                    each[len(RUN_ID) :].decode() for each in variables if each.startswith(RUN_ID)
                }
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # ended, or another user's
            continue
    return found


if __name__ == "__main__":
    crash_stale_runs(sys.argv[1])
