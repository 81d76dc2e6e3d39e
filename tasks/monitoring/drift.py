"""What was read of each source over time: outcomes, digits, confidence, and the error people found.

A picture counts in the period in which it was read, each time that it was read. People's answers
are no readings.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.metrics.audited_error import AuditedError
from tasks.monitoring.audit import Period, audited
from tasks.outcomes import Status
from tasks.results import table as results

REVIEWS = "review-"  # what the runs of people's answers are called by

_COLUMNS = ["root", "read_at", "status", "digit", "confidence"]
_GROUP = ["root", "period", "status", "digit"]


@dataclass
class PeriodFacts:
    """What was read of a source in one period."""

    statuses: Counter[str] = field(default_factory=Counter)
    digits: Counter[int] = field(default_factory=Counter)  # read, or for review
    confidence: float = 0.0  # the sum of those
    audit: AuditedError | None = None  # None: nothing was drawn
    controls: int = 0  # digits with known answers that were drawn in the look of its batches
    controls_right: int = 0

    @property
    def control(self) -> float | None:
        """Return the share of the control digits that were right; None: there are none."""
        return self.controls_right / self.controls if self.controls else None

    @property
    def found(self) -> int:
        """Return how many pictures were found."""
        return self.statuses.total()

    def share(self, status: Status) -> float | None:
        """Return the share of pictures with a status; None: there are no pictures."""
        return self.statuses[status] / self.found if self.found else None

    def share_of(self, digit: int) -> float | None:
        """Return the share of a digit among those that were found; None: there are none."""
        return self.digits[digit] / self.digits.total() if self.digits else None

    @property
    def mean_confidence(self) -> float | None:
        """Return the mean confidence in what was read or is for review; None: there is none."""
        return self.confidence / self.digits.total() if self.digits else None


@dataclass(frozen=True)
class Drift:
    """What was read of one source, period by period, from the first to the last one."""

    source: str
    periods: dict[date, PeriodFacts]  # by their first day, in order; empty ones between

    def add_controls(self, at: datetime, by: Period, drawn: int, right: int) -> None:
        """Count the control digits of a batch in its period, if that is among these."""
        if facts := self.periods.get(_start(at, by)):
            facts.controls += drawn
            facts.controls_right += right

    @property
    def found(self) -> int:
        """Return how many pictures were found."""
        return sum(period.found for period in self.periods.values())


def drift(table: str, since: datetime, by: Period, source: str = "") -> list[Drift]:
    """Return what was read of each source, those with most pictures first.

    The table is looked at twice, a few rows at a time: for what was read, and for what was drawn.

    Args:
        table: folder or URL of the results.
        since: what was read earlier is left out.
        by: which periods.
        source: only sources whose name contains it.

    Raises:
        DigitflowError: the table cannot be read.
    """
    found = dict[str, dict[date, PeriodFacts]]()
    if results.is_table(table):
        for row in _counts(table, since, by, source):
            periods = found.setdefault(row["root"], {})
            _add(periods.setdefault(row["period"].date(), PeriodFacts()), row)
        for each in audited(table, since, list(found), by, by_model=False) if found else ():
            if each.period in found[each.source]:
                found[each.source][each.period].audit = each.found
    drifts = [Drift(name, dict(_without_gaps(periods, by))) for name, periods in found.items()]
    return sorted(drifts, key=lambda each: (-each.found, each.source))


def _counts(table: str, since: datetime, by: Period, source: str) -> Iterator[dict[str, Any]]:
    def wanted(text: results.Text) -> pc.Expression:
        chosen = results.COUNTS & (pc.field("read_at") >= pa.scalar(since))
        chosen &= pc.field("answered_by").is_null() & ~pc.starts_with(text("run_id"), REVIEWS)
        return chosen & pc.match_substring(text("root"), source) if source else chosen

    for batch in results.scan(table, _COLUMNS, wanted):
        rows = pa.Table.from_batches([batch])
        rows = rows.append_column("period", pc.floor_temporal(rows["read_at"], unit=by))
        counts = rows.group_by(_GROUP).aggregate([([], "count_all"), ("confidence", "sum")])
        yield from counts.to_pylist()


def _add(period: PeriodFacts, counted: dict[str, Any]) -> None:
    period.statuses[counted["status"]] += counted["count_all"]
    if counted["digit"] is not None:
        period.digits[counted["digit"]] += counted["count_all"]
        period.confidence += counted["confidence_sum"] or 0.0


def _without_gaps(
    periods: dict[date, PeriodFacts], by: Period
) -> Iterator[tuple[date, PeriodFacts]]:
    """Yield all periods from the first to the last one, also those in which nothing was read."""
    at, last = min(periods), max(periods)
    while at <= last:
        yield at, periods.get(at, PeriodFacts())
        at = _next(at, by)


def _start(at: datetime, by: Period) -> date:
    day = at.astimezone(UTC).date()
    if by == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday() if by == "week" else 0)


def _next(start: date, by: Period) -> date:
    if by == "month":
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=7 if by == "week" else 1)
