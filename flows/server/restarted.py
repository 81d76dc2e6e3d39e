"""A process that is started again when it ends by itself: later each time, and not for ever."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import IO

from flows.server.server_process import stop, trouble_in
from tasks.errors import DigitflowError

QUICK_S = 60.0  # who has lived for less has died quickly
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # before each new start of one that dies quickly

Say = Callable[[str, str], None]


class Restarted:
    """One process at a time, until it is stopped."""

    def __init__(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        log: IO[bytes],
        say: Say,
        may_start: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start the process.

        Args:
            name: in what a person reads.
            start: starts it, with a pipe as stdin.
            log: where it writes.
            say: prints a line.
            may_start: whether what it needs is there; asked before each start but the first.
        """
        self._name, self._start, self._log, self._say = name, start, log, say
        self._may_start = may_start
        self._quick_deaths = 0
        self._due: float | None = None  # when it is to be started again
        self._begin()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the process that was started last."""
        return self._process

    def look_after(self) -> None:
        """Start the process again if it has ended and its pause is over.

        Raises:
            DigitflowError: it died quickly, too often.
        """
        if self._process.poll() is None:
            return
        if self._due is None:
            self._due = time.monotonic() + self._pause()
        elif time.monotonic() >= self._due and self._may_start():
            self._begin()

    def stop(self) -> None:
        """End the process, by force if it does not do so itself."""
        stop(self._process)

    def _begin(self) -> None:
        self._process, self._began, self._due = self._start(), time.monotonic(), None

    def _pause(self) -> float:
        """Return the seconds until the next start, and say so."""
        if self._process.stdin:
            self._process.stdin.close()
        quick = time.monotonic() - self._began < QUICK_S
        self._quick_deaths = self._quick_deaths + 1 if quick else 1
        how = ended(self._process.returncode)
        if self._quick_deaths > len(PAUSES_S):
            raise DigitflowError(
                f"the {self._name} {how}, {self._quick_deaths} times in a row within "
                f"{QUICK_S:.0f} s of its start: {trouble_in(self._log)}"
            )
        pause = PAUSES_S[self._quick_deaths - 1]
        self._say(self._name.capitalize(), f"{how}, starts again in {pause:.0f} s")
        return pause


def ended(code: int) -> str:
    """Return in words how a process has ended."""
    if code >= 0:
        return f"stopped by itself (code {code})"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-code}"
