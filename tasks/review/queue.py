"""What waits for a person: what is in review, and among it, unmarked, what was drawn for the audit.

Who looks must not see which is which: both stand where their paths are, in one order, and their
reasons are told in the same words where the model was unsure or was only to be checked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tasks.imaging.form import in_words
from tasks.outcomes import MEANINGS, Reason, Status
from tasks.results.schema import PROBABILITIES
from tasks.results.table import (
    COUNTS,
    RANKED_BY,
    Condition,
    Text,
    current,
    file_names,
    of_roots,
    of_run,
    scan,
)
from tasks.review.as_read import PageAsRead

TO_BE_CHECKED = "is it the likeliest digit?"  # of what is unsure, and of the audit
CHECKED = {Reason.OK, Reason.LOW_CONFIDENCE}  # reasons that are told so

_FILE = ["root", "path"]


class PictureKey(NamedTuple):
    """Which picture of the results it is."""

    root: str
    path: str  # printable, below the root
    page: int


@dataclass(frozen=True)
class Choice:
    """Which of what waits is looked at; None: all."""

    reason: str | None = None  # as it is shown
    source: str | None = None  # root
    run: str | None = None

    def has(self, place: "Choice") -> bool:
        """Tell whether what is of this reason, source and run is among them."""
        return (
            self.reason in (None, place.reason)
            and self.source in (None, place.source)
            and self.run in (None, place.run)
        )


EVERYTHING = Choice()


@dataclass(frozen=True)
class WaitingPicture:
    """A picture that waits, as its current row has it."""

    root: str
    path: str
    page: int
    content_hash: str | None
    reason: str
    probabilities: tuple[float, ...]  # of 0 to 9; none: the model gave no answer
    doubts: str | None
    run_id: str
    original: str | None

    @property
    def key(self) -> PictureKey:
        """Return which picture it is."""
        return PictureKey(self.root, self.path, self.page)

    @property
    def as_read(self) -> PageAsRead:
        """Return the page that is looked at."""
        return PageAsRead(*self.key, self.content_hash, self.original)

    @property
    def shown_reason(self) -> str:
        """Return the reason code under which it is shown and chosen."""
        return Reason.LOW_CONFIDENCE if self.reason in CHECKED else self.reason

    @property
    def place(self) -> Choice:
        """Return all that it can be chosen by."""
        return Choice(self.shown_reason, self.root, self.run_id)

    @property
    def words(self) -> str:
        """Return why it waits, in words."""
        told = TO_BE_CHECKED if self.reason in CHECKED else MEANINGS[Reason(self.reason)]
        doubts = in_words(self.doubts or "")
        return f"{told}: {doubts}" if doubts else told

    def likeliest(self, count: int) -> list[tuple[int, float]]:
        """Return digits with their probabilities, the likeliest first."""
        ordered = sorted(enumerate(self.probabilities), key=lambda pair: -pair[1])
        return ordered[:count]


def waiting(table: str, choice: Choice = EVERYTHING) -> list[WaitingPicture]:
    """Return what waits, by source, run and path.

    What a run has read is still its own where only the row was decided again since.

    Args:
        table: folder or URL of the results.
        choice: which of it.

    Raises:
        InputError: there is no table yet.
        DigitflowError: it cannot be read.
    """

    def ever(text: Text) -> pc.Expression:
        of_audit = pc.field("audit").is_valid() & text("answered_by").is_null()
        wanted = COUNTS & ((text("status") == Status.REVIEW.value) | of_audit)
        return wanted & of_roots([choice.source], text) if choice.source else wanted

    # files that ever waited are few where the table is large
    paths = _names(table, ever)["path"].unique()
    if not len(paths):
        return []
    columns = [*_COLUMNS, "status", "audit", "answered_by", *PROBABILITIES, *RANKED_BY]
    batches = scan(table, columns, lambda text: COUNTS & text("path").isin(paths))
    rows = current(_together(batches, columns))
    in_review = pc.equal(rows["status"], Status.REVIEW.value)
    unanswered = pc.and_(pc.is_valid(rows["audit"]), pc.is_null(rows["answered_by"]))
    rows = rows.filter(pc.or_(in_review, unanswered))
    if choice.run:
        of_it = file_names(_names(table, of_run(choice.run))).combine_chunks()
        rows = rows.filter(pc.is_in(file_names(rows), value_set=of_it))
    ordered = rows.sort_by([(name, "ascending") for name in ("root", "run_id", "path", "page")])
    chosen = Choice(choice.reason, choice.source)
    return [picture for picture in _pictures(ordered) if chosen.has(picture.place)]


_COLUMNS = [field.name for field in fields(WaitingPicture) if field.name != "probabilities"]


def _pictures(rows: pa.Table) -> Iterator[WaitingPicture]:
    for row in rows.select([*_COLUMNS, *PROBABILITIES]).to_pylist():
        numbers = [row.pop(name) for name in PROBABILITIES]
        yield WaitingPicture(**row, probabilities=() if None in numbers else tuple(numbers))


def _names(table: str, wanted: Condition) -> pa.Table:
    return _together(scan(table, _FILE, wanted), _FILE)


def _together(batches: Iterator[pa.RecordBatch], columns: list[str]) -> pa.Table:
    found = [pa.Table.from_batches([batch]) for batch in batches]
    nothing = pa.table({name: pa.nulls(0, pa.string()) for name in columns})
    return pa.concat_tables(found) if found else nothing
