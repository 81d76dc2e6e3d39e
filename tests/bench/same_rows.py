"""Whether two checkouts read the same: rows, exported files, summaries, and the gate's verdict.

    python -m tests.bench.same_rows BEFORE AFTER [--shared ../shared] [--files 5000] [--seed 1]

Both read the same pictures of every kind, each kind into a table of its own, in processes of the
environment that runs this program. Everything is compared but what names a run or tells a time.
Then both judge their shipped model on small slices, which compares the simulation, too.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from tasks.data.sample_folder import write_sample_folder
from tasks.data.snapshot import Part, Snapshot
from tasks.synthesis.generate import digit_scene, non_digit_scene
from tests.bench.damaged import damaged
from tests.bench.predict_vs_keras import mnist, write_photos, write_pictures

RUNS = {"run_id", "read_at", "commit_version"}  # columns that name a run or tell a time
TIMES = {"run_id", "started_at", "seconds", "stages", "pictures_per_second", "results", "out"}
SOME = {"rejects"}  # of a summary: the first that were committed, by whichever process was quicker
MACHINE = {"memory, MiB", "pictures per second"}  # checks of the gate that measure the machine
JUDGE = ("--slice-pictures", "200")
REFUSED = 3  # exit code: a version is not promoted against itself, and slices are small here
START = "import sys; from {} import {} as main; sys.exit(main())"
SHOWN, WIDTH = 5, 300  # differences of one kind, and characters of each


@dataclass(frozen=True)
class Checkout:
    """The code of one version, and the state of its runs."""

    root: Path
    homes: Path

    def run(self, home: str, *words: str, expected: int = 0) -> Any:
        """Return what a command prints as JSON.

        Raises:
            SystemExit: it ended with another exit code than expected.
        """
        folder = self.homes / home
        folder.mkdir(parents=True, exist_ok=True)
        project = tomllib.loads((self.root / "pyproject.toml").read_text())
        module, function = project["project"]["scripts"]["digitflow"].split(":")
        done = subprocess.run(
            [sys.executable, "-c", START.format(module, function), *words, "--json"],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), "DIGITFLOW_HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != expected:
            sys.exit(f"{self.root}: {' '.join(words)}\nended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)


@dataclass(frozen=True)
class Reading:
    """What came out for one kind of pictures."""

    rows: list[dict[str, Any]]  # of the results table, in the order of their paths
    out: list[dict[str, str]]  # of the .csv
    summary: dict[str, Any]

    @property
    def statuses(self) -> str:
        """How many rows have each status."""
        counts = Counter(row["status"] for row in self.rows)
        return ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))


def write_kinds(folder: Path, files: int, seed: int, snapshot: Snapshot) -> dict[str, Path]:
    """Write about so many files, and return what `predict` reads of each kind."""
    images, labels = snapshot.part(Part.TEST)
    forms = images[:1_000], labels[:1_000]

    def scene(number: int) -> np.ndarray:
        random = np.random.default_rng([seed, number])
        return digit_scene(int(labels[number]), images[number] if number % 2 else None, random)[0]

    def nothing(number: int) -> np.ndarray:
        return non_digit_scene(*forms, np.random.default_rng([seed, 1, number]))[0]

    kinds: dict[str, tuple[float, Callable[[Path, int], object]]] = {
        "MNIST files": (0.4, write_pictures),
        "photos, 448 px": (0.1, write_photos),
        "simulated scans and photos": (0.2, lambda at, count: _write(at, count, scene)),
        "pictures without a digit": (0.1, lambda at, count: _write(at, count, nothing)),
        "sample folder": (0.1, lambda at, n: write_sample_folder(at, images[:n], labels[:n])),
        "damaged files": (0.1, lambda at, count: _write_damaged(at, count, seed)),
    }
    sources = {}
    for name, (share, write) in kinds.items():
        sources[name] = folder / name
        sources[name].mkdir(parents=True)
        write(sources[name], round(share * files))
    sources["sample folder as .zip"] = _zipped(sources["sample folder"])
    return sources


def _write(folder: Path, count: int, make: Callable[[int], np.ndarray]) -> None:
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:06}.png"), make(number))


def _write_damaged(folder: Path, count: int, seed: int) -> None:
    for number, (suffix, content) in enumerate(damaged(count, seed)):
        (folder / f"{number:06}.{suffix}").write_bytes(content)


def _zipped(folder: Path) -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder))
    return archive


def read(checkout: Checkout, kind: str, source: Path) -> Reading:
    """Read a source into a new table."""
    out = checkout.homes / f"{kind}.csv"
    summary = checkout.run(kind, "predict", str(source), "--no-prefect", "--out", str(out))
    rows = DeltaTable(summary["results"]).to_pyarrow_table().to_pylist()
    with out.open(newline="") as opened:
        written = list(csv.DictReader(opened))
    return Reading(
        sorted((_without(RUNS, row) for row in rows), key=lambda row: (row["path"], row["page"])),
        [_without(RUNS, row) for row in written],
        _without(TIMES | SOME, summary),
    )


def verdict(checkout: Checkout, datasets: Path) -> list[dict[str, Any]]:
    """Return the checks of the shipped model's verdict, and the verdict itself as the last."""
    home = checkout.homes / "gate"
    home.mkdir(parents=True)
    (home / "datasets").symlink_to(datasets)
    [shipped] = checkout.run("gate", "models", "list")
    words = ("models", "judge", shipped["version"], *JUDGE)
    answer = checkout.run("gate", *words, expected=REFUSED)
    checks = [check for check in answer.pop("checks") if check["name"] not in MACHINE]
    return [*checks, answer]


