"""What was read of each source over time, as charts: what drifts is seen, and what people found."""

import math
from collections.abc import Sequence
from datetime import date

from tasks.metrics.audited_error import AuditedError
from tasks.monitoring.audit import Period
from tasks.monitoring.drift import Drift, PeriodFacts
from tasks.outcomes import Status
from tasks.reporting.document import Report, Section, Table, percent, plural
from tasks.reporting.svg import SECOND, Figure, Line, line_chart, share_map

MOST_SOURCES = 8  # shown, those with most pictures
MOST_DATES = 6  # written below a chart
LEAST_SPAN = 1.0  # percent from the top of a chart to its bottom
DIGITS = range(10)


def drift_report(drifts: Sequence[Drift], by: Period, note: str = "") -> Report:
    """Return charts and figures of each source.

    Args:
        drifts: those with most pictures first.
        by: the period of theirs.
        note: when it was written.
    """
    left_out = len(drifts) - MOST_SOURCES
    more = f" {plural(left_out, 'more source')} are left out." if left_out > 0 else ""
    found = sum(each.found for each in drifts)
    lead = f"{plural(found)} of {plural(len(drifts), 'source')}, {by} by {by}.{more}"
    return Report(
        title="What was read over time",
        lead=lead if drifts else "Nothing was read in this time.",
        sections=[_section(each, by) for each in drifts[:MOST_SOURCES]],
        note=note,
    )


def _section(drift: Drift, by: Period) -> Section:
    days, periods = list(drift.periods), list(drift.periods.values())
    return Section(
        drift.source,
        f"{plural(drift.found)}. {_last(days, periods, by)}",
        _table(days, periods, by),
        _figures([_named(day, by) for day in days], periods, by),
    )


def _last(days: Sequence[date], periods: Sequence[PeriodFacts], by: Period) -> str:
    """Return the last period beside all those before it, in words."""
    last, before = periods[-1], _together(periods[:-1])
    said = f"In the last {by}, from {days[-1]} on: {_in_words(last)}."
    return f"{said} Before: {_in_words(before)}." if before.found else said


def _in_words(facts: PeriodFacts) -> str:
    return (
        f"{percent(facts.share(Status.REVIEW), 1)} for review, "
        f"{percent(facts.share(Status.REJECTED), 1)} rejected, "
        f"mean confidence {percent(facts.mean_confidence, 1)}"
    )


def _together(periods: Sequence[PeriodFacts]) -> PeriodFacts:
    whole = PeriodFacts()
    for each in periods:
        whole.statuses.update(each.statuses)
        whole.digits.update(each.digits)
        whole.confidence += each.confidence
    return whole


def _figures(places: Sequence[str], periods: Sequence[PeriodFacts], by: Period) -> list[Figure]:
    below = f"{by} of reading"

    def chart(title: str, name: str, *lines: Line) -> Figure:
        return line_chart(f"{title} by {by}", name, places, lines, below, MOST_DATES, LEAST_SPAN)

    figures = [
        chart(
            "Share for review and share rejected",
            "Not read, %",
            Line("review", _percents([each.share(Status.REVIEW) for each in periods])),
            Line("rejected", _percents([each.share(Status.REJECTED) for each in periods]), SECOND),
        ),
        chart(
            "Mean confidence",
            "Mean confidence, %",
            Line("confidence", _percents([each.mean_confidence for each in periods])),
        ),
        share_map(
            f"Mix of digits by {by}",
            "Mix of digits",
            places,
            {str(n): [_or_gap(each.share_of(n)) for each in periods] for n in DIGITS},
            below,
        ),
    ]
    if any(each.audit and each.audit.answers for each in periods):
        audits = [each.audit for each in periods]
        errors = _percents([audit.error if audit else None for audit in audits])
        line = Line("error", errors, SECOND, [_interval(audit) for audit in audits])
        title = "Error that people found, with its 95 % interval,"
        figures.append(chart(title, "Audited error, %", line))
    if any(each.control is not None for each in periods):
        right = Line("right", _percents([each.control for each in periods]))
        figures.append(chart("Control digits that were right", "Control digits, % right", right))
    return figures


def _table(days: Sequence[date], periods: Sequence[PeriodFacts], by: Period) -> Table:
    rows = []
    for day, facts in reversed(list(zip(days, periods, strict=True))):
        audit = facts.audit
        answered = audit if audit and audit.answers else None
        rows.append(
            (
                f"{day:%Y-%m}" if by == "month" else f"{day}",
                *(f"{facts.statuses[status]:,}" for status in Status),
                percent(facts.mean_confidence, 1),
                f"{audit.answers:,} of {audit.drawn:,}" if audit else "",
                _found(answered) if answered else "",
            )
        )
    columns = (by.capitalize(), "Read", "Review", "Rejected", "Confidence", "Answers", "Error")
    return Table(columns, rows)


def _found(audit: AuditedError) -> str:
    return f"{percent(audit.error)} ({percent(audit.low)} to {percent(audit.high)})"


def _interval(audit: AuditedError | None) -> tuple[float, float]:
    if audit is None or not audit.answers:
        return math.nan, math.nan
    return 100 * audit.low, 100 * audit.high


def _named(day: date, by: Period) -> str:
    return f"{day:%Y-%m}" if by == "month" else f"{day.day} {day:%b}"


def _percents(shares: Sequence[float | None]) -> list[float]:
    return [100 * _or_gap(share) for share in shares]


def _or_gap(share: float | None) -> float:
    return math.nan if share is None else share
