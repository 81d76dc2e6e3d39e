"""The folder of one run: its name is the run id, and what the run leaves behind lies in it."""

import fcntl
import json
import re
import secrets
from collections.abc import Iterator, Mapping
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
RUN_ID = re.compile(r"[a-z]+-\d{8}-\d{6}-[0-9a-f]{4}", re.ASCII)
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


@contextmanager
def run_lock(run: Path, key: Mapping[str, Any], began: int) -> Iterator[None]:
    """Write a run's key, and hold a lock by which others see whether the run is going on.

    Args:
        run: its folder.
        key: what it has in common with those that may go on where it was stopped.
        began: the version of the results table that it found. Runs are ordered by that: clocks,
            by which they are named, are set back.
    """
    write_text(run / RUN_KEY_FILE, json.dumps({**key, BEGAN: began}) + "\n")
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
    ours = {folder: began for folder in newest if (began := _began(folder, key)) is not None}
    ours.pop(run, None)
    ended = {folder: (folder / SUMMARY_FILE).exists() for folder in ours}
    for folder in sorted(
        ours, key=lambda other: (ours[other], ended[other], other.name), reverse=True
    ):
        if ended[folder]:
            break
        if not _is_running(folder):
            ids.append(folder.name)
    return ids


def _began(folder: Path, key: Mapping[str, Any]) -> int | None:
    """Return the version at which a run began, if it has this key."""
    try:
        noted = json.loads((folder / RUN_KEY_FILE).read_text(encoding="utf-8"))
        began = int(noted.pop(BEGAN, NO_VERSION))
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return began if noted == key else None


def _is_running(folder: Path) -> bool:
    with (folder / RUN_KEY_FILE).open() as asked:
        try:
            fcntl.flock(asked, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
