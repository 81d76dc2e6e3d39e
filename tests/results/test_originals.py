"""What becomes of files by what became of all their pages."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.outcomes import ALL_STAY, DELETED, STATUSES, Originals, Reason
from tasks.results import table as results
from tasks.results.commit import writer_of
from tasks.results.originals import FATE, fates, mark, with_fates
from tests.results.test_table import read_row, store, table_of

MOVED = Originals("/read", "/bad")


def page(path: str, number: int, reason: Reason) -> dict[str, Any]:
    return read_row(path, page=number, reason=reason.value, status=STATUSES[reason].value)


@pytest.mark.parametrize(
    ("reasons", "fate"),
    [
        ([Reason.OK], "/read"),
        ([Reason.OK, Reason.OK], "/read"),
        ([Reason.OK, Reason.BLANK], "/bad"),
        ([Reason.TRUNCATED], "/bad"),
        ([Reason.TRUNCATED, Reason.AMBIGUOUS], None),
        ([Reason.LOW_CONFIDENCE, Reason.OK], None),
        ([Reason.OK, Reason.DECODER_TIMEOUT], None),
        ([Reason.STORAGE_ERROR], None),
        ([Reason.VANISHED], None),
        ([Reason.NO_ANSWER], None),
        ([Reason.ANSWERED], "/read"),
        ([Reason.ANSWERED, Reason.AMBIGUOUS], None),
    ],
)
def test_the_worst_page_decides_for_its_file(reasons: list[Reason], fate: str | None) -> None:
    pages = [page("a.tif", number, reason) for number, reason in enumerate(reasons)]
    others = [page("0.png", 0, Reason.OK), page("z.png", 0, Reason.LOW_CONFIDENCE)]
    rows = table_of(others[0], *pages, others[1])
    assert fates(rows, MOVED).to_pylist() == ["/read", *[fate] * len(pages), None]
    assert with_fates(rows, MOVED)["original"].to_pylist() == fates(rows, MOVED).to_pylist()
    assert with_fates(rows, ALL_STAY) is rows


def test_what_is_deleted_when_it_is_read_stays_when_it_is_rejected() -> None:
    rows = table_of(page("a.png", 0, Reason.OK), page("b.png", 0, Reason.BLANK))
    assert fates(rows, Originals(DELETED)).to_pylist() == [DELETED, None]


def test_a_row_is_marked_once_and_stays_that_of_its_run(tmp_path: Path) -> None:
    table = str(tmp_path / "results")
    store(table, read_row("a.tif"), read_row("a.tif", page=1), read_row("b.png"))
    named = {"root": ["/pictures"], "path": ["a.tif"], "original": [None], FATE: ["/read"]}
    mark(pa.table(named), "tick", writer_of(table, ["/pictures"], "tick"))
    expected = [("a.tif", "/read", "run-1"), ("a.tif", "/read", "run-1"), ("b.png", None, "run-1")]
    for query in (results.Query(), results.Query(run="run-1")):
        rows = results.select(table, query, ["path", "original", "run_id"])
        assert [tuple(row.values()) for row in rows.to_pylist()] == expected
    version = results.open_table(table).version()
    mark(pa.table(named | {"original": ["/read"]}), "tick", writer_of(table, ["/pictures"], "tick"))
    assert results.open_table(table).version() == version
