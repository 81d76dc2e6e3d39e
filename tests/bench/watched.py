"""What Linux tells of a run from outside: the files it opens, its processes, and their memory."""

import ctypes
import os
import select
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

IN_OPEN, EVENT = 0x20, struct.Struct("iIII")
GONE = (FileNotFoundError, ProcessLookupError)  # a process that ends while it is looked at


@contextmanager
def telling_opens(folder: Path, on_open: Callable[[bytes], None]) -> Iterator[None]:
    """Call a function, in a thread, with the name of each file of a folder that is opened."""
    c = ctypes.CDLL(None, use_errno=True)
    watch = c.inotify_init()
    if c.inotify_add_watch(watch, os.fsencode(folder), IN_OPEN) < 0:
        raise OSError(ctypes.get_errno(), f"{folder} cannot be watched")
    over = threading.Event()

    def tell() -> None:
        while True:
            if select.select([watch], [], [], 0.05)[0]:
                for name in _names(os.read(watch, 1 << 20)):
                    on_open(name)
            elif over.is_set():
                return

    try:
        with beside(tell, over):
            yield
    finally:
        os.close(watch)


@contextmanager
def beside(work: Callable[[], None], over: threading.Event) -> Iterator[None]:
    """Let a thread work until the block ends and it is told that it is over."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _names(events: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(events):
        *_, length = EVENT.unpack_from(events, at)
        at += EVENT.size + length
        if length:  # else it is the folder itself
            yield events[at - length : at].rstrip(b"\0")


class Processes:
    """Watches a process and its children: the peak memory of each, and when each was gone."""

    def __init__(self, leader: int, pause: float) -> None:
        """Begin to look, with so many seconds between two looks."""
        self.peaks: dict[int, int] = {}  # bytes, by pid
        self.gone: dict[int, float] = {}  # time.monotonic(), by pid
        self._leader, self._pause, self._over = leader, pause, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(self._pause):
            there = {self._leader, *children_of(self._leader)}
            for pid in there:
                self.peaks[pid] = max(self.peaks.get(pid, 0), _high_water(pid))
            for pid in self.peaks.keys() - there - self.gone.keys():
                self.gone[pid] = time.monotonic()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def children_of(pid: int) -> list[int]:
    """Return the pids of the processes that any thread of a process has started."""
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    except GONE:
        pass
    return found


def processes_of_run(run: str) -> list[int]:
    """Return the pids of what a worker has started for a flow run of Prefect, the first first."""
    return processes_with(f"PREFECT__FLOW_RUN_ID={run}")


def processes_with(variable: str) -> list[int]:
    """Return the pids of those who have `NAME=value` in the environment they were started with."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return sorted(pid for pid in pids if variable.encode() in _parts(pid, "environ"))


def words_of(pid: int) -> list[bytes]:
    """Return the words of the command that a process is."""
    return _parts(pid, "cmdline")


def _parts(pid: int, file: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes().split(b"\0")
    except (*GONE, PermissionError):
        return []


def memory_of(pid: int) -> int:
    """Return the memory that a process has, bytes; 0 of one that ended."""
    return _memory(pid, "VmRSS")


def _high_water(pid: int) -> int:
    return _memory(pid, "VmHWM")


def _memory(pid: int, line: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except GONE:
        return 0
    lines = [said for said in status.splitlines() if said.startswith(line)]
    return int(lines[0].split()[1]) * 1024 if lines else 0
