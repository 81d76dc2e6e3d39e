"""Which rows are drawn for the audit, and what stands in them."""

import pyarrow as pa

from tasks.inference.audit import with_audit
from tests.results.test_table import read_row, rejected_row, table_of


def rows_of(count: int) -> pa.Table:
    read = [read_row(f"{n}.png", digit=n % 10, confidence=0.999) for n in range(count)]
    return table_of(read_row("r.png", status="review"), rejected_row("no.txt"), *read)


def test_what_is_read_alone_is_drawn_and_nothing_else_is_changed() -> None:
    rows = rows_of(2_000)
    found = with_audit(rows, 0.1, "run-1")
    drawn = found.filter(found["audit"].is_valid())
    assert 120 < drawn.num_rows < 280
    assert set(drawn["status"].to_pylist()) == {"read"}
    assert found.drop_columns("audit").equals(rows.drop_columns("audit"))
    assert found.schema == rows.schema


def test_a_shard_that_is_read_anew_gives_the_same_pictures() -> None:
    rows = rows_of(500)
    assert with_audit(rows, 0.1, "run-1").equals(with_audit(rows, 0.1, "run-1"))
    assert not with_audit(rows, 0.1, "run-1").equals(with_audit(rows, 0.1, "run-2"))


def test_nothing_is_drawn_where_nothing_is_asked_for_or_nothing_was_read() -> None:
    assert with_audit(rows_of(9), 0.0, "run-1")["audit"].null_count == 11
    assert with_audit(rows_of(0), 1.0, "run-1")["audit"].null_count == 2


def test_the_same_picture_at_two_places_is_drawn_by_itself_at_each() -> None:
    rows = table_of(*(read_row(f"{n}.png", content_hash="same") for n in range(1_000)))
    assert 200 < with_audit(rows, 0.3, "run-1")["audit"].null_count < 900
