"""What a row of the results says of one picture, for those who show it."""

from dataclasses import dataclass, fields

import pyarrow as pa


@dataclass(frozen=True)
class PictureRow:
    """One picture, as it was found, and what became of it."""

    root: str
    path: str  # printable, below the root
    page: int
    status: str
    reason: str
    detail: str | None
    digit: int | None  # None: rejected
    confidence: float | None
    kind: str | None = None  # None: no picture came of it, or an earlier digitflow read it


COLUMNS = [field.name for field in fields(PictureRow)]


def picture_rows(rows: pa.Table) -> list[PictureRow]:
    """Return the rows of a table that has these columns, in its order."""
    return [PictureRow(**row) for row in rows.select(COLUMNS).to_pylist()]
