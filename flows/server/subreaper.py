"""Runs a program so that nothing of it outlives it, nor the process that has this one as a child.

python -m flows.server.subreaper MODULE ARGUMENTS...

Its stdin is a pipe, see `tasks.processes.parent`.
"""

import os
import signal
import subprocess
import sys
from types import FrameType

from flows.server.descendants import adopt_orphans, end_descendants
from tasks.processes.parent import end_with_parent

GRACE = 5.0  # seconds for what the program leaves behind to end by itself


def main(module: str, *arguments: str) -> int:
    """Run `python -m MODULE`, pass SIGTERM on to it, and return its exit code."""
    adopt_orphans()
    program = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL
    )

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(program.pid, number)

    def end() -> None:
        end_descendants(GRACE)
        os._exit(1)

    signal.signal(signal.SIGTERM, pass_on)
    end_with_parent(end)
    ended, status = os.wait()
    while ended != program.pid:  # an orphan that was adopted
        ended, status = os.wait()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_descendants(GRACE)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
