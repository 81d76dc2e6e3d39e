"""What waits: what is in review by its current row, and what was drawn for the audit, unmarked."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import write_deltalake

from tasks.errors import InputError
from tasks.review.queue import TO_BE_CHECKED, waiting
from tests.results.test_table import read_row, rejected_row, store, table_of
from tests.review.rows import for_audit, keys, picture_of, place, unsure

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def test_what_is_in_review_or_drawn_for_the_audit_waits_in_the_order_of_its_paths(
    tmp_path: Path,
) -> None:
    table = place(tmp_path)
    store(
        table,
        unsure("c.png"),
        for_audit("b.png"),
        unsure("a.tif", page=1),
        for_audit("a.tif", page=0),
        read_row("d.png"),
        rejected_row("e.txt"),
    )
    assert keys(table) == [("a.tif", 0), ("a.tif", 1), ("b.png", 0), ("c.png", 0)]


def test_only_the_last_reading_of_a_file_waits(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"), unsure("b.png"))
    store(table, read_row("a.png", "run-2"))
    assert keys(table) == [("b.png", 0)]


def test_what_a_person_has_answered_waits_no_more(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, for_audit("a.png", answered_by="Ada", answered_at=NOW), for_audit("b.png"))
    assert keys(table) == [("b.png", 0)]


def test_what_waits_is_chosen_by_reason_source_and_run(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"), unsure("b.png", reason="ambiguous"))
    store(table, unsure("a.png", run="run-2", root="/more"))
    store(table, for_audit("c.png", run="run-2"), shard=1)
    store(table, unsure("a.png", run="run-3"), shard=2)
    assert keys(table, reason="ambiguous") == [("b.png", 0)]
    assert keys(table, source="/more") == [("a.png", 0)]
    assert keys(table, run="run-3") == [("a.png", 0)]


def test_what_a_run_has_read_stays_its_own_where_its_row_was_only_decided_again(
    tmp_path: Path,
) -> None:
    table = place(tmp_path)
    store(table, unsure("a.tif"), unsure("a.tif", page=1), unsure("b.png"))
    store(table, unsure("a.tif", run="review-1"), unsure("a.tif", run="review-1", page=1), shard=1)
    assert set(keys(table, run="run-1")) == {("b.png", 0), ("a.tif", 0), ("a.tif", 1)}


def test_nobody_is_told_what_is_of_the_audit(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"), for_audit("b.png"), unsure("c.png", reason="ambiguous"))
    ours, audited, ambiguous = waiting(table)
    assert ours.words == audited.words == TO_BE_CHECKED
    assert ours.shown_reason == audited.shown_reason == "low_confidence"
    assert keys(table, reason="low_confidence") == [("a.png", 0), ("b.png", 0)]
    assert "two ways" in ambiguous.words


def test_the_likeliest_digits_come_first(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png", digit=7, p2=0.3))
    found = picture_of(table, "a.png").likeliest(2)
    assert [digit for digit, _ in found] == [7, 2]
    assert [share for _, share in found] == pytest.approx([0.6, 0.3])


def test_a_table_of_an_earlier_version_has_no_audit(tmp_path: Path) -> None:
    later = ["audit", "answered_by", "answered_at", "model_status", "model_digit", "taken_back"]
    write_deltalake(place(tmp_path), table_of(unsure("a.png")).drop(later))
    assert keys(place(tmp_path)) == [("a.png", 0)]


def test_without_results_nothing_can_wait(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results"):
        waiting(place(tmp_path))
