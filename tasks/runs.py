"""The folder of one run: its name is the run id, and what the run leaves behind lies in it."""

import fcntl
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.atomic import make_folder, sync_folder, write_text
from tasks.errors import InputError

REPORT_FILE = "report.html"
REPORTS_PATH = "/digitflow/reports/"  # below it a server of ours shows them, each by its run id
SUMMARY_FILE = "summary.json"  # of runs that came to their end
RUN_KEY_FILE = "purpose.json"
LISTING_FILE = "listing.parquet"
BEGAN = "began"  # key in it: the version of the results table that the run found
NO_VERSION = -1  # in runs of earlier versions of digitflow
NUMBER = "number"  # key in it, too: of the last commit of the results before a run that holds rows
RUN_ID = re.compile(r"[a-z]+-\d{8}-\d{6}-[0-9a-f]{4}", re.ASCII)
REMOVED = ".removed-"  # before the name of a folder that is being deleted
LOOK_BACK = 500  # runs, the newest first, in which interrupted ones are looked for


def open_run(kind: str, home: Path) -> Path:
    """Make and return `runs/<kind>-<UTC time>-<4 hex digits>/`; two runs never share one.

    Raises:
        InputError: the home folder cannot hold it.
    """
    folder = home / "runs" / f"{kind}-{timestamp()}-{secrets.token_hex(2)}"
    try:
        make_folder(folder.parent)
        folder.mkdir()
        sync_folder(folder.parent)
    except OSError as error:
        raise InputError(
            f"{folder.parent} cannot be written ({error.strerror}): let this user write there, or "
            "set DIGITFLOW_HOME to another folder"
        ) from error
    return folder


def timestamp() -> str:
    """Return the UTC time as it stands in names: sortable, to the second."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def made_at(run: str) -> datetime:
    """Return when a run began, by its id; now, if that says nothing."""
    try:
        return datetime.strptime(run[-20:-5], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)


@contextmanager
def run_lock(
    run: Path, key: Mapping[str, Any], began: int, number: int | None = None
) -> Iterator[None]:
    """Write a run's key, and hold a lock by which others see whether the run is going on.

    Args:
        run: its folder.
        key: what it has in common with those that may go on where it was stopped.
        began: the version of the results table that it found. Runs are ordered by that: clocks,
            by which they are named, are set back.
        number: see NUMBER.
    """
    noted = {**key, BEGAN: began} | ({} if number is None else {NUMBER: number})
    write_text(run / RUN_KEY_FILE, json.dumps(noted) + "\n")
    with (run / RUN_KEY_FILE).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def resumable_runs(run: Path, key: Mapping[str, Any]) -> list[str]:
    """Return the ids of runs with this key that did not come to their end, the newest first.

    Those before the last one that did are not asked for: nothing of them is left to do.
    """
    kind = run.name.split("-")[0]
    ids = []
    newest = sorted(run.parent.glob(f"{kind}-*"), reverse=True)[:LOOK_BACK]
    ours = [
        (began, folder)
        for folder in newest
        if folder != run and (noted := _noted(folder)) and noted[0] == key
        for began in [noted[1]]
    ]
    for folder, ended in _newest_first(ours):
        if ended:
            break
        if not _is_running(folder):
            ids.append(folder.name)
    return ids


def needed_runs(folders: Iterable[Path]) -> dict[Path, str]:
    """Return which runs are going on, may be gone on with, or say that others need not be.

    Args:
        folders: of all runs.

    Returns:
        The folders that have to stay, each with the reason.
    """
    needed = dict[Path, str]()
    by_key = dict[str, list[tuple[int, Path]]]()
    for folder in folders:
        if noted := _noted(folder):
            key, began = noted
            by_key.setdefault(json.dumps(key, sort_keys=True), []).append((began, folder))
    for runs in by_key.values():
        newest = _newest_first(runs)
        for place, (folder, ended) in enumerate(newest):
            if not ended:
                going_on = _is_running(folder)
                needed[folder] = "it goes on" if going_on else "it was stopped, and is gone on with"
                continue
            if not all(ended for _, ended in newest[place:]):
                needed[folder] = "without it, runs that were stopped before it were gone on with"
            break
    return needed


def _newest_first(runs: Iterable[tuple[int, Path]]) -> list[tuple[Path, bool]]:
    """Return runs, given with the version at which they began, and whether they ended."""
    ordered = [(began, (folder / SUMMARY_FILE).exists(), folder) for began, folder in runs]
    ordered.sort(key=lambda run: (run[0], run[1], run[2].name), reverse=True)
    return [(folder, ended) for _, ended, folder in ordered]


@contextmanager
def lock_of_removal(folder: Path) -> Iterator[bool]:
    """Tell whether a run is over, and hold its lock meanwhile, so that no other removes it."""
    try:
        opened = (folder / RUN_KEY_FILE).open()
    except FileNotFoundError:  # of a kind of run that holds none
        yield True
        return
    with opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _noted(folder: Path) -> tuple[dict[str, Any], int] | None:
    """Return the key of a run, and the version at which it began; None: it has noted neither."""
    try:
        key = json.loads((folder / RUN_KEY_FILE).read_text(encoding="utf-8"))
        began = int(key.pop(BEGAN, NO_VERSION))
        key.pop(NUMBER, None)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return key, began


def number_noted(folder: Path) -> int | None:
    """Return the number of the last commit of the results before a run, where it has noted it."""
    try:
        return int(json.loads((folder / RUN_KEY_FILE).read_text(encoding="utf-8"))[NUMBER])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def goes_on(folder: Path) -> bool:
    """Tell whether a run of this machine goes on."""
    return (folder / RUN_KEY_FILE).is_file() and _is_running(folder)


def _is_running(folder: Path) -> bool:
    """Tell whether a run goes on, or is being deleted."""
    try:
        asked = (folder / RUN_KEY_FILE).open()
    except FileNotFoundError:
        return True
    with asked:
        try:
            fcntl.flock(asked, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
