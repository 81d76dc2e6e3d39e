"""Maintenance: old runs, files of the results that nothing needs any more, old models.

Each part is done whatever becomes of the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.maintenance.held import tidy_held
from flows.maintenance.run_folders import tidy_run_folders
from flows.maintenance.tidied import Tidied, disk_use, mib
from flows.promote import clean, refuse_unanswered
from tasks.errors import DigitflowError, error_text
from tasks.progress import ProgressLog
from tasks.results.compact import compact, replaced_files, small_files
from tasks.results.repair import require_sound
from tasks.results.table import is_table
from tasks.results.table_files import is_local
from tasks.settings.base import MaintainSettings, models_place, results_table
from tasks.task import task

Part = Callable[[MaintainSettings], Tidied]


class Unmaintained(DigitflowError):
    """Some parts could not be done; the others are."""

    maintained: "Maintained"


@dataclass(frozen=True)
class Maintained:
    """What all parts of a maintenance did."""

    dry_run: bool
    parts: list[Tidied]

    @property
    def freed(self) -> int:
        """Return the bytes of this machine's disk that were given back."""
        return sum(part.freed for part in self.parts)

    def sentence(self) -> str:
        """Return in a line what was removed."""
        counts = ", ".join(f"{part.part} {len(part.removed):,}" for part in self.parts)
        removed, gave = ("would remove", "give back") if self.dry_run else ("removed", "gave back")
        return f"{removed} {counts}; {gave} {mib(self.freed)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows."""
        parts = [part.to_dict() for part in self.parts]
        return {"dry_run": self.dry_run, "freed": self.freed, "parts": parts}


def maintain(
    settings: MaintainSettings, log: ProgressLog, more: Sequence[tuple[str, Part]] = ()
) -> Maintained:
    """Remove what is old and needed by nothing, and say what, how much, and what stays and why.

    Args:
        settings: how long what stays.
        log: shows it.
        more: parts before those of this machine, with their names.

    Raises:
        Unmaintained: parts could not be done; the error has what the others did.
    """
    done = [_done(name, part, settings) for name, part in (*more, *PARTS)]
    for tidied in done:
        _say(tidied, settings, log)
    maintained = Maintained(settings.dry_run, done)
    log.log("Together", maintained.sentence())
    if failed := [f"{tidied.part}: {tidied.error}" for tidied in done if tidied.error]:
        error = Unmaintained("; ".join(failed))
        error.maintained = maintained
        raise error
    return maintained


def _done(name: str, part: Part, settings: MaintainSettings) -> Tidied:
    try:
        return part(settings)
    except DigitflowError as error:
        return Tidied(name, error=str(error))
    except Exception as error:  # whatever it is, the other parts are done
        return Tidied(name, error=error_text(error))


def _say(tidied: Tidied, settings: MaintainSettings, log: ProgressLog) -> None:
    label = tidied.part.capitalize()
    log.log(label, tidied.sentence(dry_run=settings.dry_run))
    if tidied.error:
        log.log("", f"not done: {tidied.error}")
    for why, count in tidied.kept.items():
        log.log("", f"{count:,} kept: {why}")
    for note in tidied.notes:
        log.log("", note)


@task(name="tidy the run folders")
def _run_folders(settings: MaintainSettings) -> Tidied:
    return tidy_run_folders(settings)


@task(name="tidy the results")
def _results(settings: MaintainSettings) -> Tidied:
    """Compact the results, and delete the files that were replaced a week ago."""
    done, table = Tidied("result files"), results_table()
    if not is_table(table):
        return done
    require_sound(table)
    before, gone = _disk_use(table), replaced_files(table)
    done.removed += gone
    if settings.dry_run:
        if is_local(table):
            done.freed = sum((Path(table) / name).stat().st_size for name in gone)
        done.notes.append(f"{small_files(table):,} small files would be written anew as few")
        return done
    small = small_files(table)
    if not compact(table):
        done.notes.append("another run was writing: compacting is left for the next time")
    done.notes.append(
        f"{small:,} small files before, {small_files(table):,} now; what was replaced stays for a "
        "week, for readers and for travelling back in time"
    )
    done.freed = max(0, before - _disk_use(table))
    return done


@task(name="tidy what is held")
def _held(settings: MaintainSettings) -> Tidied:
    """Let go of rows that were released, and of those of dead runs that nobody goes on with."""
    return tidy_held(settings)


@task(name="tidy the models")
def _models(settings: MaintainSettings) -> Tidied:
    """Delete old versions that nothing needs, as `digitflow models gc` does."""
    done, place = Tidied("models"), models_place()
    for entry in [] if settings.dry_run else refuse_unanswered():
        done.notes.append(f"{entry['version']} is refused: {entry['reason']}")
    before = {name.name: disk_use(name) for name in _folders(place)}
    cleaned = clean(settings.keep_models, "maintenance", referenced=False, dry_run=settings.dry_run)
    for name in cleaned.removed:
        done.remove(name, before.get(name, 0))
    for name, why in cleaned.kept.items():
        done.keep(f"{name}, {why}")
    return done


def _folders(place: str) -> list[Path]:
    folder = Path(place)
    return list(folder.iterdir()) if is_local(place) and folder.is_dir() else []


def _disk_use(table: str) -> int:
    return disk_use(Path(table)) if is_local(table) else 0


PARTS: tuple[tuple[str, Part], ...] = (
    ("run folders", _run_folders),
    ("result files", _results),
    ("held rows", _held),
    ("models", _models),
)
