"""What was read of each source over time is counted where it was read, and nowhere else."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tasks.monitoring.drift import drift
from tasks.outcomes import Status
from tests.monitoring.test_audit import add, answered, drawn
from tests.results.test_table import read_row, rejected_row, store

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = datetime(2026, 1, 7, 12, tzinfo=UTC)  # a Wednesday
WEEK = timedelta(days=7)


@pytest.fixture
def table(tmp_path: Path) -> str:
    return str(tmp_path / "results")


def test_where_nothing_was_read_there_is_nothing(table: str) -> None:
    assert drift(table, SINCE, "week") == []
    store(table, read_row("a.png", read_at=SINCE - WEEK))
    assert drift(table, SINCE, "week") == []


def test_outcomes_digits_and_confidence_stand_in_their_week(table: str) -> None:
    store(
        table,
        read_row("a.png", read_at=FIRST, confidence=1.0),
        read_row("b.png", read_at=FIRST, status="review", digit=8, confidence=0.5),
        rejected_row("c.png") | {"read_at": FIRST},
        read_row("d.png", read_at=FIRST + WEEK),
    )
    [found] = drift(table, SINCE, "week")
    assert (found.source, found.found) == ("/pictures", 4)
    assert list(found.periods) == [date(2026, 1, 5), date(2026, 1, 12)]
    first = found.periods[date(2026, 1, 5)]
    assert [first.share(status) for status in Status] == [pytest.approx(1 / 3)] * 3
    assert (first.digits, first.mean_confidence) == ({3: 1, 8: 1}, 0.75)
    assert (first.share_of(8), first.share_of(0)) == (0.5, 0.0)


def test_weeks_without_a_picture_are_there_and_have_no_shares(table: str) -> None:
    store(table, read_row("a.png", read_at=FIRST), read_row("b.png", read_at=FIRST + 3 * WEEK))
    [found] = drift(table, SINCE, "week")
    between = list(found.periods.values())[1]
    assert (len(found.periods), between.found, between.mean_confidence) == (4, 0, None)
    assert between.share(Status.READ) is None
    [by_month] = drift(table, SINCE, "month")
    assert list(by_month.periods) == [date(2026, 1, 1)]
    [by_day] = drift(table, SINCE, "day")
    assert len(by_day.periods) == 22


def test_answers_are_no_readings_and_what_was_taken_back_is_none_either(table: str) -> None:
    row = drawn("a.tif", read_at=FIRST)
    page = read_row("a.tif", page=1, read_at=FIRST)
    store(table, row, page, read_row("b.png", read_at=FIRST, taken_back="ada: wrong folder"))
    add(table, answered(row, 8, read_at=FIRST + WEEK), page | {"run_id": "review-1"})
    [found] = drift(table, SINCE, "week")
    assert found.found == 2
    [only] = found.periods.values()
    assert only.audit
    assert (only.audit.answers, only.audit.wrong) == (1, 1)


def test_sources_are_told_apart_and_can_be_chosen_by_a_part_of_their_name(table: str) -> None:
    store(table, read_row("a.png", read_at=FIRST))
    both = [read_row(f"{n}.png", "run-2", root="/scans/b", read_at=FIRST) for n in range(2)]
    store(table, *both, shard=1)
    assert [each.source for each in drift(table, SINCE, "week")] == ["/scans/b", "/pictures"]
    assert [each.source for each in drift(table, SINCE, "week", "scans")] == ["/scans/b"]


def test_models_are_counted_together(table: str) -> None:
    rows = [drawn("a.png", read_at=FIRST), drawn("b.png", read_at=FIRST, model_version="n")]
    store(table, *rows)
    add(table, answered(rows[0], 8), answered(rows[1], 3))
    [found] = drift(table, SINCE, "week")
    [only] = found.periods.values()
    assert only.audit
    assert only.audit.error == pytest.approx(0.5)


def test_control_digits_count_in_the_period_of_their_batch_if_something_was_read_in_it(
    table: str,
) -> None:
    store(table, read_row("a.png", read_at=FIRST))
    [found] = drift(table, SINCE, "week")
    for at, right in ((FIRST, 9), (FIRST + timedelta(days=4), 8), (FIRST + WEEK, 0)):
        found.add_controls(at, "week", 10, right)
    [only] = found.periods.values()
    assert (only.controls, only.control) == (20, 0.85)
    [by_month] = drift(table, SINCE, "month")
    by_month.add_controls(FIRST + WEEK, "month", 10, 5)
    assert [each.control for each in by_month.periods.values()] == [0.5]
