"""What a reading would make of some pictures, as a report: original, canonical form, decision."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tasks.decoding.thumbnail import BACKGROUND
from tasks.decoding.thumbnail import SIDE as THUMBNAIL
from tasks.imaging.form import in_words
from tasks.inputs.base import Entry
from tasks.inputs.listing import Listing, entries_of
from tasks.metrics.risk_curve import Threshold
from tasks.outcomes import Reason, Status
from tasks.processes.page_process import DecodedPage
from tasks.reporting.document import Report, Section, Table, percent, plural
from tasks.reporting.reading_report import OUTCOMES, Unshown, unshown_section
from tasks.reporting.svg import Figure, Tile, Tone, digit_grid, times
from tasks.results.picture_row import PictureRow

LONGEST_NAME = 20  # characters below a thumbnail


@dataclass(frozen=True)
class Preview:
    """How many files were looked at, and what a reading would make of their pictures."""

    folder: str
    files: int
    shown: int  # files
    outcomes: dict[str, int]  # pictures by status
    threshold: Threshold  # of all kinds of pictures together
    promise: str
    model_version: str
    report: str
    instead_of: str | None = None  # why it is not the champion, where that could not read

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def evenly_spaced(listing: Listing, limit: int) -> list[Entry]:
    """Return at most `limit` files, evenly spread over the listing."""
    count = min(limit, listing.count)
    places = (number * listing.count // count for number in range(count))
    return [entry for at in places for entry in entries_of(listing.file, at, at + 1)]


def preview_report(
    preview: Preview, rows: Sequence[PictureRow], pictures: Mapping[int, DecodedPage | str]
) -> Report:
    """Return a page that shows every picture beside its canonical form and its decision.

    Args:
        preview: the counts.
        rows: of the pages that were looked at.
        pictures: by the number of the row: the page, or why it cannot be shown.
    """
    counts = ", ".join(
        f"{preview.outcomes[status]:,} {words}" for status, (words, _) in OUTCOMES.items()
    )
    sections = [_section(status, rows, pictures) for status in OUTCOMES]
    unshown = [
        Unshown(rows[number].path, rows[number].page, page)
        for number, page in pictures.items()
        if isinstance(page, str)
    ]
    if unshown:
        sections.append(unshown_section(unshown))
    model = preview.model_version
    if preview.instead_of:
        model += f", in place of the champion: {preview.instead_of}"
    return Report(
        title=f"Preview of {preview.folder}",
        lead=f"{preview.shown:,} of {plural(preview.files, 'file')} looked at: {counts}. "
        f"{preview.promise}.",
        sections=sections,
        note=f"Model {model}. Nothing was written to the results table.",
    )


def _section(
    status: Status, rows: Sequence[PictureRow], pictures: Mapping[int, DecodedPage | str]
) -> Section:
    words, tone = OUTCOMES[status]
    some = [(number, row) for number, row in enumerate(rows) if row.status == status]
    figures = [_figure(row, pictures[number], tone) for number, row in some if number in pictures]
    without = [
        (row.path, row.reason, row.detail or "") for number, row in some if number not in pictures
    ]
    return Section(
        words.capitalize(),
        f"{plural(len(some))}: the original, and what the model sees." if some else "None.",
        Table(("File without a picture", "Reason", "Detail"), without) if without else None,
        figures,
    )


def _figure(row: PictureRow, page: DecodedPage | str, tone: Tone) -> Figure:
    if isinstance(page, DecodedPage) and page.thumbnail is not None:
        original, form = page.thumbnail, page.form
        size = times((page.width, page.height))
    else:
        original, form = np.full((1, 1, 3), BACKGROUND, np.uint8), np.zeros((28, 28), np.uint8)
        size = "not shown"
    tiles = [
        Tile(255 - original, _end(row.path), note=size, hint=row.path),
        Tile(form, _decision(row), note=_short(row, page), tone=tone, hint=_why(row)),
    ]
    if isinstance(page, DecodedPage):
        doubt = in_words(page.ink.doubts)
        tiles += [Tile(other, "or seen so", note="", hint=doubt) for other in page.others]
    title = f"{row.path}: {_decision(row)}"
    return digit_grid(title, tiles, columns=len(tiles), size=THUMBNAIL)


def _end(path: str) -> str:
    return path if len(path) <= LONGEST_NAME else "…" + path[1 - LONGEST_NAME :]


def _decision(row: PictureRow) -> str:
    return f"{row.status}: {row.reason if row.status == Status.REJECTED else row.digit}"


def _short(row: PictureRow, page: DecodedPage | str) -> str:
    """Return what fits below a tile; the whole is in its hint."""
    if row.reason != Reason.AMBIGUOUS or isinstance(page, str):
        return _why(row)
    return f"{row.reason}: {page.ink.doubts.replace(',', ', ')}"


def _why(row: PictureRow) -> str:
    if row.status == Status.REJECTED:
        return str(row.detail)
    if row.reason == Reason.AMBIGUOUS:
        return str(row.detail)
    return f"{percent(row.confidence, 1)} sure"
