"""Whole commands on ten files: without Prefect, and with it beside a flow that does nothing.

    python -m tests.bench.start_up [--rounds 5]

Each is a process of its own, in turns; medians. Prefect's database is there already, as it is from
the second command on.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows.server.defaults import set_defaults
from tests.bench.predict_vs_keras import write_pictures

FILES = 10
EMPTY = """
from flows.server.defaults import set_defaults
set_defaults()
from prefect import flow
flow(lambda: None, name="empty")()
"""


def seconds(command: list[str], **environment: str) -> float:
    """Run a command to its end and return how long it took."""
    began = time.perf_counter()
    subprocess.run(
        command, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - began


def measure(folder: Path, home: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each command in each round."""
    set_defaults()  # a server as `digitflow up` starts it
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    predict = [sys.executable, "-m", "flows.cli.main", "predict", str(folder), "--again"]
    empty = [sys.executable, "-c", EMPTY]
    ours = {"DIGITFLOW_HOME": str(home / "digitflow")}
    embedded = {**ours, "PREFECT_HOME": str(home / "prefect"), "PREFECT_API_URL": ""}
    found: dict[str, list[float]] = defaultdict(list)
    seconds(empty, **embedded)  # makes the database
    with prefect_test_harness(server_startup_timeout=120):
        server = {**ours, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
        for _ in range(rounds):
            found["without Prefect"].append(seconds([*predict, "--no-prefect"], **ours))
            found["empty flow, server running"].append(seconds(empty, **server))
            found["predict, server running"].append(seconds(predict, **server))
    for _ in range(rounds):
        found["empty flow, embedded"].append(seconds(empty, **embedded))
        found["predict, embedded"].append(seconds(predict, **embedded))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        folder.mkdir()
        write_pictures(folder, FILES)
        found = measure(folder, Path(name), options.rounds)
    table = Table(box=None, header_style="bold", title=f"load {os.getloadavg()[0]:.1f}")
    for head in (f"{FILES} files, medians of {options.rounds}", "s", "least", "most"):
        table.add_column(head, justify="right" if table.columns else "left")
    for what, times in found.items():
        table.add_row(what, *(f"{f(times):.2f}" for f in (statistics.median, min, max)))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
