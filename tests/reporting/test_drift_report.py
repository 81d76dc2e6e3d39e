"""What was read over time is shown source by source, whatever is missing."""

from collections import Counter
from datetime import date, timedelta

from tasks.metrics.audited_error import AuditedError
from tasks.monitoring.drift import Drift, PeriodFacts
from tasks.reporting.document import to_html, to_markdown
from tasks.reporting.drift_report import MOST_SOURCES, drift_report
from tests.reporting.rendered import HOSTILE, table

AUDIT = AuditedError(drawn=40, answers=30, wrong=1, error=0.03, low=0.001, high=0.2)


def week(review: int, audit: AuditedError | None = None) -> PeriodFacts:
    counts = Counter({"read": 100 - review, "review": review})
    return PeriodFacts(counts, Counter({1: 60, 7: 40}), 99.0, audit)


def drift_of(*weeks: PeriodFacts, source: str = "/scans") -> Drift:
    first = date(2026, 11, 2)
    return Drift(source, {first + n * timedelta(days=7): each for n, each in enumerate(weeks)})


def test_each_week_is_a_row_and_the_last_one_is_compared_with_all_before() -> None:
    report = drift_report([drift_of(week(10), week(10), week(30, AUDIT))], "week")
    assert report.lead == "300 pictures of 1 source, week by week."
    [section] = report.sections
    assert section.text == (
        "300 pictures. In the last week, from 2026-11-16 on: 30.0 % for review, 0.0 % rejected, "
        "mean confidence 99.0 %. Before: 10.0 % for review, 0.0 % rejected, mean confidence 99.0 %."
    )
    rows = table(report, "/scans")
    assert rows[0] == [
        *("2026-11-16", "70", "30", "0", "99.0 %", "30 of 40"),
        "3.00 % (0.10 % to 20.00 %)",
    ]
    assert [row[0] for row in rows] == ["2026-11-16", "2026-11-09", "2026-11-02"]
    titles = [figure.title for figure in section.figures]
    assert titles[-1] == "Error that people found, with its 95 % interval, by week"


def test_charts_are_there_only_for_what_is_known() -> None:
    unanswered = AuditedError(drawn=4, answers=0, wrong=0, error=None, low=0.0, high=1.0)
    [section] = drift_report([drift_of(week(10, unanswered))], "week").sections
    assert len(section.figures) == 3
    with_control = week(10)
    with_control.controls, with_control.controls_right = 100, 99
    [section] = drift_report([drift_of(with_control, PeriodFacts())], "month").sections
    assert section.figures[-1].title == "Control digits that were right by month"


def test_any_source_and_any_gap_can_be_shown() -> None:
    report = drift_report([drift_of(week(1), PeriodFacts(), week(2), source=HOSTILE)], "day")
    assert "<script>" not in to_html(report) + to_markdown(report)
    assert drift_report([], "week").lead == "Nothing was read in this time."


def test_of_many_sources_those_with_most_pictures_are_shown() -> None:
    many = [drift_of(week(1), source=f"/scans/{n}") for n in range(MOST_SOURCES + 3)]
    report = drift_report(many, "week")
    assert len(report.sections) == MOST_SOURCES
    assert "3 more sources are left out" in report.lead
