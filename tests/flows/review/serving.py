"""`digitflow review` in a process of its own, as a person starts it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
END_S = 60.0


@dataclass
class Serving:
    """A server that runs, and what it said."""

    process: "subprocess.Popen[str]"
    said: str
    url: str  # with its token

    def stop(self, number: int = signal.SIGINT) -> str:
        """End it by a signal, and return what it said then."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=END_S)[0]


@contextmanager
def serving(*words: str) -> Iterator[Serving]:
    """Start it, and end it with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", "review", "--port", "0", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    try:
        assert process.stdout
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        url = re.search(r"https?://\S+", said)
        yield Serving(process, said, url[0] if url else "")
    finally:
        process.kill()
        process.communicate()
