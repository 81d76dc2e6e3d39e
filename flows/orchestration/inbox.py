"""An inbox at one tick of its schedule: what is whole and new is read, what was read is taken away.

A tick that finds nothing loads neither model nor report, and leaves nothing behind: so this file
imports what a reading needs only once there is something to read. It needs no Prefect.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.atomic import absolute, make_folder, write_text
from tasks.errors import DigitflowError, InputError
from tasks.inputs.base import printable, unprintable
from tasks.inputs.local import walk
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import DELETED, Originals
from tasks.settings.base import home, inbox, results_table
from tasks.settings.reading import InboxSettings

if TYPE_CHECKING:  # a tick without news loads none of them
    from flows.runner import Runner
    from flows.terminal.console import Console
    from tasks.results.summary import Summary

BEING_WRITTEN = "still being written"
BATCH_FILE = "batch-file"  # in the folder of a run: says where the rows of its held batch will go


@dataclass(frozen=True)
class Tick:
    """What came of one look at an inbox."""

    summary: "Summary | None"  # None: nothing was new
    growing: Sequence[str] = ()  # files that are not whole yet
    waits: str = BEING_WRITTEN  # what they are, or wait for
    moved: int = 0  # files that were read
    deleted: int = 0
    failed: Sequence[str] = ()  # what could not be moved or deleted, and why

    def sentence(self, counts: str = "nothing new") -> str:
        """Return in words what came of it, after the counts of what was read."""
        kinds = (
            (len(self.growing), self.waits),
            (self.moved, "moved"),
            (self.deleted, "deleted"),
        )
        parts = [f"{_files(count)} {what}" for count, what in kinds if count]
        return ", ".join([counts, *parts])

    def require_taken_away(self) -> None:
        """See that all files that were to be moved or deleted are.

        Raises:
            DigitflowError: some are not; their rows are in the results all the same.
        """
        if self.failed:
            raise DigitflowError(
                f"{_files(len(self.failed))} could not be moved or deleted, which is tried again "
                f"next time: {_some(self.failed)}"
            )


def tick(settings: InboxSettings, console: "Console", runner: "Runner") -> Tick:
    """Read what is new in an inbox and whole, and take away what was read.

    Args:
        settings: of the inbox.
        console: shows what is done.
        runner: runs the shards.

    Raises:
        InputError: the inbox, or a folder that files are to be moved to, cannot be used.
        DigitflowError: the reading could not come to its end.
    """
    if settings.source == inbox():
        make_folder(Path(inbox()))
    originals, batches = originals_of(settings), _batch_folder(settings)
    if _is_empty(settings, originals):
        return Tick(None)
    from flows.orchestration.sight import sight_of, take_away_read

    waits = f"without {settings.marker} beside" if settings.marker else BEING_WRITTEN
    with tempfile.TemporaryDirectory(prefix="digitflow-") as folder:
        sight = sight_of(settings, originals, Path(folder))
        if sight.growing:
            console.log("Waiting", f"{_files(len(sight.growing))} {waits}: {_some(sight.growing)}")
        summary = None
        if sight.news and sight.inputs and sight.listing:
            from flows.predict import Found, predict

            found = Found(sight.inputs, sight.listing, originals)
            summary = predict(settings, console, runner, found)
            if batches and summary.held:
                note_batch_file(summary.run_id, batches)
            elif batches:
                file = write_batch(summary.run_id, batches)
                console.log("Batch", str(file) if file else "no rows of its own, and no file")
        for file in write_released() if batches else ():
            console.log("Batch", str(file))
        taken = take_away_read(sight.listing, settings.marker, originals)
    done = Tick(summary, sight.growing, waits, taken.moved, taken.deleted, taken.failed)
    if done.moved or done.deleted:
        console.log("Taken away", f"{done.moved:,} moved, {done.deleted:,} deleted")
    return done


def _is_empty(settings: InboxSettings, originals: Originals) -> bool:
    """Tell at once that nothing lies in an inbox that is one folder, and may be used as it is told.

    Whatever else it is takes the longer way, which loads what reads listings and results.
    """
    if not settings.allow_empty or not isinstance(settings.source, str):
        return False
    name = os.fsencode(absolute(settings.source))
    if not os.path.isdir(name):  # noqa: PTH112 - bytes
        return False
    if not originals.stay:
        targets = (unprintable(place) for place in (originals.read, originals.rejected) if place)
        if os.path.realpath(name) in map(os.path.realpath, targets):
            return False
        if not os.access(name, os.W_OK | os.X_OK):
            return False
    return next(walk(name.rstrip(b"/") + b"/", PathFilter()), None) is None


def originals_of(settings: InboxSettings) -> Originals:
    """Return what becomes of the files of an inbox; folders that they are moved to are made.

    Raises:
        InputError: such a folder cannot be made, or written.
    """
    moved, rejected = (
        given and _target(name, given)
        for name, given in (("move_to", settings.move_to), ("rejected_to", settings.rejected_to))
    )
    return Originals(DELETED if settings.after == "delete" else moved, rejected)


def _batch_folder(settings: InboxSettings) -> Path | None:
    """Return the folder for the files of batches, which is made.

    Raises:
        InputError: it cannot be made or written, or its files would be read as pictures.
    """
    if settings.batches_to is None:
        return None
    folder = absolute(settings.batches_to)
    sources = [settings.source] if isinstance(settings.source, str) else settings.source
    for source in (os.path.realpath(absolute(each)) for each in sources if "://" not in each):
        if Path(os.path.realpath(folder)).is_relative_to(source):
            raise InputError(f"batches_to: {folder} lies in {source}, which is read: give another")
    _made_folder("batches_to", folder)
    return folder


def note_batch_file(run: str, folder: Path) -> None:
    """Note in the folder of a run where the rows of its batch go when it is released."""
    write_text(home() / "runs" / run / BATCH_FILE, printable(os.fsencode(folder)) + "\n")


def write_released() -> Iterator[Path]:
    """Write the files of batches that were held, and are released by now; yield what is written.

    Raises:
        DigitflowError: one cannot be written, which is tried again next time.
    """
    noted = {file.parent.name: file for file in (home() / "runs").glob(f"*/{BATCH_FILE}")}
    if not noted:
        return
    from tasks.holding.batches import BatchLog

    states = BatchLog(results_table()).states()
    for run, note in noted.items():
        if run in states.released:
            folder = Path(os.fsdecode(unprintable(note.read_text(encoding="utf-8").strip())))
            if file := write_batch(run, folder, states.released[run]):
                yield file
        if run not in states.waiting:
            note.unlink(missing_ok=True)


def write_batch(run: str, folder: Path, runs: Sequence[str] = ()) -> Path | None:
    """Write the rows of a run into a CSV file that is called by it, and return it; None: no rows.

    Args:
        run: that read the batch.
        folder: of the file.
        runs: whose rows they are; by default those of the run alone.

    Raises:
        DigitflowError: it cannot be written; the rows are in the results all the same.
    """
    import pyarrow as pa

    from tasks.results.table import Query, export, select

    rows = pa.concat_tables(select(results_table(), Query(run=each)) for each in runs or [run])
    if not rows.num_rows:
        return None
    file = folder / f"{run}.csv"
    try:
        export(rows, file)
    except OSError as error:
        raise DigitflowError(
            f"{file} cannot be written: {error.strerror}; its rows are in the results: "
            f"`digitflow results --run {run} --out FILE.csv`"
        ) from error
    return file


def _target(name: str, given: str) -> str:
    folder = absolute(given)
    _made_folder(name, folder)
    return printable(os.fsencode(folder))


def _made_folder(name: str, folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)  # nothing above it: a share may not be mounted
    except OSError as error:
        raise InputError(f"{name}: {folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{name}: {folder} may not be written by this user")


def _files(count: int) -> str:
    return f"{count:,} file" + ("" if count == 1 else "s")


def _some(names: Sequence[str], shown: int = 3) -> str:
    left = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {left:,} more" if left > 0 else "")
