"""An inbox in Prefect: what a tick costs that finds nothing, and how soon a picture is read.

    python -m tests.bench.inbox [--rounds 7] [--files 0 1000] [--rows 100000] [--alone]

First what a tick adds to a process that has loaded Prefect: processor time, which other programs
change little, of imports and of the second tick; with `--alone` nothing else.

Ticks are processes as a worker starts them (`prefect flow-run execute`), in turns with those of a
flow that does nothing, on the same server; medians. `files` lie in the inbox, read before; `rows`
are in the table of a second inbox whose pictures were moved away. The trigger is a run asked for of
the deployment that `digitflow up` makes, with one new picture there: until a row of it can be read.
"""

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from flows.server.defaults import set_defaults
from tests.bench.predict_vs_keras import write_pictures
from tests.helpers import free_port
from tests.prefect_api import Api

EMPTY = "tests.bench.empty_flow.empty"
INBOX = "flows.orchestration.flows.read_inbox"
PATIENCE_S = 300.0
MOVED = "/somewhere"  # that pictures of earlier rows were moved to


# a fresh interpreter, as each run of a deployment is one
ALONE = """
import sys, time
import prefect.cli.flow_run, prefect.engine, prefect.main
began = time.process_time()
import flows.orchestration.flows
from flows.orchestration.inbox import tick
from flows.terminal.console import Console
from flows.runner import ThreadRunner
from tasks.settings.reading import InboxSettings
console, runner = Console(quiet=True), ThreadRunner()
settings = InboxSettings(source=sys.argv[1], settle=0)
assert tick(settings, console, runner).summary is None
first = time.process_time() - began
began = time.process_time()
assert tick(settings, console, runner).summary is None
print(first, time.process_time() - began)
"""


@dataclass(frozen=True)
class Spent:
    """What a process took."""

    seconds: float
    cpu: float  # seconds of processor time


def spent(command: list[str], environment: dict[str, str]) -> Spent:
    """Run a process to its end and return what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.perf_counter() - began, cpu)


def run_of(entrypoint: str, settings: dict[str, Any] | None) -> str:
    """Return the id of a new run of a deployment that loads its flow from a module."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("predict" if settings else "empty")
        deployment = client.create_deployment(flow, "bench", entrypoint=entrypoint, pull_steps=[])
        parameters = {"settings": settings} if settings else {}
        run = client.create_flow_run_from_deployment(deployment, parameters=parameters)
        return str(run.id)


def state_of(run: str) -> str:
    """Return the name of a run's state."""
    from uuid import UUID

    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(run)).state
        return state.name if state else ""


def earlier_rows(table: str, root: Path, count: int) -> None:
    """Put rows of pictures into a results table that were read from a folder and moved away."""
    from tasks.results.commit import commit, writer_of
    from tasks.results.schema import SCHEMA

    values: dict[str, Any] = {
        **{"root": str(root), "page": 0, "size": 700, "status": "read", "reason": "ok"},
        **{"digit": 1, "confidence": 0.999, "model_version": "some", "canonical_version": "some"},
        **{"run_id": "earlier", "read_at": datetime.now(UTC), "original": MOVED},
        **{"error_bound": 0.001},
    }
    columns = {field.name: pa.nulls(count, field.type) for field in SCHEMA}
    for name, value in values.items():
        columns[name] = pa.repeat(pa.scalar(value, SCHEMA.field(name).type), count)
    columns["path"] = pa.array([f"batch/scan{number}.png" for number in range(count)])
    columns["mtime_ns"] = pa.array(np.arange(count) + 10**18)
    commit(pa.table(columns, schema=SCHEMA), "earlier/0", writer_of(table, [str(root)], "earlier"))


def furnished(home: Path, counts: list[int], rows: int) -> dict[str, Path]:
    """Return inboxes of a home by what lies in them; what does has no row yet."""
    found = {}
    for count in counts:
        folder = home / f"inbox-{count}"
        folder.mkdir(parents=True)
        if count:
            write_pictures(folder, count)
        found[f"{count:,} files lie there"] = folder
    if rows:
        moved = home / "moved"
        moved.mkdir(parents=True)
        earlier_rows(str(home / "results"), moved, rows)
        write_pictures(moved, 1)
        found[f"one lies there, {rows:,} rows of files moved away"] = moved
    return found


def alone(home: Path, counts: list[int], rows: int) -> dict[str, tuple[float, float]]:
    """Return the processor time that ticks with nothing new add: imports and one, and one more."""
    from flows.predict import predict
    from flows.terminal.console import Console as Lines
    from tasks.settings.reading import PredictSettings

    os.environ["DIGITFLOW_HOME"] = str(home)
    found = {}
    for name, folder in furnished(home, counts, rows).items():
        predict(PredictSettings(source=str(folder), allow_empty=True), Lines(quiet=True))
        command = [sys.executable, "-c", ALONE, str(folder)]
        runs = []
        for _ in range(3):
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            runs.append([float(part) for part in said.split()])
        first, second = (statistics.median(times) for times in zip(*runs, strict=True))
        found[name] = (first, second)
    return found


