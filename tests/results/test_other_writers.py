"""Files that a Delta `merge`, `update` or `delete` has written are read as those of our own are.

Their text is `string_view`, which pyarrow cannot compare with a file's own bounds.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from flows.status.facts import what_waits
from tasks.gate.prediction_changes import recent_batches
from tasks.inputs.base import Entry, Inputs
from tasks.inputs.listing import Listing, discover
from tasks.outcomes import Reason
from tasks.results import table as results
from tasks.results.arrivals import with_arrivals
from tasks.results.commit import Committed, WriterContext, commit, make_table
from tasks.results.compact import compact
from tasks.results.pending import ReprocessPolicy, find_pending
from tasks.results.redecide import redecide, would_redecide
from tasks.results.summary import tally
from tasks.results.take_back import take_back
from tests.bars import bar, encoded
from tests.helpers import run
from tests.results.test_redecide import bounds_of
from tests.results.test_table import read_row, rejected_row, store, table_of

HERE, THERE = "/pictures", "/elsewhere"
UNSURE = {"status": "review", "reason": Reason.LOW_CONFIDENCE, "error_bound": 0.02}
FACTS = {"size": 100, "mtime_ns": 1}


def merge(table: str) -> None:
    """Write a note into every row, as somebody's notebook does."""
    rows = DeltaTable(table).to_pyarrow_table(columns=["root", "path", "page", "run_id"])
    notes = rows.append_column("note", pa.array(["seen"] * rows.num_rows))
    on = " AND ".join(f"t.{name} = s.{name}" for name in rows.column_names)
    merged = DeltaTable(table).merge(notes, on, source_alias="s", target_alias="t")
    assert merged.when_matched_update({"detail": "s.note"}).execute()["num_target_rows_updated"]


def delete(table: str) -> None:
    """Take rows out of the middle of the file that has them all."""
    store(table, read_row("gone.png", "run-1"), shard=9)
    compact(table)
    assert DeltaTable(table).delete("path = 'gone.png'")["num_deleted_rows"] == 1


def update(table: str) -> None:
    """Change a column of every row."""
    assert DeltaTable(table).update(updates={"detail": "'seen'"})["num_updated_rows"]


