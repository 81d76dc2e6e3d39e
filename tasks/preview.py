"""What a reading would make of some pictures, as a report: original, canonical form, decision."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.calibrate import Threshold
from tasks.discover import Listing, entries_of
from tasks.figures import Figure, Tile, Tone, digit_grid, times
from tasks.inputs import Entry, Inputs
from tasks.reading_report import OUTCOMES
from tasks.reasons import Status
from tasks.report import Report, Section, Table, percent, plural
from tasks.rows import Page
from tasks.samples import opened_again

THUMBNAIL = 144  # longer side of an original on the page, pixels
LONGEST_NAME = 20  # characters below a thumbnail
BACKGROUND = 192  # grey behind transparent pixels: black ink and white ink both show


@dataclass(frozen=True)
class Preview:
    """How many files were looked at, and what a reading would make of their pictures."""

    folder: str
    files: int
    shown: int  # files
    outcomes: dict[str, int]  # pictures by status
    threshold: Threshold
    model_version: str
    report: str

    def facts(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def spread(listing: Listing, limit: int) -> list[Entry]:
    """Return at most `limit` files, evenly spread over the listing."""
    count = min(limit, listing.count)
    places = (number * listing.count // count for number in range(count))
    return [entry for at in places for entry in entries_of(listing.file, at, at + 1)]


def preview_report(
    preview: Preview, inputs: Inputs, decided: Sequence[tuple[Page, Mapping[str, Any]]]
) -> Report:
    """Return a page that shows every picture beside its canonical form and its decision.

    Args:
        preview: the counts.
        inputs: where the pages' paths lie; the originals are opened again.
        decided: pages and their rows.
    """
    counts = ", ".join(
        f"{preview.outcomes[status]:,} {words}" for status, (words, _) in OUTCOMES.items()
    )
    return Report(
        title=f"Preview of {preview.folder}",
        lead=f"{preview.shown:,} of {plural(preview.files, 'file')} looked at: {counts}. "
        f"{preview.threshold.sentence()}.",
        sections=[_section(status, inputs, decided) for status in OUTCOMES],
        note=f"Model {preview.model_version}. Nothing was written to the results table.",
    )


def _section(
    status: Status, inputs: Inputs, decided: Sequence[tuple[Page, Mapping[str, Any]]]
) -> Section:
    words, tone = OUTCOMES[status]
    some = [(page, row) for page, row in decided if row["status"] == status]
    figures = [_figure(page, row, inputs, tone) for page, row in some if page.ink is not None]
    rows = [(row["path"], row["reason"], row["detail"]) for page, row in some if page.ink is None]
    return Section(
        words.capitalize(),
        f"{plural(len(some))}: the original, and what the model sees." if some else "None.",
        Table(("File without a picture", "Reason", "Detail"), rows) if rows else None,
        figures,
    )


def _figure(page: Page, row: Mapping[str, Any], inputs: Inputs, tone: Tone) -> Figure:
    original = opened_again(inputs, page.path, page.number)
    if original:
        shown, size = thumbnail(original.shown()), times((original.width, original.height))
    else:
        shown, size = np.full((1, 1, 3), BACKGROUND, np.uint8), "gone since"
    seen = np.zeros((28, 28), np.uint8) if page.form is None else page.form
    tiles = [
        Tile(255 - shown, _end(row["path"]), note=size, hint=row["path"]),
        Tile(seen, _decision(row), note=_why(row), tone=tone, hint=_why(row)),
    ]
    return digit_grid(f"{row['path']}: {_decision(row)}", tiles, columns=2, size=THUMBNAIL)


def _end(path: str) -> str:
    return path if len(path) <= LONGEST_NAME else "…" + path[1 - LONGEST_NAME :]


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture (grey, RGB or RGBA) as (H, W, 3) in OpenCV's order, small enough to show."""
    factor = THUMBNAIL / max(picture.shape[:2])
    if factor < 1:
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if picture.ndim == 2:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
    colour = picture[..., 2::-1]
    if picture.shape[2] == 3:
        return colour
    alpha = picture[..., 3:] / 255
    return np.round(colour * alpha + BACKGROUND * (1 - alpha)).astype(np.uint8)


def _decision(row: Mapping[str, Any]) -> str:
    return f"{row['status']}: {row['reason'] if row['status'] == Status.REJECTED else row['digit']}"


def _why(row: Mapping[str, Any]) -> str:
    if row["status"] == Status.REJECTED:
        return str(row["detail"])
    return f"{percent(row['confidence'], 1)} sure"
