"""The most recent real pictures, read again: whose answer would change if a candidate served."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.device import Device
from tasks.errors import InputError
from tasks.gate.evidence import Flip, Flips, Trouble
from tasks.inference.evaluate_files import NO_ANSWER, answers_of_files
from tasks.inference.model_file import Model
from tasks.inputs.base import Inputs, open_inputs, unprintable
from tasks.outcomes import Reason
from tasks.processes.page_process import Seen
from tasks.reporting.document import Report, Section, Table, percent, plural
from tasks.reporting.samples import pages_at
from tasks.reporting.svg import Tile, digit_strips
from tasks.results.table import RANKED_BY, is_table, ranks, scan

MOST_FILES = 1_000
SHOWN = 40  # changed answers with their picture
LISTED = 200  # changed answers in the table

Batches = Mapping[str, Sequence[str]]  # by root: paths, each once


def recent_batches(
    table: str, leave_out: Path, most: int = MOST_FILES
) -> tuple[list[str], Batches]:
    """Return the newest runs and their files, at most so many, newest run first.

    Args:
        table: folder or URL of the results table.
        leave_out: a folder whose pictures are none of the user's, as what the demo writes.
        most: files.
    """
    runs, files, chosen = list[str](), dict[str, list[str]](), set[tuple[str, str]]()
    for run in _newest_first(table, str(leave_out)):
        if len(chosen) >= most:
            break
        runs.append(run)
        for batch in scan(table, ["root", "path"], pc.field("run_id") == run):
            for row in batch.to_pylist():
                key = (row["root"], row["path"])
                if key not in chosen and len(chosen) < most:
                    chosen.add(key)
                    files.setdefault(row["root"], []).append(row["path"])
    return runs, files


def _newest_first(table: str, leave_out: str) -> list[str]:
    if not is_table(table):
        return []
    newest: dict[str, int] = {}
    others = ~pc.starts_with(pc.field("root"), leave_out)
    for batch in scan(table, ["run_id", *RANKED_BY], others):
        ranked = pa.table({"run_id": batch["run_id"], "rank": ranks(batch)})
        for row in ranked.group_by("run_id").aggregate([("rank", "max")]).to_pylist():
            known = newest.get(row["run_id"], row["rank_max"])
            newest[row["run_id"]] = max(known, row["rank_max"])
    return sorted(newest, key=newest.__getitem__, reverse=True)


def flips(
    runs: list[str],
    files: Batches,
    serving: Model,
    candidate: Model,
    device: Device,
    max_error: float,
) -> Flips:
    """Read the files that are still there with both models and return what changes."""
    pages, gone, changed = 0, 0, list[Flip]()
    for root, paths in files.items():
        inputs = inputs_at(root)
        if inputs is None:
            gone += len(paths)
            continue
        names = [unprintable(path) for path in paths]
        before, after = (
            answers_of_files(model, device, inputs, names, max_error)
            for model in (serving, candidate)
        )
        number = _page_numbers(before.paths)
        for row, (old, new) in enumerate(zip(before.digits, after.digits, strict=True)):
            if before.reasons[row] == Reason.VANISHED:
                gone += 1
                continue
            pages += 1
            if old != new:
                changed.append(Flip(root, before.paths[row], number[row], _digit(old), _digit(new)))
    return Flips(runs, pages, gone, changed)


def inputs_at(root: str) -> Inputs | None:
    """Return the inputs that a root of the results names, or None where they are gone."""
    try:
        return open_inputs(os.fsdecode(unprintable(root)))
    except InputError:
        return None


def _page_numbers(paths: Sequence[str]) -> list[int]:
    numbers, seen = list[int](), dict[str, int]()
    for path in paths:
        numbers.append(seen.get(path, 0))
        seen[path] = numbers[-1] + 1
    return numbers


def _digit(answer: int) -> int | None:
    return None if answer == NO_ANSWER else int(answer)


def flip_report(found: Flips | Trouble | None, candidate: str, serving: str | None) -> Report:
    """Return which real pictures change their answer, with the pictures."""
    title = f"What {candidate} changes"
    if found is None:
        lead = "No earlier batches to read again: nothing was read yet, or nothing serves."
        return Report(title, lead, [])
    if isinstance(found, Trouble):
        return Report(title, f"Unknown: {found.reason}", [], tone="warn")
    gone = f" Not there any more: {plural(found.gone, 'file')}." if found.gone else ""
    share = percent(len(found.flips) / found.pages if found.pages else None)
    lead = (
        f"{len(found.flips):,} of {plural(found.pages)} ({share}) that were read last change their "
        f"answer if {candidate} serves instead of {serving}.{gone}"
    )
    rows = [
        (flip.path, str(flip.page), _words(flip.before), _words(flip.after))
        for flip in found.flips[:LISTED]
    ]
    more = len(found.flips) - len(rows)
    tiles = _tiles(found.flips)
    hidden = min(SHOWN, len(found.flips)) - len(tiles)
    unshown = f" {plural(hidden)} could not be decoded again for this report." if hidden else ""
    sections = [
        Section(
            "Pictures",
            f"Old answer and new answer.{unshown}",
            figures=digit_strips("Changed answers", tiles),
        ),
        Section(
            "Files",
            f"{more:,} more are left out." if more else "",
            Table(("File", "Page", "Before", "After"), rows),
        ),
    ]
    return Report(
        title,
        lead,
        sections if found.flips else [],
        tone="warn" if found.flips else "good",
        note=f"Runs that were read again: {', '.join(found.runs)}.",
    )


def _tiles(changed: Sequence[Flip]) -> list[Tile]:
    by_root: dict[str, list[Flip]] = {}
    for flip in changed[:SHOWN]:
        by_root.setdefault(flip.root, []).append(flip)
    tiles = []
    for root, some in by_root.items():
        inputs = inputs_at(root)
        if inputs is None:
            continue
        pages = pages_at(inputs, [(unprintable(flip.path), flip.page) for flip in some])
        for flip, page in zip(some, pages, strict=True):
            if isinstance(page, Seen):
                words = f"{_words(flip.before)} → {_words(flip.after)}"
                tiles.append(Tile(page.form, words, tone="warn", hint=flip.path))
    return tiles


def _words(digit: int | None) -> str:
    return "rejected" if digit is None else str(digit)


def facts(found: Flips | Trouble | None) -> dict[str, object] | None:
    """Return what a card says about it."""
    if found is None or isinstance(found, Trouble):
        return None if found is None else asdict(found)
    return {"runs": found.runs, "pages": found.pages, "gone": found.gone, "flips": len(found.flips)}