def _without(names: set[str], row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def differences(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """Say in what the rows differ that are of the same page, or the checks of the same name."""
    pairs: dict[tuple[Any, Any], list[dict[str, Any]]] = defaultdict(lambda: [{}, {}])
    for side, rows in enumerate((before, after)):
        for row in rows:
            pairs[row.get("path", row.get("name")), row.get("page")][side] = row
    return [
        f"{key}: "
        + ", ".join(
            f"{name} {one.get(name, 'missing')!r} -> {other.get(name, 'missing')!r}"
            for name in one | other
            if one.get(name, "missing") != other.get(name, "missing")
        )
        for key, (one, other) in pairs.items()
        if one != other
    ]


def main() -> int:
    """Print a line for each kind; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("before", type=Path, help="a checkout")
    parser.add_argument("after", type=Path, help="another one")
    parser.add_argument("--shared", type=Path, help="also read real-digits/ and hostile/ in here")
    parser.add_argument("--files", type=int, default=5_000, help="how many to make")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    snapshot = mnist()
    table, told = Table(box=None, header_style="bold"), list[str]()
    for head in ("", "rows", "status", "rows differ", "in .csv", "in summary"):
        table.add_column(head, justify="right" if head.startswith(("rows", "in")) else "left")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        pair = [
            Checkout(root.resolve(), work / side)
            for root, side in ((options.before, "before"), (options.after, "after"))
        ]
        kinds = write_kinds(work / "pictures", options.files, options.seed, snapshot)
        if options.shared:
            kinds |= {kind: options.shared.resolve() / kind for kind in ("real-digits", "hostile")}
        for kind, source in kinds.items():
            one, other = (read(checkout, kind, source) for checkout in pair)
            rows = differences(one.rows, other.rows)
            out = differences(one.out, other.out)
            summary = differences([one.summary], [other.summary])
            counts = [str(len(found)) for found in (rows, out, summary)]
            table.add_row(kind, f"{len(one.rows):,}", one.statuses, *counts)
            told += [f"{kind}: {line}" for line in [*rows, *out, *summary][:SHOWN]]
        checks, others = (verdict(checkout, snapshot.folder.parents[1]) for checkout in pair)
        changed = differences(checks, others)
        table.add_row("checks of the gate", f"{len(checks):,}", "", str(len(changed)), "", "")
        told += [f"gate: {line}" for line in changed[:SHOWN]]
    Console(width=140).print(table)
    print("\n".join(line[:WIDTH] for line in told) or "\nBoth read and judge the same.")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
