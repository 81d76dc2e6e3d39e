"""Runs that end at the same moment on a results table which is about to be compacted.

The table holds one small file less than makes a run compact it; each round starts from a copy of
it. Whatever the runs do, each of its rows and of theirs has to be there once.
"""

import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tasks.results import table as results
from tasks.results.compact import MANY
from tests.bars import bar, encoded
from tests.bench.attempt import Line, Outcome, ended, started
from tests.bench.bucket import Bucket, lent_bucket
from tests.results.test_table import read_row, store

COMMITS, ROWS = MANY - 1, 30  # of the table, and of each commit and each run
KEY = ["root", "path", "page", "run_id"]
Copy = Callable[[Path], str]
"""Copies the table for a round, whose folder it is given, and returns folder or URL of the copy."""


def on_disk(work: Path, model: Path, rounds: dict[int, int]) -> Iterator[Line]:
    """Let runs end together on a table in a folder; for each number of runs so many rounds."""
    table = prepared(work / "table")

    def copied(round_: Path) -> str:
        return str(shutil.copytree(table, round_ / "results"))

    yield from _lines("on a disk", copied, work, model, rounds)


def in_bucket(work: Path, model: Path, rounds: dict[int, int]) -> Iterator[Line]:
    """Let runs end together on a table in a bucket of the tests' S3 server."""
    with lent_bucket(work / "server.log") as bucket:
        bucket.upload(prepared(work / "table"), "table/")
        yield from _lines("in a bucket", partial(_copied, bucket), work, model, rounds)


def _copied(bucket: Bucket, _: Path) -> str:
    name = uuid.uuid4().hex
    bucket.copy("table/", f"{name}/")
    return f"{bucket.url}/{name}"


def prepared(table: Path) -> Path:
    """Make the table, with a checkpoint as any table of that many commits has one."""
    for commit in range(COMMITS):
        run = f"before-{commit:02}"
        store(str(table), *(read_row(f"{number:02}.png", run) for number in range(ROWS)))
    results.open_table(str(table)).create_checkpoint()
    return table


def _lines(
    where: str, copied: Copy, work: Path, model: Path, rounds: dict[int, int]
) -> Iterator[Line]:
    folders = [_folder(work / f"pictures-{number}") for number in range(max(rounds))]
    for runs, count in rounds.items():
        done = [_round(copied, work / f"{runs}-{at}", model, folders[:runs]) for at in range(count)]
        held = sum(one is None for one in done)
        broken = Counter(one for one in done if one is not None)
        worst = "; ".join(f"{times} x {what}" for what, times in broken.most_common(3))
        yield Line(f"{runs} runs {where}", "every row once", count, held, worst or "compacted")


def _folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(ROWS):
        (folder / f"{number:02}.png").write_bytes(encoded(bar(number % 10)))
    return folder


def _round(copied: Copy, home: Path, model: Path, folders: list[Path]) -> str | None:
    """Start the runs at once and return what is wrong when they have ended, None if nothing is."""
    home.mkdir()
    table = copied(home)
    before = _rows(table)
    runs = [started(folder, model, home, DIGITFLOW_RESULTS=table) for folder in folders]
    outcomes = [ended(run) for run in runs]
    wrong = _wrong(table, before, outcomes, folders)
    shutil.rmtree(home)
    return wrong


def _wrong(
    table: str, before: Counter[Any], outcomes: list[Outcome], folders: list[Path]
) -> str | None:
    for outcome in outcomes:
        if not outcome.summary:
            return outcome.told
    expected = Counter(before)
    for outcome, folder in zip(outcomes, folders, strict=True):
        run = outcome.summary["run_id"]
        expected.update((str(folder), path.name, 0, run) for path in folder.iterdir())
    there = _rows(table)
    if there != expected:
        twice, lost = (there - expected).total(), (expected - there).total()
        return f"{there.total():,} rows of {expected.total():,} ({twice:,} too many, {lost:,} lost)"
    if len(results.open_table(table).file_uris()) >= MANY:
        return "not compacted"
    return None


def _rows(table: str) -> Counter[Any]:
    rows = results.select(table, results.Query(history=True), KEY)
    return Counter(zip(*(rows[name].to_pylist() for name in KEY), strict=True))
