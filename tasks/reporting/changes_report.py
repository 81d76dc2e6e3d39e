"""The report on the real pictures whose answer would change if a candidate served."""

from collections.abc import Sequence

from tasks.gate.evidence import PredictionChange, PredictionChanges
from tasks.gate.prediction_changes import inputs_at
from tasks.inputs.base import unprintable
from tasks.not_measured import NotMeasured
from tasks.processes.page_process import DecodedPage
from tasks.reporting.document import Report, Section, Table, percent, plural
from tasks.reporting.samples import pages_at
from tasks.reporting.svg import Tile, digit_strips

SHOWN = 40  # changed answers with their picture
LISTED = 200  # changed answers in the table


def changes_report(
    found: PredictionChanges | NotMeasured | None, candidate: str, serving: str | None
) -> Report:
    """Return which real pictures change their answer, with the pictures."""
    title = f"What {candidate} changes"
    if found is None:
        lead = "No earlier batches to read again: nothing was read yet, or nothing serves."
        return Report(title, lead, [])
    if isinstance(found, NotMeasured):
        return Report(title, f"Unknown: {found.reason}", [], tone="warn")
    gone = f" Not there any more: {plural(found.gone, 'file')}." if found.gone else ""
    share = percent(len(found.changes) / found.pages if found.pages else None)
    lead = (
        f"{len(found.changes):,} of {plural(found.pages)} ({share}) that were read last change "
        f"their answer if {candidate} serves instead of {serving}.{gone}"
    )
    rows = [
        (change.path, str(change.page), _words(change.before), _words(change.after))
        for change in found.changes[:LISTED]
    ]
    more = len(found.changes) - len(rows)
    tiles = _tiles(found.changes)
    hidden = min(SHOWN, len(found.changes)) - len(tiles)
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
        sections if found.changes else [],
        tone="warn" if found.changes else "good",
        note=f"Runs that were read again: {', '.join(found.runs)}.",
    )


def _tiles(changed: Sequence[PredictionChange]) -> list[Tile]:
    by_root: dict[str, list[PredictionChange]] = {}
    for change in changed[:SHOWN]:
        by_root.setdefault(change.root, []).append(change)
    tiles = []
    for root, some in by_root.items():
        inputs = inputs_at(root)
        if inputs is None:
            continue
        pages = pages_at(inputs, [(unprintable(change.path), change.page) for change in some])
        for change, page in zip(some, pages, strict=True):
            if isinstance(page, DecodedPage):
                words = f"{_words(change.before)} → {_words(change.after)}"
                tiles.append(Tile(page.form, words, tone="warn", hint=change.path))
    return tiles


def _words(digit: int | None) -> str:
    return "rejected" if digit is None else str(digit)
