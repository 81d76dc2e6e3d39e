"""What a lost machine can leave of the results table, named, and the way back from it.

A disk that was not done writing leaves files that are empty, cut off or full of zeros: commits,
checkpoints, data files. A damaged commit gives way to one that does nothing, so that those after it
hold; a damaged data file is taken out of the table. The files whose rows are gone are read again by
the next run. On a bucket a file is there whole or not at all.
"""

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import RemoveAction

from tasks.atomic import atomic_write, make_folder, sync_folder
from tasks.errors import DigitflowError
from tasks.results.table_files import LOG, commit_files, data_files, is_local

ASIDE = "_damaged"  # folder of the table that damaged files are moved to
HINT = "_last_checkpoint"
VERSION = re.compile(r"\d{20}(?=\.)")
COMMIT = re.compile(r"(\d{20})\.json")
PARQUET = b"PAR1"  # at the start of each file, and at its end
ATTEMPTS = 20  # to commit before others do
ADVICE = "`digitflow repair` steps back from it, and the next run reads those files again"


@dataclass(frozen=True)
class Damage:
    """One damaged file of a table."""

    path: Path
    what: str  # in words
    version: int | None = None  # of the commit that it is
    rows: int = 0  # that it held, as far as that is known


def damages(table: str) -> list[Damage]:
    """Return what is damaged of a table; of files that depend on each other the first to mend.

    Every commit since the last checkpoint is read, of data files the size, the start and the end.
    """
    if not is_local(table):
        return []
    folder = Path(table)
    return list(_checkpoint(folder / LOG)) or list(_commits(folder / LOG)) or list(_data(folder))


def require_sound(table: str) -> None:
    """Refuse a table of which something is damaged, before any work is done.

    Raises:
        DigitflowError: it names what is damaged, and the command that steps back from it.
    """
    if found := damages(table):
        raise DigitflowError(described(table, found))


def described(table: str, found: list[Damage]) -> str:
    """Return in one line what is damaged of a table and what to do."""
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    return f"the results table {table} is damaged: {found[0].what}{more}; {ADVICE}"


def repair(table: str) -> list[Damage]:
    """Step back from everything that is damaged, and return what that was.

    Damaged files are kept in ASIDE.

    Raises:
        DigitflowError: it cannot be mended.
    """
    mended: list[Damage] = []
    if not is_local(table) or not (Path(table) / LOG).is_dir():
        return mended
    while found := damages(table):
        if {damage.path for damage in found} <= {damage.path for damage in mended}:
            raise _beyond_repair(table, found[0].what)
        files = [damage for damage in found if damage.path.parent.name != LOG]
        for damage in found:
            if damage.version is not None:
                _replace_commit(damage)
            elif damage not in files:
                _set_aside(damage.path, Path(table))
        if files:
            _remove_files(table, files)
        mended += found
    try:
        DeltaTable(table)
    except (OSError, DeltaError) as error:
        raise _beyond_repair(table, "commits are missing") from error
    return mended


def _beyond_repair(table: str, why: str) -> DigitflowError:
    return DigitflowError(
        f"the results table {table} cannot be repaired: {why}; restore the folder from a backup, "
        "or move it away to begin a new one"
    )


def _checkpoint(log: Path) -> Iterator[Damage]:
    """Yield what is damaged of the last checkpoints; the commits before them say the same again.

    One that the note of the last does not name yet is read, too.
    """
    noted, named = _noted(log), log / HINT
    if noted is None and named.is_file():
        yield Damage(named, f"{LOG}/{HINT} is no JSON")
    found = _checkpoints(log)
    broken = {
        part: version
        for version, parts in found.items()
        for part in parts
        if version >= (noted or 0) and not _is_parquet(part)
    }
    if noted is not None and (noted not in found or noted in broken.values()):
        yield Damage(named, f"the checkpoint of version {noted} is damaged or missing")
    for part in broken:
        yield Damage(part, f"{LOG}/{part.name} is no Parquet file")


