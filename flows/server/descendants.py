"""What a process has started, also where its own parent is gone: taken on, and ended."""

import ctypes
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h
POLL_S = 0.02


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends, so that they stay descendants.

    Prefect's worker gives each flow run a session of its own: no process group holds them all.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel does not hand orphans over")


def reap_orphans(kept: Collection[int]) -> None:
    """Let the system forget adopted processes that have ended.

    Args:
        kept: ids of children that somebody else asks how they have ended.
    """
    try:
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in kept:
                return
            os.waitpid(ended.si_pid, 0)
    except ChildProcessError:  # there are no children
        return


def end_descendants(grace: float, but: Collection[int] = ()) -> bool:
    """Ask the children to end, and after so many seconds end all that they have left behind.

    What the children have started is left to them to end: who reads does not take the end of its
    decoder for the fault of a picture.

    Args:
        grace: seconds.
        but: ids of children that stay.

    Returns:
        Whether there were any.
    """
    were_any = bool(_descendants(os.getpid(), but))
    for pid in set(_children(os.getpid())) - set(but):
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while living := _descendants(os.getpid(), but):
        if time.monotonic() > deadline:
            for pid in living:
                _signal(pid, signal.SIGKILL)
        time.sleep(POLL_S)
    return were_any


def _descendants(pid: int, but: Collection[int] = ()) -> list[int]:
    """Return the ids of all that a process has started and that still run, at any depth."""
    found = []
    for child in set(_children(pid)) - set(but):
        found += [child] * _runs(child) + _descendants(child)
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
        return []


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # holds the program's name, in any encoding
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b")")[2].split()[0] != b"Z"  # ended, and nobody has asked how


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
