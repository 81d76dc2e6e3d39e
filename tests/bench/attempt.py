"""A `digitflow predict` that is watched from outside, and what became of a promise."""

import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.watched import Processes, telling_opens

ROOT = Path(__file__).parents[2]
LOOK_S = 0.02  # between two looks at the processes
# bytes for each process, so that an attack costs itself and no machine; an ordinary run reserves
# some 3 GB and uses a tenth of it
ADDRESS_SPACE = 4 * 2**30
LONGEST_S = 120.0  # a run of few files that takes longer is ended
KILLED = -signal.SIGKILL
Run = subprocess.Popen[str]


@dataclass(frozen=True)
class Line:
    """What became of one promise under one attack: a line of the table."""

    attack: str
    promise: str
    tried: int
    held: int
    worst: str

    @property
    def broken(self) -> bool:
        """Tell whether the promise was not kept, or was never put to the test."""
        return self.held < self.tried or not self.tried


@dataclass(frozen=True)
class Attempt:
    """The time at one file: from its opening to the next one, or to the end of its process."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a run has ended."""

    exit_code: int
    summary: dict[str, Any]  # of `--json`; empty if it did not come to its end
    said: str  # on standard error
    seconds: float
    peak: int = 0  # bytes of the largest worker
    attempts: tuple[Attempt, ...] = ()

    @property
    def clear(self) -> bool:
        """Tell whether it has failed with one line that says why."""
        one_line = self.said.count("\n") == 1 and self.said.startswith("digitflow: ")
        return self.exit_code in (1, 2) and one_line

    @property
    def told(self) -> str:
        """Return in a few words how it ended."""
        if self.exit_code == KILLED:
            return f"ended after {self.seconds:.0f} s"
        last = self.said.strip().splitlines()[-1:] or ["nothing said"]
        return f"exit {self.exit_code}: {last[0][:110]}"


def started(source: Path | str, model: Path, home: Path, *options: str, **variables: str) -> Run:
    """Start the command in a home of its own, as the leader of its own process group."""
    words = [sys.executable, "-m", "flows.cli.main", "predict", str(source), "--model", str(model)]
    words += ["--no-prefect", "--json", *options]
    home.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        ["bash", "-c", f'ulimit -v {ADDRESS_SPACE // 1024} && exec "$@"', "bash", *words],
        cwd=ROOT,
        env={**os.environ, "DIGITFLOW_HOME": str(home), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def ended(run: Run, limit: float = LONGEST_S) -> Outcome:
    """Wait for a run, and end it if it takes longer than so many seconds."""
    began = time.monotonic()
    try:
        answer, said = run.communicate(timeout=limit)
    except BaseException as error:  # Ctrl-C, too, which does not reach its process group
        os.killpg(run.pid, signal.SIGKILL)
        answer, said = run.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
    summary = json.loads(answer) if run.returncode == 0 else {}
    return Outcome(run.returncode, summary, said, time.monotonic() - began)


def watched(run: Run, limit: float = LONGEST_S, folder: Path | None = None) -> Outcome:
    """Wait for a run of one worker, and watch it.

    Args:
        run: as `started` has started it, with `--workers 1`.
        limit: seconds after which it is ended.
        folder: whose files it opens; without one nothing is known of single files.
    """
    opened: list[tuple[float, str]] = []

    def note(name: bytes) -> None:
        opened.append((time.monotonic(), os.fsdecode(name)))

    processes = Processes(run.pid, LOOK_S)
    with telling_opens(folder, note) if folder else nullcontext():
        outcome = ended(run, limit)
    processes.end()
    peaks = [peak for pid, peak in processes.peaks.items() if pid != run.pid]
    attempts = attempts_of(opened, list(processes.gone.values()), time.monotonic())
    return replace(outcome, peak=max(peaks, default=0), attempts=attempts)


def attempts_of(
    opened: list[tuple[float, str]], gone: list[float], end: float
) -> tuple[Attempt, ...]:
    """Return the time at each file, whichever process was at it."""
    ends = sorted([*(moment for moment, _ in opened), *gone, end])
    return tuple(
        Attempt(name, ends[bisect_right(ends, moment)] - moment) for moment, name in opened
    )
