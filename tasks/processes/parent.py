"""Ends a process with the one that started it, however that ends and whatever this one does."""

import fcntl
import os
import select
import signal
from collections.abc import Callable

STDIN = 0


def end_with_parent(end: Callable[[], None] | None = None) -> None:
    """Let the kernel signal the end of the parent, who holds the other end of our stdin.

    The parent starts us with a pipe as stdin and writes nothing to it, so that it is closed when
    the parent closes it or dies. SIGIO then ends this process at once, without waiting for Python:
    a decoder may keep that busy for long. The kernel's own signal for orphans is not used, since it
    comes already when the thread ends that started us.

    Args:
        end: what to do instead, in the main thread.
    """
    signal.signal(signal.SIGIO, (lambda *_: end()) if end else signal.SIG_DFL)
    fcntl.fcntl(STDIN, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(STDIN, fcntl.F_SETFL, fcntl.fcntl(STDIN, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([STDIN], [], [], 0)[0]:  # it was closed before we asked
        signal.raise_signal(signal.SIGIO)
