"""Runs that are killed at a random moment and started again: nothing lost, nothing twice.

    python -m tests.bench.chaos [--rounds 20] [--files 100000] [--seed 1]

In every second round the whole run is killed with SIGKILL, its workers with it, in the
others one worker. The same command is then run again. Its rows have to be those of a run
that nobody disturbed; how many files were read twice is counted by the kernel (inotify).
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from tasks.inputs.listing import Listing, shards
from tasks.results import table as results
from tests.bars import bar, encoded, save_bar_model
from tests.bench.watched import children_of, telling_opens

WORKERS = 2  # workers
SAME = ["path", "page", "size", "mtime_ns", "content_hash", "status", "reason", "detail"]
SAME += ["digit", "confidence", "p0", "p9", "ink", "model_version"]


@dataclass(frozen=True)
class Round:
    """What became of one round."""

    killed: str
    after: float  # seconds
    kept: int  # rows in the table at that moment
    again: int  # files that were opened for reading twice
    same: bool  # the rows are those of the undisturbed run
    twice: int  # files with rows of more than one reading
    exit_code: int  # of the second run


def make_folder(folder: Path, count: int) -> None:
    """Write digits, with some files among them that cannot be read."""
    folder.mkdir()
    contents = [encoded(bar(digit)) for digit in range(10)]
    broken = [b"", b"no picture", contents[0][:60], contents[1][:-20]]
    for number in range(count):
        content = broken[number // 100 % 4] if number % 100 == 99 else contents[number % 10]
        (folder / f"{number:06}.png").write_bytes(content)


def command(folder: Path, model: Path) -> list[str]:
    """Return the words that read the folder."""
    words = ["predict", str(folder), "--model", str(model), "--no-prefect"]
    words += ["--workers", str(WORKERS)]
    return [sys.executable, "-m", "flows.cli.main", *words]


def start(folder: Path, model: Path, home: Path) -> subprocess.Popen[bytes]:
    """Start a reading as the leader of its own process group."""
    environment = {**os.environ, "DIGITFLOW_HOME": str(home)}
    home.mkdir(exist_ok=True)
    with (home / "said").open("ab") as said:
        return subprocess.Popen(
            command(folder, model),
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def rows_of(home: Path) -> list[dict[str, Any]]:
    """Return all rows, whatever reading they are of, as far as they have to be the same."""
    rows = results.select(str(home / "results"), results.Query(history=True), SAME)
    return sorted(rows.to_pylist(), key=lambda row: (row["path"], row["page"]))


def one_round(
    folder: Path, model: Path, home: Path, expected: list[dict[str, Any]], whole: bool, after: float
) -> Round:
    """Kill the run, or one of its workers, and run the same command again."""
    first, second = Counter[bytes](), Counter[bytes]()
    with telling_opens(folder, lambda name: first.update([name])):
        run = start(folder, model, home)
        time.sleep(after)
        children = children_of(run.pid)
        kept = _count(home)
        with suppress(ProcessLookupError):  # it was quicker than the undisturbed run, and has ended
            if whole:
                os.killpg(run.pid, signal.SIGKILL)
            elif children:
                victim = random.choice(children)  # noqa: S311 - for luck, not for secrets
                os.kill(victim, signal.SIGKILL)
        run.wait()
    with telling_opens(folder, lambda name: second.update([name])):
        exit_code = start(folder, model, home).wait()
    if exit_code:
        print((home / "said").read_text())
    # a run that came to its end has opened some pictures once more, for its report
    read_twice = len(first & second) + sum(count > 1 for count in first.values())
    rows = rows_of(home)
    twice = sum(count > 1 for count in Counter((r["path"], r["page"]) for r in rows).values())
    what = "run" if whole else "process"
    return Round(what, after, kept, read_twice, rows == expected, twice, exit_code)


def _count(home: Path) -> int:
    table = str(home / "results")
    if not results.is_table(table):
        return 0
    return int(results.dataset_of(results.open_table(table), table).count_rows(pc.scalar(True)))


def rounds(count: int, files: int, seed: int) -> list[Round]:
    """Return what became of so many rounds."""
    moments = random.Random(seed)  # noqa: S311 - the moments are the experiment
    with tempfile.TemporaryDirectory() as name:
        folder, model = Path(name) / "pictures", save_bar_model(Path(name) / "bars.onnx")
        make_folder(folder, files)
        began = time.perf_counter()
        if start(folder, model, Path(name) / "undisturbed").wait():
            sys.exit("the undisturbed run failed")
        lasts = time.perf_counter() - began
        expected = rows_of(Path(name) / "undisturbed")
        return [
            one_round(
                folder,
                model,
                Path(name) / str(number),
                expected,
                whole=number % 2 == 0,
                after=moments.uniform(0.2, 0.95) * lasts,
            )
            for number in range(count)
        ]


def main() -> int:
    """Print a line for each round; exit code 1 if one went wrong."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    done = rounds(options.rounds, options.files, options.seed)
    table = Table(box=None, header_style="bold")
    for head in ("killed", "after s", "rows kept", "read again", "same rows", "twice", "exit"):
        table.add_column(head, justify="right")
    for one in done:
        good = "yes" if one.same else "NO"
        table.add_row(
            *(one.killed, f"{one.after:.2f}", f"{one.kept:,}", f"{one.again:,}"),
            *(good, str(one.twice), str(one.exit_code)),
        )
    Console(width=100).print(table)
    wrong = [one for one in done if not one.same or one.twice or one.exit_code]
    most = max(one.again for one in done)
    shard = shards(Listing("", Path(), options.files), WORKERS)[0].stop
    print(
        f"{len(done) - len(wrong)} of {len(done)} rounds ended with the rows of an undisturbed "
        f"run; at most {most:,} files were read again (a shard is {shard:,}, and {WORKERS} "
        "processes read)"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
