"""How time and memory grow with the number of files, and what Prefect costs of it.

    python -m tests.bench.scale [--counts 10000 100000 1000000] [--model FILE.onnx]

The files are made on the spot, as links to 10,000 different ones, so that reading is measured
and not the disk, and removed after. Each reading is a process of its own; of up to 100,000 files
the median of five counts, with and without Prefect in turns. The Prefect server runs already, with
digitflow's defaults, and has seen a run before. Peak memory is that of the largest process of the
run, as the kernel counts it (VmHWM).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.server.defaults import set_defaults
from tests.bench.predict_vs_keras import write_pictures
from tests.bench.watched import Processes

DIFFERENT = 10_000  # files; the others are links to them
IN_A_FOLDER = 10_000  # links
ORCHESTRATED = 100_000  # files: from so many on, what Prefect takes is measured
ROUNDS = 5  # up to so many files
REST = 2.0  # seconds: what a run has left to the server is not to count for the next
SHIPPED = Path(__file__).parents[2] / "tasks" / "registry" / "bundled_model" / "model.onnx"


@dataclass(frozen=True)
class Reading:
    """One run."""

    count: int
    prefect: bool
    whole: float  # seconds of the process
    run: float  # seconds of the flow
    peak: int  # bytes of the largest process


def make_links(originals: list[Path], folder: Path, count: int) -> None:
    """Fill a folder with so many files."""
    for start in range(0, count, IN_A_FOLDER):
        below = folder / f"{start:07}"
        below.mkdir(parents=True)
        for number in range(start, min(start + IN_A_FOLDER, count)):
            os.link(originals[number % len(originals)], below / f"{number:07}.png")


def read(folder: Path, model: Path, count: int, server: str | None) -> Reading:
    """Read the folder in a process of its own, with a new home; on a Prefect server, or plainly."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"DIGITFLOW_HOME": home, "DIGITFLOW_MAX_ERROR": "1"}
        if server:
            environment["PREFECT_API_URL"] = server
        command = [
            sys.executable,
            "-m",
            "flows.cli.main",
            "predict",
            str(folder),
            "--model",
            str(model),
        ]
        command += ["--json"] if server else ["--json", "--no-prefect"]
        time.sleep(REST)
        began = time.perf_counter()
        run = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
        )
        processes = Processes(run.pid, pause=0.1)
        said, _ = run.communicate()
        whole = time.perf_counter() - began
        processes.end()
        if run.returncode:
            sys.exit(f"reading {count:,} files ended with {run.returncode}")
        peak = max(processes.peaks.values())
        summary: dict[str, Any] = json.loads(said)
        if summary["found"] != count:
            sys.exit(f"{count:,} files, but {summary['found']:,} rows")
        return Reading(count, bool(server), whole, summary["seconds"], peak)


def measure(counts: list[int], model: Path, server: str | None) -> list[Reading]:
    """Return a reading of each count, and on a Prefect server one more from 100,000 files on."""
    readings = []
    with tempfile.TemporaryDirectory() as name:
        originals = Path(name) / "originals"
        originals.mkdir()
        write_pictures(originals, DIFFERENT)
        files = sorted(originals.iterdir())
        if server:
            read(originals, model, DIFFERENT, server)
        for count in counts:
            folder = Path(name) / str(count)
            make_links(files, folder, count)
            subprocess.run(["find", folder, "-size", "+1M"], check=True)  # names into the cache
            on = [None, server] if server and count >= ORCHESTRATED else [None]
            rounds = ROUNDS if count <= ORCHESTRATED else 1
            found = [[read(folder, model, count, where) for where in on] for _ in range(rounds)]
            readings += [_median(list(one)) for one in zip(*found, strict=True)]
            subprocess.run(["rm", "-rf", folder], check=True)
    return readings


def _median(readings: list[Reading]) -> Reading:
    return sorted(readings, key=lambda one: one.run)[len(readings) // 2]


@contextmanager
def prefect_server() -> Iterator[str]:
    """Start a server as `digitflow up` does, and give its URL."""
    set_defaults()
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--no-orchestrator", action="store_true")
    options = parser.parse_args()
    with nullcontext() if options.no_orchestrator else prefect_server() as server:
        readings = measure(options.counts, options.model, server)
    table = Table(box=None, header_style="bold", title=f"load {os.getloadavg()[0]:.1f}")
    for head in ("files", "Prefect", "whole s", "run s", "us a file", "files/s", "peak MB"):
        table.add_column(head, justify="right")
    for one in readings:
        table.add_row(
            *(f"{one.count:,}", "yes" if one.prefect else "", f"{one.whole:.1f}"),
            *(f"{one.run:.1f}", f"{1e6 * one.run / one.count:.1f}"),
            *(f"{one.count / one.run:,.0f}", f"{one.peak / 2**20:.0f}"),
        )
    Console(width=100).print(table)
    for one in readings:
        plain = [r for r in readings if r.count == one.count and not r.prefect]
        if one.prefect:
            share = 1 - plain[0].run / one.run
            print(f"{one.count:,} files: Prefect takes {share:.1%} of the run")


if __name__ == "__main__":
    main()
