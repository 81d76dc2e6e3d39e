"""A process of its own that marks the item it works on, so that its end tells what ended it.

A decoder that crashes takes this process with it; one that never ends is ended by the kernel's
timer. The parent then knows what it was, and starts another process.

Nothing here is a pool of Python's: after a crash theirs are broken, they start `__main__` again,
and they pickle rows, which here cross as Arrow's own bytes.
"""

import mmap
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tasks.processes.parent import end_with_parent

# glibc gives freed memory back to the system and takes it again for each large picture, which costs
# more than decoding it: so much stays with the process
HEAP = {f"MALLOC_{what}_THRESHOLD_": str(64 * 1024 * 1024) for what in ("TRIM", "MMAP")}  # bytes
IDLE = -1  # no item; those of a caller are 0 or more, or numbers of its own below this one
ITEM = struct.Struct("q")
FILE_PAGES = 10  # times as long as one page all pages of a file may take
AT_ONCE = 1e-3  # seconds: a timer of none would be no timer


class ProcessDied(Exception):
    """The process ended while it had something to do: its item, and how it ended."""

    def __init__(self, item: int, exit_code: int, output: str) -> None:
        """Keep the item that was marked, IDLE if none was, and what was written to its output."""
        super().__init__(f"ended with {exit_code}: {output}")
        self.item, self.output = item, output
        self.timed_out, self.failed = exit_code == -signal.SIGALRM, exit_code > 0
        self.how = _how(exit_code)

    def item_from(self, start: int) -> int:
        """Return the item, counted from where the first file that the process was given counts.

        Args:
            start: number of that file.
        """
        return start + self.item if self.item >= 0 else self.item


def _how(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


class WatchedProcess:
    """The parent's side of one process."""

    def __init__(self, module: str, start: object) -> None:
        """Start it: `main(connection, memory, start)` of our module, which calls `serve`.

        Args:
            module: has that function.
            start: is pickled to it. It waits in a file that has no name, which nobody can change,
                so that however much it is, this does not wait until it is read.
        """
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as memory, tempfile.TemporaryFile() as given, theirs:
            memory.truncate(mmap.PAGESIZE)
            self._item_memory = mmap.mmap(memory.fileno(), mmap.PAGESIZE)
            ITEM.pack_into(self._item_memory, 0, IDLE)
            pickle.dump(start, given)
            given.seek(0)
            self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
            handed = (theirs.fileno(), memory.fileno(), given.fileno())
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                [sys.executable, "-c", f"from {module} import main; main{handed}"],
                pass_fds=handed,
                stdin=subprocess.PIPE,  # held open as long as this process lives
                stdout=self._output,
                stderr=self._output,
                env=_environment(),
            )
        self._connection = Connection(ours.detach())

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def send(self, job: object) -> None:
        """Hand something over; raise ProcessDied if it has ended."""
        try:
            self._connection.send(job)
        except OSError:
            raise self._died() from None

    def receive(self) -> Any:
        """Return what it sends, and raise that if it is an error; ProcessDied if it has ended."""
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def receive_bytes(self) -> bytes:
        """Return bytes that it sends; raise ProcessDied if it has ended."""
        try:
            return self._connection.recv_bytes()
        except (EOFError, OSError):
            raise self._died() from None

    def answers_within(self, seconds: float) -> bool:
        """Wait for what it sends, or for its end, at most so long."""
        return self._connection.poll(seconds)

    def _died(self) -> ProcessDied:
        exit_code = self._process.wait()
        (item,) = ITEM.unpack_from(self._item_memory)
        self._output.seek(0)
        output = self._output.read().decode("utf-8", "replace").strip()[-500:]
        return ProcessDied(item, exit_code, output)

    def end(self) -> None:
        """End the process, whatever it does; who waits for an answer of it gets ProcessDied."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()


def _environment() -> dict[str, str]:
    """Return the environment, in which this very code is found first."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    found_first = os.pathsep.join(filter(None, paths))
    # processes stand beside each other: threads within one would only be in the way
    return {**HEAP, **os.environ, "PYTHONPATH": found_first, "OPENBLAS_NUM_THREADS": "1"}


class Watchdog:
    """Marks the item in work where the parent can see it, and ends the process by a timer."""

    def __init__(self, memory: mmap.mmap) -> None:
        """Take the memory that is shared with the parent."""
        self._memory = memory
        self._page_seconds = self._until = 0.0  # of the file in work

    def mark(self, item: int) -> None:
        """Mark an item, for as long as it takes."""
        ITEM.pack_into(self._memory, 0, item)

    def start(self, item: int, seconds: float) -> None:
        """Mark an item; SIGALRM, which nobody handles, ends the process when time is up."""
        ITEM.pack_into(self._memory, 0, item)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def start_file(self, item: int, page_seconds: float) -> None:
        """Mark a file, whose first page may take so long, and all pages FILE_PAGES times as much.

        A long scan takes its time, page by page; one that never ends is still ended.
        """
        self._page_seconds = page_seconds
        self._until = time.monotonic() + FILE_PAGES * page_seconds
        self.start(item, page_seconds)

    def next_page(self) -> None:
        """Give the next page of the file its time."""
        left = max(AT_ONCE, self._until - time.monotonic())
        signal.setitimer(signal.ITIMER_REAL, min(left, self._page_seconds))

    def stop(self) -> None:
        """Stop the timer, and mark that no item is in work."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        ITEM.pack_into(self._memory, 0, IDLE)

    @property
    def busy(self) -> bool:
        """Tell whether an item is in work."""
        return bool(ITEM.unpack_from(self._memory)[0] != IDLE)


def serve(
    connection: int, memory: int, start: int, work: Callable[[Connection, Watchdog, Any], None]
) -> None:
    """Be the process: do the work until the parent is gone.

    Args:
        connection: descriptor that leads to the parent.
        memory: descriptor of the memory that is shared with it.
        start: descriptor of the file that holds what the parent has pickled.
        work: is given these three; it receives and sends until that raises EOFError.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a parent that ignores it hands that down
    end_with_parent()
    with os.fdopen(start, "rb") as given:
        start_data = pickle.load(given)  # noqa: S301 - by the parent, in a file without a name
    try:
        work(Connection(connection), Watchdog(mmap.mmap(memory, mmap.PAGESIZE)), start_data)
    except (EOFError, ConnectionError):
        return
