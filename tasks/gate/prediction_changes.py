"""The most recent real pictures, read again: whose answer would change if a candidate served."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.device import Device
from tasks.errors import InputError
from tasks.gate.evidence import PredictionChange, PredictionChanges
from tasks.inference.evaluate_files import NO_ANSWER, answers_of_files
from tasks.inference.model_file import Model
from tasks.inputs.base import Inputs, unprintable
from tasks.inputs.open import open_inputs
from tasks.not_measured import NotMeasured
from tasks.outcomes import Reason
from tasks.results.table import COUNTS, RANKED_BY, Condition, Text, is_table, of_run, ranks, scan

MOST_FILES = 1_000

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
        for batch in scan(table, ["root", "path"], _counted(run)):
            for row in batch.to_pylist():
                key = (row["root"], row["path"])
                if key not in chosen and len(chosen) < most:
                    chosen.add(key)
                    files.setdefault(row["root"], []).append(row["path"])
    return runs, files


def _counted(run: str) -> Condition:
    return lambda text: COUNTS & of_run(run)(text)


def _newest_first(table: str, leave_out: str) -> list[str]:
    if not is_table(table):
        return []
    newest: dict[str, int] = {}

    def others(text: Text) -> pc.Expression:
        return COUNTS & ~pc.starts_with(text("root"), leave_out)

    for batch in scan(table, ["run_id", *RANKED_BY], others):
        ranked = pa.table({"run_id": batch["run_id"], "rank": ranks(batch)})
        for row in ranked.group_by("run_id").aggregate([("rank", "max")]).to_pylist():
            known = newest.get(row["run_id"], row["rank_max"])
            newest[row["run_id"]] = max(known, row["rank_max"])
    return sorted(newest, key=newest.__getitem__, reverse=True)


def prediction_changes(
    runs: list[str],
    files: Batches,
    serving: Model,
    candidate: Model,
    device: Device,
    max_error: float,
) -> PredictionChanges:
    """Read the files that are still there with both models and return what changes."""
    pages, gone, changed = 0, 0, list[PredictionChange]()
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
                changed.append(
                    PredictionChange(root, before.paths[row], number[row], _digit(old), _digit(new))
                )
    return PredictionChanges(runs, pages, gone, changed)


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


def facts(found: PredictionChanges | NotMeasured | None) -> dict[str, object] | None:
    """Return what a card says about it."""
    if found is None or isinstance(found, NotMeasured):
        return None if found is None else asdict(found)
    counts = {"pages": found.pages, "gone": found.gone, "flips": len(found.changes)}
    return {"runs": found.runs, **counts}
