"""A row comes out of the table as it went in; of several readings of a file the last counts."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from tasks.errors import DigitflowError, InputError
from tasks.results import table as results
from tasks.results.commit import Committed, WriterContext, commit, make_table
from tasks.results.compact import compact
from tasks.results.schema import PROBABILITIES, SCHEMA

LATER = datetime(2026, 1, 3, tzinfo=UTC)
INK = {
    "polarity": "canonical",
    "contrast": 255,
    "share": 0.25,
    "left": 4,
    "top": 5,
    "width": 6,
    "height": 20,
    "stroke_width": 2.5,
    "groups": 1,
    "rivals": 0,
    "touches_edge": False,
    "removed": "",
}


def read_row(path: str, run: str = "run-1", **changes: Any) -> dict[str, Any]:
    """Return a row of a picture that was read as 3."""
    return {
        "root": "/pictures",
        "path": path,
        "page": 0,
        "size": 100,
        "mtime_ns": 1_700_000_000_123_456_789,
        "content_hash": "ab",
        "status": "read",
        "reason": "ok",
        "digit": 3,
        "confidence": 0.1 + 0.2,
        "digit_score": 0.9,
        **dict.fromkeys(PROBABILITIES, 0.07),
        "ink": INK,
        "model_version": "m",
        "canonical_version": "1",
        "run_id": run,
        "read_at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "error_bound": 0.001,
    } | changes


def rejected_row(path: str, run: str = "run-1") -> dict[str, Any]:
    """Return a row of a file that was no picture."""
    kept = ("root", "path", "page", "model_version", "canonical_version", "run_id", "read_at")
    row = {name: value for name, value in read_row(path, run).items() if name in kept}
    return row | {"status": "rejected", "reason": "empty_file", "detail": '0 bytes, "none"\n'}


def table_of(*rows: dict[str, Any]) -> pa.Table:
    """Return rows as a table."""
    return pa.Table.from_pylist(list(rows), SCHEMA)


def store(table: str, *rows: dict[str, Any], shard: int = 0) -> None:
    """Commit rows of one run and root, which knows of all that was read before it."""
    run, root = rows[0]["run_id"], rows[0]["root"]
    commit(table_of(*rows), f"{run}/{shard}", WriterContext(table, root, run, make_table(table)))


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return a results table with two runs, of which the second has read one file again."""
    folder = str(tmp_path / "home" / "results")
    store(folder, read_row("b/2.png"), rejected_row("c.txt"))
    store(folder, read_row("a.png", page=1), read_row("a.png"), shard=1)
    store(folder, read_row("a.png", "run-2", status="review", read_at=LATER))
    store(folder, read_row("a.png", "run-3", root="/elsewhere"))
    return folder


def test_rows_come_out_as_they_went_in(tmp_path: Path) -> None:
    rows = [read_row("a.png"), rejected_row("b.png")]
    store(str(tmp_path / "results"), *rows)
    expected = table_of(*(row | {"commit_version": 1} for row in rows)).to_pylist()
    assert results.select(str(tmp_path / "results")).to_pylist() == expected


