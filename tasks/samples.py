"""Pictures of rows that were read, opened again in their canonical form, for people to look at."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from tasks.canonical import canonical
from tasks.decode import Picture, Undecodable, pages
from tasks.inputs import Inputs, unprintable
from tasks.reading_report import Sample


def opened(rows: Iterable[Mapping[str, Any]], inputs: Inputs) -> list[Sample]:
    """Return rows with their pictures, without those that are not there any more.

    Args:
        rows: of the results table, with path, page, status, reason, digit and confidence.
        inputs: where the paths lie.
    """
    samples = (_opened(row, inputs) for row in rows)
    return [sample for sample in samples if sample is not None]


def opened_again(inputs: Inputs, path: bytes, page: int) -> Picture | None:
    """Return a page of a file that was read before, or None when it is not there any more."""
    try:
        data = inputs.read(path).data
    except Undecodable:
        return None
    picture = next(itertools.islice(pages(data), page, None), None)
    return picture if isinstance(picture, Picture) else None


def _opened(row: Mapping[str, Any], inputs: Inputs) -> Sample | None:
    picture = opened_again(inputs, unprintable(row["path"]), row["page"])
    if picture is None:
        return None
    return Sample(
        path=row["path"],
        picture=canonical(picture.pixels, picture.side, picture.colour)[0],
        digit=row["digit"],
        confidence=row["confidence"],
        status=row["status"],
        reason=row["reason"],
    )