@pytest.fixture(params=[merge, delete, update])
def table(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Return a table of two runs and two roots, all in one file that is not of our own."""
    place = str(tmp_path / "results")
    store(place, read_row("a.png", **FACTS), read_row("b.png", **FACTS, **UNSURE))
    store(place, rejected_row("c.txt") | FACTS, read_row("d.png", original="/read"), shard=1)
    store(place, *(read_row(name, "run-2", root=THERE, **UNSURE) for name in ("a.png", "z.png")))
    compact(place)
    request.param(place)
    [file] = data_files(place)
    assert pa.types.is_string_view(text_of(file))
    return place


def data_files(table: str) -> list[str]:
    return [str(file) for file in DeltaTable(table).file_uris()]


def text_of(file: str) -> pa.DataType:
    """Return how a file holds its paths."""
    return pq.read_schema(file).field("path").type


def listing_of(folder: Path, *names: str) -> Listing:
    """Return a listing of files of the first root."""

    class Files(Inputs):
        root = HERE

        def entries(self) -> Any:
            return (Entry(name.encode(), 100, 1) for name in names)

    return discover(Files(), folder / f"{len(names)}.parquet", allow_empty=True)


def found(table: str, **query: Any) -> list[tuple[str, str]]:
    rows = results.select(table, results.Query(**query)).to_pylist()
    return [(row["root"], row["path"]) for row in rows]


def test_results_are_selected_by_every_condition(table: str) -> None:
    ours = [(HERE, "a.png"), (HERE, "b.png"), (HERE, "c.txt"), (HERE, "d.png")]
    theirs = [(THERE, "a.png"), (THERE, "z.png")]
    assert found(table) == theirs + ours
    assert found(table, root=HERE) == ours
    assert found(table, root=[HERE, THERE]) == theirs + ours
    assert found(table, root="/nowhere") == found(table, root="/zzz") == []
    assert found(table, run="run-2") == theirs
    assert found(table, status="review") == [*theirs, (HERE, "b.png")]
    assert found(table, reason="ok", root=HERE) == [(HERE, "a.png"), (HERE, "d.png")]
    assert found(table, path="a.", history=True) == [(THERE, "a.png"), (HERE, "a.png")]
    files = pa.table({"root": [HERE], "path": ["a.png"]})
    assert results.current_rows(table, files)["root"].to_pylist() == [HERE]


def test_what_is_pending_is_found(table: str, tmp_path: Path) -> None:
    listing = listing_of(tmp_path, "a.png", "b.png", "c.txt", "new.png")

    def count(**policy: Any) -> int:
        asked, file = ReprocessPolicy(**policy), tmp_path / "pending.parquet"
        args = (asked, file, bounds_of)
        return find_pending(listing, None, table, *args).listing.count  # type: ignore[arg-type]

    assert count() == 1
    assert count(retry_rejected="all") == 1
    assert count(retry_review=True) == 1
    assert count(again=True, resumed=("run-1",)) == 1
    assert with_arrivals(listing_of(tmp_path, "d.png"), table).count == 1


def test_rows_are_decided_again(table: str, tmp_path: Path) -> None:
    listing, none = listing_of(tmp_path, "a.png", "b.png"), listing_of(tmp_path)
    assert would_redecide(listing, table, 0.03, bounds_of)
    writer = WriterContext(table, HERE, "run-3", make_table(table))
    assert redecide(listing, none, writer, 0.03, bounds_of).unchanged == 1
    assert found(table, run="run-3") == [(HERE, "b.png")]
    assert found(table, status="review") == [(THERE, "a.png"), (THERE, "z.png")]


@pytest.mark.parametrize("write", [merge, update])
def test_what_a_run_beside_has_read_is_left_out(table: str, write: Any) -> None:
    begun = WriterContext(table, HERE, "slow", make_table(table))
    store(table, read_row("a.png", "quick"), read_row("e.png", "quick"))
    store(table, read_row("f.png", "quick-too"))
    rows = table_of(*(read_row(name, "slow") for name in ("a.png", "f.png", "g.png")))
    begun.other_runs |= {"quick", "quick-too"}  # as they were seen before the other program wrote
    begun.other_commits |= {
        row["commit_version"]
        for row in results.select(table).to_pylist()
        if row["run_id"] in begun.other_runs
    }
    compact(table)
    write(table)
    begun.version = DeltaTable(table).version()
    assert commit(rows, "slow/0", begun) == Committed(rows=1, others=2)


def test_a_run_is_counted_shown_and_taken_back(table: str, tmp_path: Path) -> None:
    assert tally([table], "run-2", 2).files == 2
    assert recent_batches(table, tmp_path)[0] == ["run-2", "run-1"]
    waits = what_waits(lambda: table)
    assert (waits.trouble, waits.pictures) == (None, 3)
    done = take_back(table, tmp_path / "runs", "run-2", "wrong")
    assert (done.rows, done.unread) == (2, 2)
    assert {root for root, _ in found(table)} == {HERE}
    assert what_waits(lambda: table).pictures == 1


def test_compacting_makes_plain_strings_of_them(table: str) -> None:
    before = results.select(table, results.Query(history=True)).to_pylist()
    store(table, read_row("h.png", "run-4"))
    assert compact(table)
    [file] = data_files(table)
    assert text_of(file) == pa.string()
    after = results.select(table, results.Query(history=True)).to_pylist()
    assert [row for row in after if row["run_id"] != "run-4"] == before


@pytest.mark.processes
def test_folders_are_read_on_after_another_program_has_written(
    home: Path, tmp_path: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        for at in range(3):
            (folder / f"{at}.png").write_bytes(encoded(bar(at)))
    place = str(home / "results")

    def predict(*words: str) -> dict[str, Any]:
        options = ["--no-prefect", "--json", "--workers", "1", "--model", str(model_file)]
        assert run("predict", *map(str, folders), *words, *options) == 0
        summary: dict[str, Any] = json.loads(capfd.readouterr().out)
        return summary

    predict()
    merge(place)
    assert predict("--max-error", "0.02")["found"] == 0
    assert predict("--again")["found"] == 6
    assert run("results", "--status", "read") == 0
    assert run("results", "--history", "0.png") == 0
