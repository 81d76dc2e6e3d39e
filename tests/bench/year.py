"""What a schedule leaves of database and disk in a year, and what a nightly maintenance costs.

python -m tests.bench.year [TICKS]

Ticks are flow runs of `predict/inbox` by a program on a server of its own, three new pictures each.
Half of the runs are then dated back by a hundred days, in database and on disk, and removed.
"""

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.bars import bar, encoded

TICKS_A_YEAR = 24 * 365
PICTURES = 3  # in a tick
BACK = timedelta(days=100)
MIB = 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ticks", type=int, nargs="?", default=500)
    ticks = parser.parse_args().ticks
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "HOME": folder,
            "DIGITFLOW_HOME": f"{folder}/home",
            "PREFECT_HOME": f"{folder}/prefect",
        }
        from flows.orchestration.launch import run_maintain, run_predict
        from tasks.settings.base import MaintainSettings
        from tasks.settings.reading import InboxSettings

        home, database = Path(folder) / "home", Path(folder) / "prefect" / "prefect.db"
        (home / "inbox").mkdir(parents=True)
        settings = InboxSettings(allow_empty=True, max_error=0.05)
        tick(home, 0)
        run_predict(settings, quiet=True)  # makes database and table
        before = sizes(home, database)
        seconds = 0.0
        for number in range(1, ticks + 1):
            tick(home, number)
            seconds += timed(lambda: run_predict(settings, quiet=True))
        show(before, sizes(home, database), ticks, seconds / ticks)

        date_back(database, home, ticks // 2)
        kept = MaintainSettings(keep_runs=0)
        took = timed(lambda: run_maintain(kept, quiet=True))
        free = pragma(database, "freelist_count") * pragma(database, "page_size")
        print(f"maintenance of {ticks // 2:,} old runs: {took:.1f} s")
        print(f"room in the database that later runs use: {free / MIB:.1f} MiB")
        for name, size in sizes(home, database).items():
            print(f"{name:<24}{size / MIB:10.2f} MiB afterwards")


def tick(home: Path, number: int) -> None:
    """Put new pictures into the inbox."""
    for picture in range(PICTURES):
        file = home / "inbox" / f"{number:06}-{picture}.png"
        file.write_bytes(encoded(bar((number + picture) % 10)))


def sizes(home: Path, database: Path) -> dict[str, float]:
    """Return the bytes that database, runs and results take on the disk."""
    from flows.maintenance.tidied import disk_use

    results = disk_use(home / "results")
    log = disk_use(home / "results" / "_delta_log")
    return {
        "Prefect's database": sum(f.stat().st_size for f in database.parent.glob("prefect.db*")),
        "run folders": disk_use(home / "runs"),
        "results, rows": results - log,
        "results, log of commits": log,
    }


def show(before: dict[str, float], after: dict[str, float], ticks: int, seconds: float) -> None:
    """Print what a tick added, and what a year of them would."""
    print(f"{ticks:,} ticks with {PICTURES} pictures each, {seconds:.2f} s a tick")
    print(f"{'':<24}{'KiB a tick':>12}{'GiB a year, hourly, if all stayed':>36}")
    for name, size in after.items():
        added = (size - before[name]) / ticks
        print(f"{name:<24}{added / 1024:>12.1f}{added * TICKS_A_YEAR / 2**30:>36.2f}")


def date_back(database: Path, home: Path, count: int) -> None:
    """Make the oldest runs a hundred days older."""
    with sqlite3.connect(database, timeout=60) as opened:
        opened.execute(
            "UPDATE flow_run SET expected_start_time = datetime(expected_start_time, ?) "
            "WHERE id IN (SELECT id FROM flow_run ORDER BY created LIMIT ?)",
            (f"-{BACK.days} days", count),
        )
    for run in sorted((home / "runs").iterdir())[:count]:
        then = time.time() - BACK.total_seconds()
        for path in (*run.rglob("*"), run):
            os.utime(path, (then, then))


def pragma(database: Path, name: str) -> int:
    """Return what SQLite says of a database."""
    with sqlite3.connect(database, timeout=60) as opened:
        return int(opened.execute(f"PRAGMA {name}").fetchone()[0])


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds some work took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
