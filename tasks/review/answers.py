"""What people have said of pictures, into the results: a row each, that counts from then on.

The probabilities and the confidence stay those of the model, whose answer is kept beside that of
the person. All pages of a file are committed together, for its current rows are those of one
commit. An answer holds for the very content that was looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.outcomes import STATUSES, Reason
from tasks.results.commit import WriterContext, commit_changed, make_table
from tasks.results.schema import PROBABILITIES
from tasks.results.table import RANK, Query, current_rows, ranks, select
from tasks.review.queue import PictureKey

NO_DIGIT, SEVERAL = "no digit", "several"
REASONS = {
    **{str(digit): Reason.ANSWERED for digit in range(10)},
    NO_DIGIT: Reason.NOT_A_DIGIT,
    SEVERAL: Reason.SEVERAL_DIGITS,
}  # of what a person may say
BY_A_PERSON = "a person said so"
TOGETHER = 1_000  # pictures whose answers are committed at once

Row = Mapping[str, Any]
Signature = tuple[str, datetime]  # who said it, and when: no two answers have the same


@dataclass(frozen=True)
class Answer:
    """What a person said of a picture."""

    picture: PictureKey
    content_hash: str | None  # of the file that was looked at
    said: str  # one of REASONS
    by: str
    at: datetime

    @property
    def digit(self) -> int | None:
        """Return the digit; None: it is none, or several."""
        return int(self.said) if REASONS[self.said] == Reason.ANSWERED else None

    @property
    def signature(self) -> Signature:
        """Return what no other answer has."""
        return self.by, self.at


@dataclass(frozen=True)
class Wanted:
    """What the row of a picture is to say."""

    answer: Answer | None  # None: what it said before
    ours: frozenset[Signature]  # answers that this may take the place of


@dataclass
class Settled:
    """What became of answers."""

    rows: list[Row] = field(default_factory=list)  # that say something else now
    already: list[Row] = field(default_factory=list)  # that said so before
    left: dict[PictureKey, str] = field(default_factory=dict)  # that stay as they are, and why


def settle(table: str, run_id: str, wanted: Mapping[PictureKey, Wanted]) -> Settled:
    """Commit what people have said; what the rows say already is not said again.

    Args:
        table: folder or URL of the results.
        run_id: names the commits and their rows.
        wanted: of each picture.

    Raises:
        DigitflowError: the table cannot be read or written.
    """
    version = make_table(table)  # with all columns of today
    done = Settled()
    keys = sorted(wanted)
    for start in range(0, len(keys), TOGETHER):
        some = {key: wanted[key] for key in keys[start : start + TOGETHER]}
        root, *more = sorted({key.root for key in some})
        writer = WriterContext(table, root, run_id, version, more=tuple(more))
        change = _Change(table, run_id, some)
        commit_changed(change.rows, writer)
        done.rows += change.settled.rows
        done.already += change.settled.already
        done.left |= change.settled.left
    return done


class _Change:
    """Makes the rows of files of which something is said."""

    def __init__(self, table: str, run_id: str, wanted: Mapping[PictureKey, Wanted]) -> None:
        self._table, self._run_id, self._wanted = table, run_id, wanted
        self.settled = Settled()

    def rows(self) -> pa.Table:
        """Return the rows of whole files as they are to be; none of those that stay as they are."""
        self.settled = Settled()
        names = sorted({(key.root, key.path) for key in self._wanted})
        files = pa.table(dict(zip(("root", "path"), _columns(names), strict=True)))
        rows = current_rows(self._table, files)
        found = rows.select(_NEEDED).to_pylist()
        changes = dict(self._changes(found))
        changed = {(found[at]["root"], found[at]["path"]) for at in changes}
        for at, values in changes.items():
            self.settled.rows.append(found[at] | values | {"run_id": self._run_id})
        values_of = [
            row | changes.get(at, {}) | {"run_id": self._run_id} for at, row in enumerate(found)
        ]
        for name in _CHANGED:
            index = rows.column_names.index(name)
            field = rows.schema.field(index)
            column = pa.array([values[name] for values in values_of], field.type)
            rows = rows.set_column(index, field, column)
        of_them = [(row["root"], row["path"]) in changed for row in found]
        return rows.filter(pa.array(of_them, pa.bool_()))

    def _changes(self, found: Sequence[Row]) -> Iterator[tuple[int, Row]]:
        """Yield the places of the rows that change, and what they will say."""
        places = {key_of(row): at for at, row in enumerate(found)}
        for key, wanted in self._wanted.items():
            at = places.get(key)
            if at is None:
                self.settled.left[key] = "it is not in the results any more"
                continue
            row = found[at]
            signed = (row["answered_by"], row["answered_at"]) if row["answered_by"] else None
            if signed == (wanted.answer and wanted.answer.signature):
                self.settled.already.append(row)
            elif wanted.answer is None:
                if signed in wanted.ours and (before := self._before(key)):
                    yield at, {name: before[name] for name in _CHANGED}
            elif why := _obstacle(row, signed, wanted):
                self.settled.left[key] = why
            else:
                yield at, _answered(row, wanted.answer)

    def _before(self, key: PictureKey) -> Row | None:
        """Return the last row of a picture that was the model's, from the history."""
        query = Query(key.root, paths=pa.array([key.path], pa.string()), history=True)
        rows = select(self._table, query)
        rows = rows.append_column(RANK, ranks(rows))
        of_model = (
            (pc.field("page") == key.page)
            & pc.field("answered_by").is_null()
            & pc.field("taken_back").is_null()
        )
        last = rows.filter(of_model).sort_by([(RANK, "descending")]).slice(0, 1)
        return next(iter(last.select(_NEEDED).to_pylist()), None)


_CHANGED = [
    *("status", "reason", "detail", "digit", "error_bound", "run_id"),
    *("answered_by", "answered_at", "model_status", "model_digit"),
]
_NEEDED = [
    *("root", "path", "page", "content_hash", "model_version", "read_at", "audit"),
    "original",
    *PROBABILITIES,
    *_CHANGED,
]


def key_of(row: Row) -> PictureKey:
    """Return which picture a row is of."""
    return PictureKey(row["root"], row["path"], row["page"])


def _obstacle(row: Row, signed: Signature | None, wanted: Wanted) -> str | None:
    """Return why a row may not say what a person said; None: it may."""
    assert wanted.answer  # noqa: S101 - that is to be said
    if signed and signed not in wanted.ours:
        return f"{signed[0]} has answered meanwhile"
    if row["content_hash"] != wanted.answer.content_hash:
        return "the file was changed and read again meanwhile"
    return None


def _answered(row: Row, answer: Answer) -> Row:
    reason = REASONS[answer.said]
    model = {
        "model_status": row["model_status"] or row["status"],
        "model_digit": row["model_digit"] if row["model_status"] else _argmax(row),
    }
    return {
        **model,
        "status": STATUSES[reason].value,
        "reason": reason.value,
        "detail": None if reason == Reason.ANSWERED else BY_A_PERSON,
        "digit": answer.digit,
        "answered_by": answer.by,
        "answered_at": answer.at,
    }


def _argmax(row: Row) -> int | None:
    """Return the digit that the model took for the likeliest, if it had any."""
    numbers = [row[name] for name in PROBABILITIES]
    return None if None in numbers else int(np.argmax(numbers))


def _columns(names: Sequence[tuple[str, str]]) -> list[pa.Array]:
    return [pa.array(column, pa.string()) for column in zip(*names, strict=True)]
