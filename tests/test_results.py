"""A row is in the table once, and comes out of it as it went in."""

import csv
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks import results
from tasks.errors import InputError
from tasks.results import PROBABILITIES, SCHEMA

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
    } | changes


def rejected_row(path: str, run: str = "run-1") -> dict[str, Any]:
    """Return a row of a file that was no picture."""
    kept = ("root", "path", "page", "model_version", "canonical_version", "run_id", "read_at")
    row = {name: value for name, value in read_row(path, run).items() if name in kept}
    return row | {"status": "rejected", "reason": "empty_file", "detail": '0 bytes, "none"\n'}


def table_of(*rows: dict[str, Any]) -> pa.Table:
    """Return rows as a table."""
    return pa.Table.from_pylist(list(rows), SCHEMA)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a results table with two runs."""
    folder = tmp_path / "home" / "results"
    results.commit(folder, table_of(read_row("b/2.png"), read_row("a.png", page=1)), "run-1/0")
    results.commit(folder, table_of(read_row("a.png"), rejected_row("c.txt")), "run-1/1")
    results.commit(folder, table_of(read_row("a.png", "run-2", status="review")), "run-2/0")
    return folder


def test_rows_come_out_as_they_went_in(tmp_path: Path) -> None:
    rows = table_of(read_row("a.png"), rejected_row("b.png"))
    results.commit(tmp_path / "results", rows, "run-1/0")
    assert results.select(tmp_path / "results").to_pylist() == rows.to_pylist()


def test_a_transaction_is_committed_once_however_often_it_is_tried(table: Path) -> None:
    for path in ("a.png", "other.png"):
        results.commit(table, table_of(read_row(path)), "run-1/0")
    assert results.count(table, "run-1") == 4
    assert results.count(table, "run-2") == 1
    assert results.count(table, "run-3") == 0


def test_runs_that_commit_at_once_all_have_their_rows_once(tmp_path: Path) -> None:
    def commit(round_and_number: tuple[int, int]) -> None:
        round, number = round_and_number
        rows = table_of(read_row(f"{number}.png"))
        results.commit(tmp_path / str(round), rows, f"run-1/{number % 4}")

    with ThreadPoolExecutor(8) as programs:
        list(programs.map(commit, itertools.product(range(10), range(8))))
    assert [results.count(tmp_path / str(round), "run-1") for round in range(10)] == [4] * 10


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [("a.png", 0), ("a.png", 0), ("a.png", 1), ("b/2.png", 0), ("c.txt", 0)]),
        ({"run": "run-1"}, [("a.png", 0), ("a.png", 1), ("b/2.png", 0), ("c.txt", 0)]),
        ({"status": "rejected"}, [("c.txt", 0)]),
        ({"path": "b/"}, [("b/2.png", 0)]),
        ({"path": ".", "status": "review", "run": "run-2"}, [("a.png", 0)]),
        ({"path": "%", "run": "run-1"}, []),
    ],
)
def test_rows_are_selected_by_every_condition_in_order_of_path_and_page(
    table: Path, conditions: dict[str, str], expected: list[tuple[str, int]]
) -> None:
    rows = results.select(table, **conditions, columns=["path", "page"]).to_pylist()
    assert [(row["path"], row["page"]) for row in rows] == expected


def test_without_a_table_the_count_is_zero_and_a_selection_says_what_to_do(tmp_path: Path) -> None:
    assert results.count(tmp_path, "run-1") == 0
    with pytest.raises(InputError, match=r"no results in .*digitflow predict"):
        results.select(tmp_path)


def test_parquet_has_the_rows_with_their_types(table: Path, tmp_path: Path) -> None:
    rows = results.select(table, run="run-1")
    results.export(rows, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(rows)


def test_csv_has_one_line_of_plain_values_for_each_row(table: Path, tmp_path: Path) -> None:
    results.export(results.select(table, run="run-1"), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    first, last = rows[0], rows[-1]
    assert [row["path"] for row in rows] == ["a.png", "a.png", "b/2.png", "c.txt"]
    assert (first["digit"], first["confidence"], first["p9"]) == ("3", "0.3", "0.07")
    assert (first["ink_polarity"], first["ink_height"]) == ("canonical", "20")
    assert first["mtime_ns"] == "1700000000123456789"
    assert datetime.fromisoformat(first["read_at"]) == read_row("")["read_at"]
    assert (last["digit"], last["ink_left"], last["detail"]) == ("", "", '0 bytes, "none"\n')


def test_json_lines_have_one_value_for_each_row(table: Path, tmp_path: Path) -> None:
    results.export(results.select(table, run="run-1"), tmp_path / "out.jsonl")
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
def test_an_output_that_can_be_written_is_accepted(tmp_path: Path, suffix: str) -> None:
    results.check_out(tmp_path / f"out{suffix}")