def _checkpoints(log: Path) -> dict[int, list[Path]]:
    """Return the files of the checkpoint of each version."""
    found: dict[int, list[Path]] = {}
    for file in log.glob("*.checkpoint*.parquet"):
        if version := VERSION.match(file.name):
            found.setdefault(int(version[0]), []).append(file)
    return found


def _commits(log: Path) -> Iterator[Damage]:
    """Yield the damaged ones of the commits that no checkpoint holds; see `_checkpoint` first."""
    since = max(_checkpoints(log), default=-1)
    for file in sorted(log.glob("*.json")):
        name = COMMIT.fullmatch(file.name)
        if name and int(name[1]) > since and not _is_commit(file):
            size = file.stat().st_size
            yield Damage(
                file, f"its commit {int(name[1])} ({size:,} bytes) is damaged", int(name[1])
            )


def _data(folder: Path) -> Iterator[Damage]:
    if not (folder / LOG).is_dir():
        return
    try:
        files = data_files(DeltaTable(str(folder)))
    except (OSError, DeltaError):
        return  # damage of a kind that is not known here: who opens the table says what it is
    for path, size, rows in files:
        file = folder / path
        if not file.is_file():
            yield Damage(file, f"{path} ({rows or 0:,} rows) is missing", rows=rows or 0)
        elif file.stat().st_size != size or not _is_parquet(file):
            held = f"{file.stat().st_size:,} of {size:,} bytes, {rows or 0:,} rows"
            yield Damage(file, f"{path} ({held}) is no whole Parquet file", rows=rows or 0)


def _noted(log: Path) -> int | None:
    try:
        return int(json.loads((log / HINT).read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_commit(file: Path) -> bool:
    """Tell whether a file holds JSON objects, one a line.

    Lines end in a line feed alone: other line ends of Unicode, as in the name of a folder, are in
    the log as they are. What a commit says of itself is left to who wrote it (`commitInfo` is
    optional in Delta's protocol).
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
        actions = [json.loads(line) for line in lines if line.strip()]
    except FileNotFoundError:  # a writer has just made a checkpoint of it
        return True
    except ValueError:
        return False
    return bool(actions) and all(isinstance(action, dict) for action in actions)


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        start = opened.read(len(PARQUET))
        opened.seek(-min(len(PARQUET), file.stat().st_size), 2)
        return start == opened.read() == PARQUET


def _replace_commit(damage: Damage) -> None:
    """Put a commit that does nothing in the place of a damaged one.

    Raises:
        DigitflowError: it is the first, which says what the table is.
    """
    table = damage.path.parent.parent
    if damage.version == 0:
        raise _beyond_repair(
            str(table), "its first commit, which says what its columns are, is damaged"
        )
    kept = _aside(damage.path, table)
    shutil.copyfile(damage.path, kept)
    nothing: dict[str, Any] = {
        "timestamp": int(time.time() * 1000),
        "operation": "REPAIR",
        "operationParameters": {"damaged": str(kept.relative_to(table))},
    }
    with atomic_write(damage.path) as temporary:
        temporary.write_text(json.dumps({"commitInfo": nothing}) + "\n", encoding="utf-8")


def _remove_files(table: str, files: list[Damage]) -> None:
    now = int(time.time() * 1000)
    for _ in range(ATTEMPTS):
        latest = DeltaTable(table)
        actions = [RemoveAction(str(damage.path.relative_to(table)), True, now) for damage in files]
        properties = CommitProperties({"digitflow.repair": "yes"}, max_commit_retries=0)
        try:
            commit_files(latest, table, list(actions), latest.schema(), properties)
        except CommitFailedError:
            continue
        for damage in files:
            _set_aside(damage.path, Path(table))
        return
    raise DigitflowError(f"{table}: other writers were faster {ATTEMPTS} times: try again")


def _set_aside(file: Path, table: Path) -> None:
    if file.is_file():
        file.replace(_aside(file, table))
        sync_folder(file.parent)


def _aside(file: Path, table: Path) -> Path:
    make_folder(table / ASIDE)
    return table / ASIDE / file.name
