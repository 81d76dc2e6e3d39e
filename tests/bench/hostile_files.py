"""Damaged and hostile files: one row each, in bounded memory and time."""

import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.outcomes import MAX_BYTES
from tasks.results import table
from tests.bench.attempt import Attempt, Line, Outcome, started, watched
from tests.bench.damaged import damaged
from tests.bench.hostile_archives import MADE, many_chunks
from tests.flows.test_hostile import HOSTILE

# for one file: a low one, and the usual one, since what is ended early takes less memory
LIMITS_S = (2, 30)
MARGIN_S = 1.0  # that an attempt may take above the limit
MEMORY = 600 * 2**20  # bytes of a worker, beside those of the file
A_FILE_S = 0.2  # that a run may take for each file, beside LONGEST_S
LONGEST_S = 200.0  # that a run may take for a few
PICTURES = {".png", ".jpg", ".tif"}


def mutants(work: Path, model: Path, count: int, seed: int) -> Iterator[Line]:
    """Read pictures of every format that were damaged at random."""
    folder = _folder(
        work / "mutants",
        (
            (f"{at:05}.{name}".encode(), data)
            for at, (name, data) in enumerate(damaged(count, seed))
        ),
    )
    yield from _read_folder("mutants", folder, model)


def hostile(work: Path, model: Path, shared: Path) -> Iterator[Line]:
    """Read files that were made to do harm: the tests' own, and those of a folder if it is there.

    Args:
        work: an empty folder.
        model: an ONNX file.
        shared: may hold `hostile/` and `attack-cases/`, whose pictures and zips are read, too.
    """
    cases = sorted((shared / "attack-cases").glob("*"))
    given = [path for path in sorted((shared / "hostile").glob("*/*")) if path.is_file()]
    given += [path for path in cases if path.suffix in PICTURES]
    files = {os.fsencode(f"{path.parent.name}-{path.name}"): path.read_bytes() for path in given}
    files |= {b"own-" + name[:200]: data for name, (data, _) in HOSTILE.items()}
    folder = _folder(work / "hostile", (files | {b"own-many chunks.png": many_chunks()}).items())
    yield from _read_folder("hostile files", folder, model)
    archives = {work / name: make(work / name) for name, make in MADE.items()}
    for path in cases:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as opened:
                archives[path] = len(opened.namelist())
    for path, members in archives.items():
        yield _read_archive(path, members, work / f"home of {path.name}", model)


def _folder(folder: Path, files: Iterable[tuple[bytes, bytes]]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files:
        (folder / os.fsdecode(name)).write_bytes(data)
    return folder


def _read_folder(attack: str, folder: Path, model: Path) -> Iterator[Line]:
    sizes = [path.stat().st_size for path in folder.iterdir()]
    for limit in LIMITS_S:
        home, what = folder.with_name(f"{folder.name}, {limit} s"), f"{attack}, {limit} s a file"
        run = started(folder, model, home, *_limited(limit))
        outcome = watched(run, LONGEST_S + A_FILE_S * len(sizes), folder)
        with_rows, rows = _rows(home) if outcome.summary else (0, 0)
        whole = outcome.summary.get("found") == rows
        told = f"{rows:,} rows in {outcome.seconds:.0f} s" if whole else outcome.told
        yield Line(what, "a row for each", len(sizes), with_rows if whole else 0, told)
        yield _memory(what, outcome, max(sizes))
        yield _time(what, outcome, limit + MARGIN_S)


def _limited(limit: int) -> tuple[str, ...]:
    return "--workers", "1", "--decode-timeout", str(limit)


def _read_archive(archive: Path, members: int, home: Path, model: Path) -> Line:
    """Read an archive, whose members are not seen to be opened: its rows, memory and whole time."""
    outcome = watched(started(archive, model, home, *_limited(LIMITS_S[0])))
    found, rows = _rows(home) if outcome.summary else (0, 0)
    complete = found == members and outcome.summary.get("found") == rows
    memory = _memory(archive.name, outcome, MAX_BYTES)
    told = f"{found} of {members} members" if outcome.summary else outcome.told
    return Line(
        archive.name,
        "rows or one clear line",
        1,
        int((complete or outcome.clear) and not memory.broken),
        f"{told}; {outcome.seconds:.0f} s, {memory.worst}",
    )


def _rows(home: Path) -> tuple[int, int]:
    """Return how many files have rows, and how many rows there are, none of them twice."""
    rows = table.select(
        str(home / "results"), table.Query(history=True), ["path", "page"]
    ).to_pylist()
    pages = {(row["path"], row["page"]) for row in rows}
    return len({path for path, _ in pages}), len(rows) if len(pages) == len(rows) else -1


def _memory(attack: str, outcome: Outcome, file: int) -> Line:
    limit = MEMORY + file
    worst = f"{outcome.peak / 2**20:,.0f} MB of {limit / 2**20:,.0f}"
    return Line(attack, "memory of a worker", 1, int(outcome.peak <= limit), worst)


def _time(attack: str, outcome: Outcome, limit: float) -> Line:
    good = sum(one.seconds <= limit for one in outcome.attempts)
    worst = max(outcome.attempts, key=lambda one: one.seconds, default=Attempt("no file", 0))
    told = f"{worst.seconds:.2f} s, {worst.name}"
    return Line(attack, f"{limit:g} s at a file", len(outcome.attempts), good, told)
