"""Folders of old runs: which are still needed, and the rest away."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.maintenance.tidied import Tidied, disk_use
from tasks.holding.batches import BatchLog
from tasks.registry.registry import Registry
from tasks.runs import REMOVED, RUN_ID, lock_of_removal, needed_runs
from tasks.settings.base import MaintainSettings, home, models_place, results_table

PART = "run folders"
DAY = 86_400.0  # seconds
TRAINING = "train"  # its run is called by the version that came of it


def tidy_run_folders(settings: MaintainSettings) -> Tidied:
    """Delete the folders of runs that are old and that nothing needs any more."""
    done, runs = Tidied(PART), home() / "runs"
    if runs.is_dir():
        with _alone(runs) as alone:
            if alone:
                _tidy(runs, settings, done)
            else:
                done.notes.append("another maintenance of this home goes on")
    return done


@contextmanager
def _alone(runs: Path) -> Iterator[bool]:
    """Tell whether nobody else tidies these folders, and keep others from it meanwhile."""
    opened = os.open(runs, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(opened)


def _tidy(runs: Path, settings: MaintainSettings, done: Tidied) -> None:
    failed = list[str]()
    folders = sorted(_folders(runs))
    kept = _kept(folders, settings)
    for folder in folders:
        if why := kept.get(folder):
            done.keep(why)
            continue
        size = disk_use(folder)
        try:
            if not settings.dry_run and not _remove(folder):
                done.keep("a run that goes on")
                continue
        except OSError as error:
            failed.append(f"{folder} cannot be deleted: {error.strerror}")
            continue
        done.remove(folder.name, size)
    if not settings.dry_run:
        for left in runs.glob(f"{REMOVED}*"):  # by a program that was killed
            shutil.rmtree(left, ignore_errors=True)
    if failed:
        more = f" (and {len(failed) - 1:,} more)" if len(failed) > 1 else ""
        done.error = failed[0] + more


def _folders(runs: Path) -> Iterator[Path]:
    """Yield the folders that runs have made; what else lies there is somebody else's."""
    for path in runs.iterdir():
        if RUN_ID.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            yield path


def _kept(folders: list[Path], settings: MaintainSettings) -> dict[Path, str]:
    """Return which folders stay, each with the reason; the first that holds is said."""
    kept = dict[Path, str]()
    since = time.time() - settings.keep_days * DAY
    by_kind = dict[str, list[Path]]()
    for folder in folders:
        by_kind.setdefault(folder.name.partition("-")[0], []).append(folder)
    newest = {
        folder
        for of_kind in by_kind.values()
        for folder in of_kind[max(0, len(of_kind) - settings.keep_runs) :]
    }
    versions = set(Registry(models_place()).names())
    needed = needed_runs(folders)
    held = {run for runs in BatchLog(results_table()).states().waiting.values() for run in runs}
    for folder in folders:
        kind, _, made = folder.name.partition("-")
        if _changed_at(folder) > since:
            kept[folder] = f"younger than {settings.keep_days} days"
        elif folder in needed:
            kept[folder] = needed[folder]
        elif folder.name in held:
            kept[folder] = "its batch is held, and its report has the pictures"
        elif kind == TRAINING and made in versions:
            kept[folder] = "the training of a version that is there"
        elif folder in newest:
            kept[folder] = f"among the {settings.keep_runs} newest of its kind"
    return kept


def _changed_at(folder: Path) -> float:
    """Return when anything in a folder was changed last, in seconds of the clock."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:  # somebody deletes it by hand
        return time.time()


def _remove(folder: Path) -> bool:
    """Delete the folder of a run; False if it goes on after all.

    It is not there for others any more before the first of its files is gone.
    """
    with lock_of_removal(folder) as free:
        if free:
            hidden = folder.rename(folder.with_name(REMOVED + folder.name))
    if free:
        shutil.rmtree(hidden)
    return free