FIRST = [("a.png", 0), ("a.png", 1), ("b/2.png", 0), ("c.txt", 0)]  # of the first run


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [("a.png", 0), ("a.png", 0), ("b/2.png", 0), ("c.txt", 0)]),
        ({"root": "/elsewhere"}, [("a.png", 0)]),
        ({"root": "/pictures"}, [("a.png", 0), ("b/2.png", 0), ("c.txt", 0)]),
        ({"root": "/pictures", "history": True}, [*FIRST[:2], ("a.png", 0), *FIRST[2:]]),
        ({"run": "run-1"}, FIRST),
        ({"status": "rejected"}, [("c.txt", 0)]),
        ({"path": "b/"}, [("b/2.png", 0)]),
        ({"path": ".", "status": "review", "run": "run-2"}, [("a.png", 0)]),
        ({"path": "a.", "reason": "ok", "run": "run-1"}, [("a.png", 0), ("a.png", 1)]),
        ({"path": "%", "run": "run-1"}, []),
    ],
)
def test_rows_are_selected_by_every_condition_in_order_of_path_and_page(
    table: str, conditions: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    rows = results.select(table, results.Query(**conditions), ["path", "page"])
    assert rows.column_names == ["path", "page"]
    assert [(row["path"], row["page"]) for row in rows.to_pylist()] == expected


def test_a_status_that_a_later_reading_took_away_is_not_current(table: str) -> None:
    def statuses(**conditions: Any) -> list[str]:
        rows = results.select(table, results.Query(root="/pictures", path="a.png", **conditions))
        return [row["status"] for row in rows.to_pylist()]

    assert statuses() == ["review"]
    assert statuses(status="read") == []
    assert statuses(history=True) == ["read", "read", "review"]
    assert statuses(history=True, status="read") == ["read", "read"]


def test_the_history_of_a_file_is_in_the_order_of_its_readings(table: str) -> None:
    rows = results.select(
        table, results.Query(root="/pictures", path="a.png", history=True)
    ).to_pylist()
    assert [(row["run_id"], row["page"]) for row in rows] == [
        ("run-1", 0),
        ("run-1", 1),
        ("run-2", 0),
    ]


def test_a_file_that_has_fewer_pages_than_before_has_only_those(tmp_path: Path) -> None:
    table = str(tmp_path / "results")
    pages = [read_row("a.tif", page=page) for page in range(3)]
    store(table, *pages)
    store(table, *({**page, "run_id": "run-2", "read_at": LATER} for page in pages[:2]))
    rows = results.select(table).to_pylist()
    assert [(row["page"], row["run_id"]) for row in rows] == [(0, "run-2"), (1, "run-2")]


def test_the_reading_that_was_committed_last_counts_whatever_the_clock_said(tmp_path: Path) -> None:
    table = str(tmp_path / "results")
    store(table, read_row("a.png", read_at=LATER), read_row("b.png", read_at=LATER))
    store(table, read_row("a.png", "run-2", digit=7))  # the clock was set back
    assert [row["digit"] for row in results.select(table).to_pylist()] == [7, 3]
    history = results.select(table, results.Query(path="a.png", history=True)).to_pylist()
    assert [row["run_id"] for row in history] == ["run-1", "run-2"]


def test_the_last_reading_counts_in_a_table_whose_rows_come_from_another_one(
    tmp_path: Path,
) -> None:
    first, table = str(tmp_path / "first"), str(tmp_path / "copy")
    for digit in range(5):
        store(first, read_row("a.png", f"run-{digit}", digit=digit))
    write_deltalake(table, DeltaTable(first).to_pyarrow_table())
    early = WriterContext(table, "/pictures", "run-7", make_table(table))
    for digit in (5, 6):
        store(
            table,
            read_row("a.png", f"run-{digit}", digit=digit),
            read_row(f"{digit}.png", f"run-{digit}"),
        )
        assert results.select(table, results.Query(path="a.png"))["digit"].to_pylist() == [digit]
    assert commit(table_of(read_row("5.png", "run-7")), "run-7/0", early) == Committed(0, 1)
    history = results.select(table, results.Query(path="a.png", history=True))
    assert history["digit"].to_pylist() == list(range(7))


@pytest.mark.parametrize("compacted", [False, True])
def test_rows_of_a_table_without_numbers_of_commits_rank_below_by_their_time(
    tmp_path: Path, compacted: bool
) -> None:
    table = str(tmp_path / "results")
    later = ("error_bound", "commit_version")
    earlier = pa.schema([field for field in SCHEMA if field.name not in later])
    for run, time in (("run-1", LATER), ("run-2", read_row("")["read_at"])):
        rows = table_of(*(read_row(path, run, read_at=time) for path in ("a.png", "b.png")))
        write_deltalake(table, rows.drop(list(later)).cast(earlier), mode="append")
    assert {row["run_id"] for row in results.select(table).to_pylist()} == {"run-1"}
    store(table, read_row("a.png", "run-3"))
    if compacted:
        compact(table)
    current = {row["path"]: row["run_id"] for row in results.select(table).to_pylist()}
    assert current == {"a.png": "run-3", "b.png": "run-1"}
    history = results.select(table, results.Query(path="a.png", history=True)).to_pylist()
    assert [row["run_id"] for row in history] == ["run-2", "run-1", "run-3"]


def test_a_scan_yields_what_matches_in_pieces(table: str) -> None:
    batches = results.scan(table, ["path", "run_id"], lambda text: text("run_id") == "run-1")
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert sorted(row["path"] for row in rows) == ["a.png", "a.png", "b/2.png", "c.txt"]
    assert {row["run_id"] for row in rows} == {"run-1"}


def test_without_a_table_a_selection_says_what_to_do(tmp_path: Path) -> None:
    assert not results.is_table(str(tmp_path))
    with pytest.raises(InputError, match=r"no results in .*digitflow predict"):
        results.select(str(tmp_path))


def test_a_place_that_cannot_be_reached_is_an_error_that_names_it() -> None:
    with pytest.raises(DigitflowError, match="s3:///results cannot be read: "):
        results.is_table("s3:///results")


def test_what_a_storage_says_as_a_coloured_tree_is_told_in_one_line() -> None:
    tree = "Generic S3 error\n  \x1b[31m↳\x1b[0m GET in 4 s, max_retries\n   \x1b[31m↳\x1b[0m 10\n"
    assert results.error_text(OSError(tree)) == "Generic S3 error: GET in 4 s, max_retries: 10"


def test_parquet_has_the_rows_with_their_types(table: str, tmp_path: Path) -> None:
    rows = results.select(table, results.Query(run="run-1"))
    results.export(rows, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(rows)


def test_csv_has_one_line_of_plain_values_for_each_row(table: str, tmp_path: Path) -> None:
    results.export(results.select(table, results.Query(run="run-1")), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    first, last = rows[0], rows[-1]
    assert [row["path"] for row in rows] == ["a.png", "a.png", "b/2.png", "c.txt"]
    assert (first["digit"], first["confidence"], first["p9"]) == ("3", "0.3", "0.07")
    assert (first["ink_polarity"], first["ink_height"]) == ("canonical", "20")
    assert first["mtime_ns"] == "1700000000123456789"
    assert datetime.fromisoformat(first["read_at"]) == read_row("")["read_at"]
    assert (last["digit"], last["ink_left"], last["detail"]) == ("", "", '0 bytes, "none"\n')


def test_json_lines_have_one_value_for_each_row(table: str, tmp_path: Path) -> None:
    results.export(results.select(table, results.Query(run="run-1")), tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == ["a.png", "a.png", "b/2.png", "c.txt"]
    assert (rows[0]["digit"], rows[0]["confidence"], rows[0]["ink"]) == (3, 0.3, INK)
    assert (rows[-1]["digit"], rows[-1]["ink"]) == (None, None)


@pytest.mark.parametrize("name", ["out.txt", "out", "missing/out.csv", "folder.csv"])
def test_an_output_that_cannot_be_written_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=name):
        results.check_out(tmp_path / name)


@pytest.mark.parametrize("suffix", results.OUT_SUFFIXES)
def test_an_output_that_is_accepted_can_be_written_over_an_earlier_one(
    table: str, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"of yesterday")
    results.check_out(out)
    assert out.read_bytes() == b"of yesterday"
    results.export(results.select(table), out)
    assert b"b/2.png" in out.read_bytes()
    assert b"yesterday" not in out.read_bytes()
