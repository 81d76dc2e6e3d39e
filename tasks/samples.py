"""A few pictures of a run, opened again in their canonical form, for people to look at."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.canonical import canonical
from tasks.decode import Undecodable, pages
from tasks.reading_report import Sample
from tasks.reasons import Status

LEAST_SURE = 20  # pictures of review, and of the least sure readings
EVENLY_SPREAD = 40  # pictures that were read, from the whole run


def choose_samples(rows: pa.Table, root: Path) -> list[Sample]:
    """Return the least sure pictures of a run and some from all over it.

    Args:
        rows: of the results table, with path, page, status, reason, digit and confidence.
        root: the folder that the paths are relative to.
    """
    with_digit = rows.filter(pc.field("status") != Status.REJECTED)
    doubtful = with_digit.sort_by("confidence").slice(0, LEAST_SURE)
    step = max(1, with_digit.num_rows // EVENLY_SPREAD)
    evenly = range(0, with_digit.num_rows, step)[:EVENLY_SPREAD]
    spread = with_digit.take(pa.array(evenly, pa.int64()))
    chosen = {(row["path"], row["page"]): row for row in doubtful.to_pylist() + spread.to_pylist()}
    samples = (_opened(root, row) for row in chosen.values())
    return [sample for sample in samples if sample is not None]


def opened_again(path: Path, page: int) -> NDArray[np.uint8] | None:
    """Return a page of a file that was read before, or None when it is not there any more."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    picture = next(itertools.islice(pages(data), page, None), None)
    return None if isinstance(picture, Undecodable) else picture


def _opened(root: Path, row: dict[str, Any]) -> Sample | None:
    """Return a row with its picture, or None when the file is not there any more."""
    picture = opened_again(root / row["path"], row["page"])
    if picture is None:
        return None
    return Sample(
        path=row["path"],
        picture=canonical(picture)[0],
        digit=row["digit"],
        confidence=row["confidence"],
        status=row["status"],
        reason=row["reason"],
    )
