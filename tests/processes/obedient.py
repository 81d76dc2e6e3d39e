"""A watched process that does what it is told, word by word."""

import os
import time
from multiprocessing.connection import Connection
from typing import Any

from tasks.errors import ModelError
from tasks.processes.watched_process import Watchdog, serve


def main(connection: int, memory: int, start: int) -> None:
    """Be the process."""
    serve(connection, memory, start, work)


def work(parent: Connection, watchdog: Watchdog, start: Any) -> None:
    """Do what the parent says, a word at a time."""
    while True:
        match parent.recv():
            case "start":
                parent.send(start)
            case "bytes":
                parent.send_bytes(b"rows")
            case "error":
                parent.send(ModelError("it does not load"))
            case "busy":
                watchdog.mark(7)
                parent.send(watchdog.busy)
                watchdog.stop()
                parent.send(watchdog.busy)
            case ("die", number, how):
                watchdog.mark(number)
                os.kill(os.getpid(), how)
            case ("exit", number):
                watchdog.mark(number)
                raise SystemExit(f"no memory for {number}")
            case ("loop", number, seconds):
                watchdog.start(number, seconds)
                while True:
                    pass
            case ("pages", number, limit, page_seconds, pages):
                watchdog.start_file(number, limit)
                for _ in range(pages):
                    time.sleep(page_seconds)
                    watchdog.next_page()
                watchdog.stop()
                parent.send("done")
            case ("quick", number):
                watchdog.start(number, 0.05)
                watchdog.stop()
                time.sleep(0.2)  # longer than it had
                parent.send("done")
