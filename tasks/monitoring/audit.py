"""The error on what really came, model by model and source by source, from people's answers.

A row that was drawn for the audit holds how probably it was; a person's answer to it is a later row
of the same picture. Later readings of that picture, by other models, change nothing of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.metrics.audit_sample import confidence_bands
from tasks.metrics.audited_error import AuditedError, audited_error
from tasks.outcomes import Status
from tasks.results import table as results
from tasks.results.schema import SCHEMA

Period = Literal["month", "week", "day"]

_PICTURE = ["root", "path", "page", "size", "mtime_ns", "model_version"]
_OF_THE_DRAW = ["audit", "confidence", "read_at"]  # as the picture was drawn
_OF_THE_ANSWER = [
    "status",
    "digit",
    "answered_by",
    "model_status",
    "model_digit",
]  # by the last row
_GROUP = ["model_version", "root", "period"]
_WITH_NULLS = pc.ScalarAggregateOptions(skip_nulls=False)


@dataclass(frozen=True)
class Audited:
    """What the answers show of the error of one model on one source."""

    model: str
    source: str
    period: date | None  # its first day; None: all that was looked at
    last: datetime  # when the last picture of the sample was read
    found: AuditedError


def audited(
    table: str,
    since: datetime,
    sources: Sequence[str] = (),
    by: Period | None = None,
    by_model: bool = True,
) -> list[Audited]:
    """Return what people's answers show, the latest read first.

    The table is read once; what is kept of it are the rows that were drawn.

    Args:
        table: folder or URL of the results.
        since: what was read earlier is left out.
        sources: these alone; none: all.
        by: period of reading, for each of which by itself.
        by_model: each model by itself; otherwise all together, which are called by no name.

    Raises:
        DigitflowError: the table cannot be read.
    """
    if not results.is_table(table):
        return []
    pictures = _pictures(_drawn(table, since, sources))
    start = pictures["read_at"]
    starts = pc.floor_temporal(start, unit=by) if by else pa.nulls(len(start), start.type)
    pictures = pictures.append_column("period", starts)
    if not by_model:
        place = pictures.column_names.index("model_version")
        pictures = pictures.set_column(place, "model_version", pa.repeat("", len(start)))
    groups = [_audited(group) for group in _groups(pictures)]
    return sorted(groups, key=lambda each: (each.last, each.model, each.source), reverse=True)


def _drawn(table: str, since: datetime, sources: Sequence[str]) -> pa.Table:
    """Return all rows of pictures that were drawn, in the order in which they were committed."""

    def wanted(text: results.Text) -> pc.Expression:
        chosen = pc.field("audit").is_valid() & (pc.field("read_at") >= pa.scalar(since))
        return results.COUNTS & (chosen & results.of_roots(sources, text) if sources else chosen)

    columns = [*_PICTURE, *_OF_THE_DRAW, *_OF_THE_ANSWER, "commit_version"]
    batches = [pa.Table.from_batches([each]) for each in results.scan(table, columns, wanted)]
    if not batches:
        batches = [SCHEMA.empty_table().select(columns)]
    rows = pa.concat_tables(batches, promote_options="permissive")
    return rows.append_column(results.RANK, results.ranks(rows)).sort_by(results.RANK)


def _pictures(rows: pa.Table) -> pa.Table:
    """Return one row for each picture and model: how it was drawn, and what was answered.

    What was drawn as read and is not any more, since another error is accepted, is left out; so is
    an answer to what was drawn before the rows that were looked at.
    """
    firsts = [(name, "first", _WITH_NULLS) for name in (*_OF_THE_DRAW, "answered_by")]
    lasts = [(name, "last", _WITH_NULLS) for name in _OF_THE_ANSWER]
    pictures = rows.group_by(_PICTURE, use_threads=False).aggregate([*firsts, *lasts])
    since_drawn = pictures.filter(pictures["answered_by_first"].is_null())
    names = {name: name for name in _PICTURE}
    names |= {f"{name}_first": name for name in _OF_THE_DRAW}
    names |= {f"{name}_last": name for name in _OF_THE_ANSWER}
    found = since_drawn.select(list(names)).rename_columns(list(names.values()))
    of_model = pc.coalesce(found["model_status"], found["status"])
    return found.filter(pc.equal(of_model, Status.READ))


def _groups(pictures: pa.Table) -> Iterator[pa.Table]:
    ordered = pictures.sort_by([(name, "ascending") for name in _GROUP])
    counts = ordered.group_by(_GROUP, use_threads=False).aggregate([([], "count_all")])
    at = 0
    for count in counts["count_all"].to_pylist():
        yield ordered.slice(at, count)
        at += count


def _audited(group: pa.Table) -> Audited:
    answered = _bools(group["answered_by"].is_valid())
    right = pc.and_(
        pc.equal(group["status"], Status.READ), pc.equal(group["digit"], group["model_digit"])
    )
    first = group.slice(0, 1).to_pylist()[0]
    return Audited(
        model=first["model_version"],
        source=first["root"],
        period=first["period"] and first["period"].date(),
        last=pc.max(group["read_at"]).as_py(),
        found=audited_error(
            group["audit"].to_numpy(),
            confidence_bands(group["confidence"].to_numpy()),
            answered,
            ~_bools(pc.fill_null(right, False)),
        ),
    )


def _bools(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(column.to_numpy(), bool)
