"""What people's answers show of the error, as it stands in the rows of the results table."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from tasks.monitoring.audit import audited
from tasks.monitoring.drift import drift
from tasks.results.commit import commit, writer_of
from tasks.results.compact import compact
from tests.results.test_other_writers import delete, merge, update
from tests.results.test_table import read_row, store, table_of

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
AT = datetime(2026, 1, 20, tzinfo=UTC)


def drawn(path: str, run: str = "run-1", **changes: Any) -> dict[str, Any]:
    given = {"audit": 0.1, "confidence": 0.999, "read_at": AT}
    return read_row(path, run, **given | changes)


def answered(row: dict[str, Any], digit: int | None, **changes: Any) -> dict[str, Any]:
    """Return the row of a person's answer; None: it is no digit."""
    said = {"status": "read", "reason": "answered", "digit": digit}
    if digit is None:
        said = {"status": "rejected", "reason": "not_a_digit", "digit": None}
    of_model = {"model_status": row["status"], "model_digit": row["digit"]}
    who = {"answered_by": "ada", "answered_at": AT, "run_id": "review-1"}
    return row | said | of_model | who | changes


def add(table: str, *rows: dict[str, Any]) -> None:
    """Commit rows of pictures that were read before."""
    run = rows[0]["run_id"]
    writer = replace(writer_of(table, [rows[0]["root"]], run), redecides=True)
    commit(table_of(*rows), f"{run}/{rows[0]['path']}", writer)


@pytest.fixture
def table(tmp_path: Path) -> str:
    return str(tmp_path / "results")


def test_where_nothing_was_drawn_nothing_is_known(table: str) -> None:
    assert audited(table, SINCE) == []
    store(table, read_row("a.png"))
    assert audited(table, SINCE) == []


def test_answers_are_compared_with_what_the_model_had_read(table: str) -> None:
    rows = [drawn(f"{number}.png") for number in range(6)]
    store(table, *rows, read_row("not drawn.png"))
    add(table, answered(rows[0], 3), answered(rows[1], 8), answered(rows[2], None))
    [found] = audited(table, SINCE)
    assert (found.model, found.source, found.period) == ("m", "/pictures", None)
    assert (found.found.drawn, found.found.answers, found.found.wrong) == (6, 3, 2)
    assert found.found.error == pytest.approx(2 / 3)
    assert found.last == AT


def test_an_answer_counts_for_the_model_that_read_it_when_another_has_read_since(
    table: str,
) -> None:
    row = drawn("a.png")
    store(table, row)
    add(table, answered(row, 8))
    store(table, read_row("a.png", "run-2", model_version="n"), shard=1)
    store(table, drawn("b.png", "run-2", model_version="n"), shard=2)
    found = {each.model: each.found for each in audited(table, SINCE)}
    assert (found["m"].answers, found["m"].wrong) == (1, 1)
    assert (found["n"].drawn, found["n"].answers) == (1, 0)


def test_the_last_answer_counts_and_one_that_was_undone_does_not(table: str) -> None:
    first, second = drawn("a.png"), drawn("b.png")
    store(table, first, second)
    add(table, answered(first, 8), answered(second, 8))
    add(table, answered(first, 3, run_id="review-2"))
    add(table, second | {"run_id": "review-3"})
    [found] = audited(table, SINCE)
    assert (found.found.drawn, found.found.answers, found.found.wrong) == (2, 1, 0)


def test_models_sources_and_months_are_told_apart(table: str) -> None:
    rows = [
        drawn("a.png", read_at=datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        drawn("b.png", read_at=datetime(2026, 2, 1, tzinfo=UTC)),
        drawn("c.png", model_version="n", read_at=datetime(2026, 2, 3, tzinfo=UTC)),
    ]
    store(table, *rows)
    store(table, drawn("a.png", "run-2", root="/elsewhere"), shard=1)
    add(table, answered(rows[1], 8, read_at=datetime(2026, 3, 9, tzinfo=UTC)))
    found = audited(table, SINCE, by="month")
    assert [(each.model, each.source, each.period, each.found.wrong) for each in found] == [
        ("n", "/pictures", date(2026, 2, 1), 0),
        ("m", "/pictures", date(2026, 2, 1), 1),
        ("m", "/pictures", date(2026, 1, 1), 0),
        ("m", "/elsewhere", date(2026, 1, 1), 0),
    ]
    assert len(audited(table, SINCE)) == 3
    assert [each.source for each in audited(table, SINCE, ["/elsewhere"])] == ["/elsewhere"]
    [late] = audited(table, datetime(2026, 2, 2, tzinfo=UTC))
    assert late.model == "n"


def test_what_is_not_read_any_more_or_was_taken_back_does_not_count(table: str) -> None:
    row = drawn("a.png")
    store(table, row, drawn("b.png", taken_back="2026-01-21 ada: wrong folder"))
    add(table, row | {"run_id": "run-2", "status": "review", "reason": "low_confidence"})
    assert audited(table, SINCE) == []


def test_pages_and_copies_are_pictures_of_their_own(table: str) -> None:
    pages = [drawn("a.tif", page=page, size=7) for page in range(2)]
    store(table, *pages, drawn("b.tif", size=7))
    add(table, answered(pages[0], 3), pages[1] | {"run_id": "review-1"})
    [found] = audited(table, SINCE)
    assert (found.found.drawn, found.found.answers) == (3, 1)


@pytest.mark.parametrize("write", [merge, delete, update])
def test_files_that_other_programs_have_written_are_read_too(table: str, write: Any) -> None:
    row = drawn("a.png")
    store(table, row, drawn("b.png"))
    add(table, answered(row, 8))
    compact(table)
    write(table)
    [found] = audited(table, SINCE, ["/pictures"], by="week")
    assert (found.found.drawn, found.found.answers, found.found.wrong) == (2, 1, 1)
    assert [each.found for each in drift(table, SINCE, "week", "pict")] == [2]


def test_a_table_from_before_there_were_audits_has_none(table: str) -> None:
    later = ["audit", "answered_by", "answered_at", "model_status", "model_digit"]
    rows = table_of(read_row("a.png", read_at=AT) | {"commit_version": 1})
    write_deltalake(table, rows.drop_columns(later))
    assert audited(table, SINCE) == []
    assert [each.found for each in drift(table, SINCE, "week")] == [1]


def test_a_table_in_a_bucket_is_read(s3_client: Any) -> None:
    s3_client.create_bucket(Bucket="audited")
    row = drawn("a.png")
    store("s3://audited/results", row)
    add("s3://audited/results", answered(row, 8))
    [found] = audited("s3://audited/results", SINCE)
    assert (found.found.answers, found.found.wrong) == (1, 1)
    assert [each.found for each in drift("s3://audited/results", SINCE, "month")] == [1]
