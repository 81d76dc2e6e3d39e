"""Files that change while they are read: a row for each, of a content that the file really had."""

import hashlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tasks.results import table
from tests.bars import bar, encoded
from tests.bench.attempt import LONGEST_S, Line, ended, started
from tests.bench.watched import beside, children_of, telling_opens

STRUCK = 0.5  # share of the openings at which that very file is changed
BESIDE = 0.3  # share of them at which another one is, too
# bytes behind a small picture: the more, the longer it takes to read and the surer it is caught
TAILS = (16,) * 80 + (1_000,) * 10 + (100_000,) * 5 + (2_000_000,) * 4 + (32_000_000,)
RESTLESS_SHARE, RESTLESS_TAIL = 0.01, 200_000  # files that are overwritten all the time, bytes
UNREAD = {"vanished", "changed"}  # reasons of a row without a content
A_FILE_S = 0.1  # that a run may take for each file, beside LONGEST_S
Version = tuple[str, int]  # SHA-256 and size


class Files:
    """A folder of pictures, and every content that each of them has had.

    Each file has a second name in another folder; writing by that name is seen by no watch.
    """

    def __init__(self, folder: Path, count: int, chance: random.Random) -> None:
        """Make the files."""
        self.folder, self._twins, self._chance = folder, folder.with_name("twins"), chance
        self._pictures, self._made = [encoded(bar(digit)) for digit in range(10)], 0
        self.versions: dict[str, set[Version]] = {}
        self.acts: Counter[str] = Counter()
        self._left: set[str] = set()
        folder.mkdir(parents=True)
        self._twins.mkdir()
        for number in range(count):
            self._put(f"{number:06}", self._content(TAILS[number % len(TAILS)]))

    def strike(self, name: str) -> None:
        """Change a file in one of several ways, if it has not gone that way already."""
        if name in self._left:
            act = self._chance.choice(ACTS)
            self.acts[act.__name__.strip("_")] += 1
            act(self, name)

    @contextmanager
    def restless(self) -> Iterator[None]:
        """Let there be more files, which a thread overwrites, each in one step, over and over."""
        over, files = threading.Event(), list[tuple[int, list[bytes]]]()
        for number in range(round(len(self.versions) * RESTLESS_SHARE) or 1):
            name = f"restless-{number:02}"  # the last to be read, when the thread is well under way
            contents = [self._content(RESTLESS_TAIL) for _ in range(2)]
            smallest = min(map(len, contents))
            contents = [content[:smallest] for content in contents]
            for content in contents:
                self._put(name, content)
            self._left.remove(name)
            files.append((os.open(self._twins / name, os.O_WRONLY), contents))

        def overwrite() -> None:
            while not over.is_set():
                for file, contents in files:
                    for content in contents:
                        os.pwrite(file, content, 0)

        try:
            with beside(overwrite, over):
                yield
        finally:
            for file, _ in files:
                os.close(file)

    def _content(self, tail: int) -> bytes:
        """Return a picture with a tail, as a file that no other one is equal to."""
        return self._chance.choice(self._pictures) + self._filler(tail)

    def _filler(self, length: int) -> bytes:
        """Return bytes that no file has had."""
        self._made += 1
        return (b"%016d" % self._made * (length // 16 + 1))[:length]

    def _put(self, name: str, content: bytes) -> None:
        """Let a new file take the name, in one step."""
        twin, fresh = self._twins / name, self._twins / "fresh"
        fresh.write_bytes(content)
        twin.unlink(missing_ok=True)
        os.link(fresh, twin)
        fresh.replace(self.folder / name)
        self._left.add(name)
        self._note(name)

    def _note(self, name: str) -> None:
        self.versions.setdefault(name, set()).add(version_of(self._twins / name))

    def _replaced(self, name: str) -> None:
        self._put(name, self._content(self._chance.choice(TAILS[:-1])))

    def _overwritten(self, name: str) -> None:
        """Write other bytes over it where it is, in two steps, and leave its size."""
        size = (self._twins / name).stat().st_size
        content, half = self._filler(size), size // 2
        with (self._twins / name).open("r+b", buffering=0) as file:
            for part in (content[:half], content[half:]):
                file.write(part)
                self._note(name)

    def _truncated(self, name: str) -> None:
        os.truncate(self._twins / name, (self._twins / name).stat().st_size // 2)
        self._note(name)

    def _appended(self, name: str) -> None:
        with (self._twins / name).open("ab", buffering=0) as file:
            file.write(self._filler(1000))
        self._note(name)

    def _renamed(self, name: str) -> None:
        (self.folder / name).rename(self.folder / f"{name} renamed")
        self._left.remove(name)

    def _deleted(self, name: str) -> None:
        (self.folder / name).unlink()
        self._left.remove(name)


ACTS = (
    Files._replaced,
    Files._overwritten,
    Files._truncated,
    Files._appended,
    Files._renamed,
    Files._deleted,
)


def version_of(path: Path) -> Version:
    """Return what tells the content of a file."""
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest(), len(content)


def swaps(work: Path, model: Path, count: int, seed: int) -> Iterator[Line]:
    """Read a folder whose files change as they are opened, and once more when they rest."""
    chance = random.Random(seed)  # noqa: S311 - the changes are the experiment
    files, home = Files(work / "swapped", count, chance), work / "home"
    limit = LONGEST_S + A_FILE_S * count
    with files.restless():
        run = started(files.folder, model, home, "--workers", "2")
        os.setpriority(os.PRIO_PGRP, run.pid, 19)  # who changes the files is the quicker one
        with telling_opens(files.folder, _Changes(files, run.pid, chance).opened):
            outcome = ended(run, limit)
    if not outcome.summary:
        yield Line("swaps", "one row for each", count, 0, outcome.told)
        return
    rows = _rows(home, history=True)
    paths = Counter(row["path"] for row in rows)
    once = sum(paths[name] == 1 for name in files.versions)
    struck = ", ".join(f"{times} {act}" for act, times in files.acts.most_common())
    yield Line("swaps", "one row for each", len(files.versions), once, struck)
    true = sum(_is_true(row, files.versions[row["path"]]) for row in rows)
    changed = sum(row["reason"] == "changed" for row in rows)
    yield Line("swaps", "a content it really had", len(rows), true, f"{changed} changed twice")
    again = ended(started(files.folder, model, home, "--workers", "2"), limit)
    latest = {row["path"]: (row["content_hash"], row["size"]) for row in _rows(home)}
    there = {path.name: version_of(path) for path in files.folder.iterdir()}
    same = sum(latest.get(name) == version for name, version in there.items())
    told = f"{again.summary['files']} read again" if again.summary else again.told
    yield Line("swaps", "what lies there, the next time", len(there), same, told)


class _Changes:
    """Changes files as they are opened, while the workers rest.

    They are halted between whichever two steps of theirs it happens to be.
    """

    def __init__(self, files: Files, run: int, chance: random.Random) -> None:
        self._files, self._run, self._chance = files, run, chance
        self._pids: list[int] = []

    def opened(self, name: bytes) -> None:
        self._pids = self._pids or children_of(self._run)
        self._signal(signal.SIGSTOP)
        try:
            if self._chance.random() < STRUCK:
                self._files.strike(name.decode())
            if self._chance.random() < BESIDE:
                self._files.strike(self._chance.choice(list(self._files.versions)))
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, how)


def _rows(home: Path, history: bool = False) -> list[dict[str, Any]]:
    columns = ["path", "reason", "content_hash", "size"]
    rows = table.select(str(home / "results"), table.Query(history=history), columns)
    return list(rows.to_pylist())


def _is_true(row: dict[str, Any], versions: set[Version]) -> bool:
    if row["content_hash"] is None:
        return row["reason"] in UNREAD
    return (row["content_hash"], row["size"]) in versions
