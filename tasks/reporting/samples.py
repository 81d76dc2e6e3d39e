"""Pages of files that were read, decoded again for a report, which never waits long for them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tasks.errors import DigitflowError
from tasks.inputs.base import Inputs
from tasks.processes.page_process import (
    AcquireProcess,
    DecodedPage,
    PageProcesses,
    PageRequest,
    PageSettings,
)
from tasks.reporting.reading_report import RejectedPage, Sample, Unshown
from tasks.results.picture_row import PictureRow

PAGE_S = 10.0  # seconds for one page of a file: what takes longer is not shown
ALL_S = 30.0  # seconds for all files of a report together
SHOWN_OF_A_REASON = 5  # rejected files with their picture

PageKey = tuple[bytes, int]  # path below the root, page


class Samples(NamedTuple):
    """Pictures to show, and those that could not be, with the reason."""

    shown: list[Sample]
    unshown: list[Unshown]


def load_samples(
    rows: Sequence[PictureRow],
    inputs: Inputs,
    acquire: AcquireProcess | None = None,
    seconds: float = ALL_S,
) -> Samples:
    """Return rows with their pictures, and those whose picture is not to be had.

    Args:
        rows: of the results table.
        inputs: where the paths lie.
        acquire: acquires a process that can decode, where there are some already.
        seconds: for all of them.
    """
    samples = Samples([], [])
    places = [(inputs.roots.path(row.root, row.path), row.page) for row in rows]
    found = pages_at(inputs, places, acquire=acquire, seconds=seconds)
    for row, page in zip(rows, found, strict=True):
        name = inputs.roots.shown(row.root, row.path)
        if isinstance(page, str):
            samples.unshown.append(Unshown(name, row.page, page))
            continue
        decision = (row.digit, row.confidence, row.status, row.reason)
        samples.shown.append(Sample(name, page.form, *decision, row.page))
    return samples


def load_rejected(
    by_reason: Mapping[str, Sequence[PictureRow]],
    inputs: Inputs,
    acquire: AcquireProcess | None = None,
    seconds: float = ALL_S,
) -> list[RejectedPage]:
    """Return rejected rows, some files of each reason with the picture of their first page.

    Args:
        by_reason: rows of the results table.
        inputs: where the paths lie.
        acquire: acquires a process that can decode, where there are some already.
        seconds: for all pictures; what takes longer is not shown.
    """
    rows = [row for some in by_reason.values() for row in in_order(some)]
    shown = [row for some in by_reason.values() for row in _first_pages(some)[:SHOWN_OF_A_REASON]]
    places = [(inputs.roots.path(row.root, row.path), row.page) for row in shown]
    pages = pages_at(inputs, places, acquire=acquire, thumbnails=True, seconds=seconds)
    pictures = {
        row: page.thumbnail
        for row, page in zip(shown, pages, strict=True)
        if isinstance(page, DecodedPage)
    }
    return [
        RejectedPage(
            inputs.roots.shown(row.root, row.path),
            row.page,
            row.reason,
            row.detail or "",
            pictures.get(row),
        )
        for row in rows
    ]


def in_order(rows: Sequence[PictureRow]) -> list[PictureRow]:
    """Return rows with the pages of a file one after another."""
    return sorted(rows, key=lambda row: (row.root, row.path, row.page))


def _first_pages(rows: Sequence[PictureRow]) -> list[PictureRow]:
    """Return one row of each file: its first that is a picture."""
    first: dict[tuple[str, str], PictureRow] = {}
    for row in in_order(rows):
        if row.kind is not None:
            first.setdefault((row.root, row.path), row)
    return list(first.values())


def pages_at(
    inputs: Inputs,
    places: Sequence[PageKey],
    *,
    acquire: AcquireProcess | None = None,
    thumbnails: bool = False,
    page_seconds: float = PAGE_S,
    seconds: float | None = ALL_S,
) -> list[DecodedPage | str]:
    """Return each page, or why it cannot be shown; a file is decoded once for all of its pages.

    Args:
        inputs: where the paths lie.
        places: of the pages.
        acquire: acquires a process that can decode, where there are some already.
        thumbnails: whether to make them, too.
        page_seconds: for one page of a file.
        seconds: for all of them; None: as long as each file may take.
    """
    by_path: dict[bytes, set[int]] = {}
    for path, page in places:
        by_path.setdefault(path, set()).add(page)
    requests = [PageRequest(path, tuple(sorted(pages))) for path, pages in by_path.items()]
    processes = PageProcesses(PageSettings(inputs, page_seconds, thumbnails), acquire)
    found: dict[PageKey, DecodedPage | str] = {}
    late = f"there was no time left of {seconds} s for all pictures"
    try:
        # asked for first, so that it comes to its end, and gives its process back
        for answer, request in zip(processes.decode(requests, seconds), requests, strict=False):
            for page in request.pages:
                there = answer.get(page, "the file has no such page any more")
                found[request.path, page] = there if isinstance(there, DecodedPage) else str(there)
    except DigitflowError as error:  # a report goes on without its pictures
        late = str(error)
    return [found.get(place, late) for place in places]
