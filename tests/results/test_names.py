"""A table in which backslashes are doubled gets the names of today, and no file is lost by it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from tasks.inputs.base import printable
from tasks.results import table as results
from tasks.results.commit import WriterContext, commit, make_table
from tasks.results.names import written_today
from tasks.results.repair import require_sound
from tests.results.test_pending import Listed, Results
from tests.results.test_table import read_row, table_of

# bytes of names, and how earlier versions wrote them
BEFORE = {
    rb"scans\win\4.png": r"scans\\win\\4.png",
    rb"\\server\4.png": r"\\\\server\\4.png",
    rb"\xe9.png": r"\\xe9.png",
    b"\xe9.png": r"\xe9.png",
    b"\\\xe9.png": r"\\\xe9.png",
    b"plain/4.png": "plain/4.png",
}
ROOT, ROOT_BEFORE = r"/home/a\b", r"/home/a\\b"


def table_of_before(place: str, **options: Any) -> None:
    """Write a table as earlier versions did: two readings of each file, in two commits."""
    for run in ("run-1", "run-2"):
        rows = [
            read_row(text, run, root=ROOT_BEFORE, page=p)
            for text in BEFORE.values()
            for p in (0, 1)
        ]
        write_deltalake(place, table_of(*rows), mode="append", **options)


def names_in(place: str) -> list[tuple[str, str, str, int]]:
    """Return root, path, run and page of all rows."""
    rows = results.select(place, results.Query(history=True)).to_pylist()
    return sorted((row["root"], row["path"], row["run_id"], row["page"]) for row in rows)


NAMED = sorted(
    (ROOT, printable(name), run, page)
    for name in BEFORE
    for run in ("run-1", "run-2")
    for page in (0, 1)
)


def test_every_text_of_before_becomes_that_of_today() -> None:
    assert {written_today(text) for text in BEFORE.values()} == {printable(name) for name in BEFORE}


@pytest.mark.parametrize("options", [{}, {"partition_by": ["root"]}, {"partition_by": ["digit"]}])
def test_the_rows_of_a_table_of_before_get_the_names_of_today_once(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    place = str(tmp_path / "results")
    table_of_before(place, **options)
    for _ in range(2):
        make_table(place)
        assert names_in(place) == NAMED
    require_sound(place)
    assert {row["digit"] for row in results.select(place).to_pylist()} == {3}


def test_a_file_that_was_read_before_is_not_read_again_under_its_name_of_today(
    tmp_path: Path,
) -> None:
    told = Results(tmp_path)
    rows = [read_row(text, size=5, mtime_ns=6) for text in BEFORE.values()]
    write_deltalake(told.table, table_of(*rows))
    listed = Listed(dict.fromkeys(BEFORE, (5, 6)))
    assert told.paths(listed) == [rb"\\server\4.png", rb"scans\win\4.png"]
    make_table(told.table)
    assert told.paths(listed) == []


def test_runs_that_rename_at_once_rename_once(tmp_path: Path) -> None:
    place = str(tmp_path / "results")
    table_of_before(place)
    begin = threading.Barrier(4)

    def make(_: int) -> int:
        begin.wait()
        return make_table(place)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(make, range(4)))
    assert names_in(place) == NAMED


def test_names_of_a_table_of_today_stay_as_they_are(tmp_path: Path) -> None:
    place, path = str(tmp_path / "results"), printable(rb"\\server\4.png")
    writer = WriterContext(place, ROOT, "run-1", make_table(place))
    commit(table_of(read_row(path, root=ROOT)), "run-1/0", writer)
    version = make_table(place)
    assert names_in(place) == [(ROOT, path, "run-1", 0)]
    assert make_table(place) == version