def ticks(home: Path, rounds: int, counts: list[int], rows: int) -> dict[str, list[Spent]]:
    """Return what each kind of run took in each round."""
    set_defaults()
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    found: dict[str, list[Spent]] = defaultdict(list)
    os.environ["DIGITFLOW_HOME"] = str(home)
    with prefect_test_harness(server_startup_timeout=120):
        environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
        kinds: dict[str, tuple[str, dict[str, Any] | None]] = {"empty flow": (EMPTY, None)}
        for name, folder in furnished(home, counts, rows).items():
            kinds[name] = (INBOX, {"source": str(folder), "settle": 0})
        for turn in range(rounds + 1):
            for name, (entrypoint, settings) in kinds.items():
                run = run_of(entrypoint, settings)
                command = [sys.executable, "-m", "prefect", "flow-run", "execute", run]
                took = spent(command, environment)
                if turn:  # in the first one the pictures are read
                    wanted = "Nothing new" if settings else "Completed"
                    assert state_of(run) == wanted, (name, state_of(run))
                    found[name].append(took)
    return found


@contextmanager
def running_up(home: Path) -> Iterator[Api]:
    """Run `digitflow up` in a home and give its API."""
    environment = {
        **os.environ,
        "DIGITFLOW_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
    }
    environment.pop("PREFECT_API_URL", None)
    program = [sys.executable, "-m", "flows.cli.main"]
    up = subprocess.Popen(
        [*program, "up", "--port", str(free_port())], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            asked = [*program, "credentials"]
            said = subprocess.run(
                asked, env=environment, capture_output=True, text=True, check=False
            ).stdout
            given = dict(line.split("=", 1) for line in said.splitlines())
            if given:
                break
            if up.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("digitflow up did not start")
            time.sleep(0.5)
        yield Api(given["PREFECT_API_URL"], given["PREFECT_API_AUTH_STRING"])
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)


def triggers(home: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds from a run that is asked for to the row of the one new picture."""
    from tasks.results import table

    found: dict[str, list[float]] = defaultdict(list)
    results, folder = str(home / "results"), home / "inbox"
    with running_up(home) as api:
        deployment = api.ask("GET", "/deployments/name/predict/inbox")["id"]
        for turn in range(rounds):
            for name, settings in (("settle 0", {"settle": 0}), ("settle 10, as it is", {})):
                before = table.select(results).num_rows if table.is_table(results) else 0
                one = home / "one"
                one.mkdir(exist_ok=True)
                write_pictures(one, 1)
                picture = next(one.iterdir())
                picture.rename(folder / f"{turn}-{name}{picture.suffix}")
                began = time.perf_counter()
                body = {"parameters": {"settings": settings}, "state": {"type": "SCHEDULED"}}
                api.post(f"/deployments/{deployment}/create_flow_run", body)
                while not table.is_table(results) or table.select(results).num_rows == before:
                    if time.perf_counter() - began > PATIENCE_S:
                        raise SystemExit("the picture was not read")
                    time.sleep(0.05)
                found[name].append(time.perf_counter() - began)
                time.sleep(3)  # until the run is over, whose place the next one needs
    return found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, nargs="*", default=[0, 1000])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        added = alone(Path(name) / "alone", options.files, options.rows)
        table = Table(box=None, header_style="bold", title="processor time that a tick adds")
        for head in ("with nothing new", "with imports, s", "without, s"):
            table.add_column(head, justify="right" if table.columns else "left")
        for what, times in added.items():
            table.add_row(what, *(f"{seconds:.2f}" for seconds in times))
        Console().print(table)
        if options.alone:
            return
        found = ticks(Path(name) / "ticks", options.rounds, options.files, options.rows)
        waited = triggers(Path(name) / "up", max(1, options.rounds // 2))
    load = f"load {os.getloadavg()[0]:.1f}"
    shown = Table(box=None, header_style="bold", title=load)
    for head in (f"medians of {options.rounds}", "s", "least", "most", "CPU s"):
        shown.add_column(head, justify="right" if shown.columns else "left")
    for what, runs in found.items():
        times = [run.seconds for run in runs]
        figures = (statistics.median(times), min(times), max(times))
        cpu = statistics.median(run.cpu for run in runs)
        shown.add_row(what, *(f"{figure:.2f}" for figure in (*figures, cpu)))
    for what, seconds in waited.items():
        figures = (statistics.median(seconds), min(seconds), max(seconds))
        shown.add_row(f"trigger to row, {what}", *(f"{figure:.1f}" for figure in figures), "")
    Console().print(shown)


if __name__ == "__main__":
    main()
