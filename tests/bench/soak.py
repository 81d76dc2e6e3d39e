"""An inbox that is read every ten seconds while files come and processes are killed.

    python -m tests.bench.soak [--minutes 30] [--keep FOLDER]

`digitflow up`, with a schedule of its own for `predict/inbox`. A scanner writes files one by one,
in bursts, and slowly. Early on the worker is killed twice and the server once, each while a run
goes on. Exit code 1 if a promise was broken.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.registry import registry
from tasks.results import table as results
from tests.bars import save_bar_model
from tests.bench.scanner import Scanner
from tests.bench.up_process import Up, running_up
from tests.bench.watched import beside, memory_of, processes_of_run, processes_with
from tests.helpers import register_champion

INTERVAL_S = 10
LOOK_S = 2.0  # between two looks at the memory
KILLS = ((0.1, "worker"), (0.2, "server"), (0.3, "worker"))  # share of the time; who
WARM = 0.4  # share of the time after which memory and database are compared
GROWTH = 0.1  # share of its memory by which a process may grow from then on
LONG_S = 300.0  # from which on that tells something
LAST_S = 300.0  # for the last files to be read, and for the last runs to end
GOOD = {"COMPLETED", "CANCELLED"}  # cancelled: it came due while another went on


@dataclass(frozen=True)
class Promise:
    """What was promised, what was seen, and whether it was kept; None: it is a figure alone."""

    what: str
    seen: str
    kept: bool | None


@dataclass(frozen=True)
class Look:
    """The memory that the server and the worker have at one moment."""

    at: float  # time.monotonic()
    memory: dict[tuple[str, int], int]  # bytes of each process by its role and pid


def soak(home: Path, minutes: float) -> Iterator[Promise]:
    """Let it run for so long, and yield what became of each promise."""
    with (
        patch.dict(os.environ, DIGITFLOW_HOME=str(home)),
        patch.object(registry, "READY", home / "none"),  # the one that ships has passed more checks
    ):
        register_champion(home, save_bar_model(home / "bars.onnx"))
    (home / "inbox").mkdir()
    # the model of bars reads no control digits, which are none
    (home / "digitflow.toml").write_text("[inbox.inbox]\nhold = false\n")
    looks: list[Look] = []
    with running_up(home) as up:
        every = ("predict/inbox", "--interval", str(INTERVAL_S), "--replace", "--accept-yes")
        up.prefect("deployment", "schedule", "create", *every)
        scanner, over = Scanner(home / "inbox"), threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_S):
                memory = {one: memory_of(one[1]) for one in up.pids().items()}
                looks.append(Look(time.monotonic(), memory))

        with beside(watch, over), scanner.scanning():
            began = time.monotonic()
            for share, role in KILLS:
                _wait(began + share * minutes * 60)
                up.kill_while_a_run_goes_on(role)
            _wait(began + WARM * minutes * 60)
            warm, bytes_before, runs_before = time.monotonic(), up.database_bytes(), up.begun()
            _wait(warm + (1 - WARM) * minutes * 60)
            added, ticks = up.database_bytes() - bytes_before, len(up.begun()) - len(runs_before)
        _wait_for_rows(home, scanner.written)
        up.prefect("deployment", "schedule", "clear", "predict/inbox", "--accept-yes")
        stuck, runs = _stuck(up), up.begun()
    yield files_promise(home, scanner.written)
    seen = f"{len(stuck)} of {len(runs)} runs {' '.join(stuck)}"
    yield Promise("no run is stuck", seen, not stuck)
    yield runs_promise(runs)
    left = processes_with(f"DIGITFLOW_HOME={home}")
    yield Promise("ended, it leaves no process", f"{len(left)} left", not left)
    since = [look for look in looks if look.at > warm]
    yield memory_promise("server", since)
    yield memory_promise("worker", since)
    yield Promise(
        "database", f"{added / max(1, ticks) / 1e3:.1f} kB for each of {ticks} runs", None
    )
    yield Promise("killed while a run went on", ", ".join(up.killed), None)


def _wait(until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))


def rows_of(home: Path) -> list[dict[str, Any]]:
    """Return every row of every reading."""
    table = str(home / "results")
    if not results.is_table(table):
        return []
    rows = results.select(table, results.Query(history=True), ["path", "digit"])
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def _wait_for_rows(home: Path, written: dict[str, int]) -> None:
    deadline = time.monotonic() + LAST_S
    while time.monotonic() < deadline and written.keys() - {row["path"] for row in rows_of(home)}:
        time.sleep(1)


def _stuck(up: Up) -> list[str]:
    """Wait for what goes on, and return the ids of the runs that go on without a process."""
    deadline = time.monotonic() + LAST_S
    while (going_on := up.going_on()) and time.monotonic() < deadline:
        time.sleep(1)
    return [run for run in going_on if not processes_of_run(run)]


def files_promise(home: Path, written: dict[str, int]) -> Promise:
    """Tell whether every file has one row, with its digit."""
    rows = rows_of(home)
    times = Counter(row["path"] for row in rows)
    right = {row["path"] for row in rows if row["digit"] == written.get(row["path"])}
    lost = written.keys() - times.keys()
    twice = {path for path, count in times.items() if count > 1}
    wrong = written.keys() - lost - twice - right
    seen = f"{len(written.keys() - lost - twice - wrong):,} of {len(written):,}"
    for what, which in (("lost", lost), ("twice", twice), ("wrong", wrong)):
        if which:
            seen += f"; {len(which):,} {what}, as {min(which)}"
    return Promise("every file is read once", seen, bool(written) and not lost | twice | wrong)


def runs_promise(runs: list[dict[str, Any]]) -> Promise:
    """Tell whether none has failed."""
    states = Counter(run["state_type"] for run in runs)
    seen = ", ".join(f"{count} {state.lower()}" for state, count in states.most_common())
    bad = [run for run in runs if run["state_type"] not in GOOD]
    if bad:
        seen += f"; {bad[0]['name']}: {bad[0]['state']['message']}"
    return Promise("no run fails", seen, bool(runs) and not bad)


def memory_promise(role: str, looks: list[Look]) -> Promise:
    """Tell whether the process that was there at the end has grown."""
    process = next(one for one in reversed(looks[-1].memory) if one[0] == role)
    there = [look for look in looks if process in look.memory]
    memory = [look.memory[process] for look in there]
    third = max(1, len(memory) // 3)
    first, last = median(memory[:third]), median(memory[-third:])
    lasted = there[-1].at - there[0].at
    seen = f"{first / 1e6:.0f} MB, then {last / 1e6:.0f} MB (thirds of {lasted / 60:.1f} minutes)"
    flat = last <= first * (1 + GROWTH)
    return Promise(f"memory of the {role} is flat", seen, flat if lasted > LONG_S else None)


def main() -> int:
    """Print a line for each promise; exit code 1 if one was broken."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--keep", type=Path, help="an empty folder for the home, with its logs")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        promises = list(soak(options.keep, options.minutes))
    else:
        with tempfile.TemporaryDirectory() as name:
            promises = list(soak(Path(name), options.minutes))
    table = Table(box=None, header_style="bold")
    for head in (f"in {options.minutes:g} minutes", "seen", "kept"):
        table.add_column(head)
    for promise in promises:
        kept = {True: "yes", False: "NO", None: ""}[promise.kept]
        table.add_row(promise.what, escape(promise.seen), kept)
    Console(width=100).print(table)
    return int(any(promise.kept is False for promise in promises))


if __name__ == "__main__":
    sys.exit(main())
