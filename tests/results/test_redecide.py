"""What was read before is held against the error that is accepted now, without being opened."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tasks.inputs.base import Entry, Inputs
from tasks.inputs.listing import Listing, discover
from tasks.metrics.error_bounds import ErrorBounds
from tasks.outcomes import Reason
from tasks.results import redecide as redecide_file
from tasks.results import table as results
from tasks.results.commit import Committed, WriterContext, commit, make_table
from tasks.results.redecide import redecide, with_decisions
from tests.bars import BAR_CALIBRATION, bar_threshold
from tests.results.test_table import read_row, rejected_row, store, table_of

SURE, UNSURE = 0.9, 0.3  # confidences on both sides of the threshold for 0.005
STRICT = 0.0005  # no confidence of the rows reaches it


def bounds_of(model: str) -> ErrorBounds | None:
    """Return the bounds of the one model that is known."""
    return ErrorBounds.of(BAR_CALIBRATION.curve.guarantees()) if model == "m" else None


def row(path: str, reason: Reason = Reason.OK, bound: float | None = 0.001, **more: Any) -> Any:
    """Return a row that was decided so."""
    status = "read" if reason == Reason.OK else "review"
    return read_row(path, status=status, reason=reason, error_bound=bound, **more)


def listing_of(folder: Path, *paths: str) -> Listing:
    """Return a listing of these files."""

    class Files(Inputs):
        root = "/pictures"

        def entries(self) -> Any:
            return iter([Entry(path.encode(), 100, 1) for path in paths])

    return discover(Files(), folder / "listing.parquet", allow_empty=True)


def anew(folder: Path, paths: Sequence[str], max_error: float = 0.005, run: str = "run-2") -> int:
    """Decide files of the table anew in a run of its own."""
    table = str(folder / "results")
    writer = WriterContext(table, "/pictures", run, make_table(table))
    (folder / "pending").mkdir(exist_ok=True)
    none = listing_of(folder / "pending")
    return redecide(listing_of(folder, *paths), none, writer, max_error, bounds_of).unchanged


def current(folder: Path) -> dict[tuple[str, int], tuple[str, str, str]]:
    """Return status, reason and run of each current row."""
    rows = results.select(str(folder / "results")).to_pylist()
    return {(r["path"], r["page"]): (r["status"], r["reason"], r["run_id"]) for r in rows}


def test_rows_change_in_both_directions_and_all_others_stay(tmp_path: Path) -> None:
    store(
        str(tmp_path / "results"),
        row("loose.png", bound=0.02),
        row("strict.png", Reason.LOW_CONFIDENCE, 0.004),
        row("same.png", bound=0.005),
        row("maybe.png", Reason.MAYBE_NO_DIGIT, None),
        rejected_row("rejected.png"),
        row("unlisted.png", bound=0.02),
    )
    listed = ["loose.png", "strict.png", "same.png", "maybe.png", "rejected.png"]
    assert anew(tmp_path, listed) == 2
    assert current(tmp_path) == {
        ("loose.png", 0): ("review", "low_confidence", "run-2"),
        ("maybe.png", 0): ("review", "maybe_no_digit", "run-1"),
        ("rejected.png", 0): ("rejected", "empty_file", "run-1"),
        ("same.png", 0): ("read", "ok", "run-1"),
        ("strict.png", 0): ("read", "ok", "run-2"),
        ("unlisted.png", 0): ("read", "ok", "run-1"),
    }
    assert anew(tmp_path, listed, run="run-3") == 0


def test_nothing_of_a_row_changes_but_what_was_decided_and_by_whom(tmp_path: Path) -> None:
    store(str(tmp_path / "results"), row("a.png", bound=0.02))
    before = results.select(str(tmp_path / "results")).to_pylist()[0]
    anew(tmp_path, ["a.png"])
    after = results.select(str(tmp_path / "results")).to_pylist()[0]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"status", "reason", "run_id", "read_at", "commit_version"}


def test_columns_that_somebody_has_added_stay(tmp_path: Path) -> None:
    table = str(tmp_path / "results")
    later = ["error_bound", "commit_version"]
    rows = table_of(row("a.png", bound=None, confidence=UNSURE)).drop(later)
    # between the columns of an earlier version and those that the table gets
    write_deltalake(table, rows.append_column("checked_by", pa.array(["Ada"])))
    assert anew(tmp_path, ["a.png"]) == 1
    store(table, row("b.png"))
    found = results.select(table).select(["path", "status", "checked_by"]).to_pylist()
    assert [list(r.values()) for r in found] == [
        ["a.png", "review", "Ada"],
        ["b.png", "read", None],
    ]


def test_all_pages_of_a_file_stay_together(tmp_path: Path) -> None:
    pages = [row("a.tif"), row("a.tif", bound=0.02, page=1), rejected_row("a.tif") | {"page": 2}]
    store(str(tmp_path / "results"), *pages)
    assert anew(tmp_path, ["a.tif"]) == 1
    assert current(tmp_path) == {
        ("a.tif", 0): ("read", "ok", "run-2"),
        ("a.tif", 1): ("review", "low_confidence", "run-2"),
        ("a.tif", 2): ("rejected", "empty_file", "run-2"),
    }


def test_what_changes_is_decided_in_several_commits_where_it_is_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redecide_file, "PATHS", 3)
    table, paths = str(tmp_path / "results"), [f"{number}.tif" for number in range(10)]
    for place, path in enumerate(paths):
        time = datetime(2026, 1, 20 - place, tzinfo=UTC)  # of a clock that goes backwards
        pages = [row(path, run=f"run-{path}", bound=0.02, page=page) for page in range(2)]
        store(table, *(page | {"read_at": time.replace(hour=page["page"])} for page in pages))
    version = make_table(table)
    assert anew(tmp_path, paths) == 10
    assert make_table(table) == version + 4
    expected = {(path, page) for path in paths for page in range(2)}
    assert current(tmp_path) == dict.fromkeys(expected, ("review", "low_confidence", "run-2"))
    assert anew(tmp_path, paths, run="run-3") == 0


def test_superseded_readings_do_not_count(tmp_path: Path) -> None:
    table = str(tmp_path / "results")
    store(table, row("a.png", bound=0.02))
    store(table, row("a.png", run="run-1b"))
    assert anew(tmp_path, ["a.png"]) == 0


def test_rows_without_an_error_bound_are_decided_by_the_bounds_of_their_model(
    tmp_path: Path,
) -> None:
    store(
        str(tmp_path / "results"),
        row("sure.png", Reason.LOW_CONFIDENCE, None, confidence=SURE),
        row("unsure.png", bound=None, confidence=UNSURE),
        row("gone.png", bound=None, confidence=SURE, model_version="gone"),
    )
    assert anew(tmp_path, ["gone.png", "sure.png", "unsure.png"]) == 3
    found = {path: status for (path, _), (status, _, _) in current(tmp_path).items()}
    assert found == {"gone.png": "review", "sure.png": "read", "unsure.png": "review"}
    bounds = {
        r["path"]: r["error_bound"] for r in results.select(str(tmp_path / "results")).to_pylist()
    }
    assert bounds["sure.png"] == pytest.approx(bar_threshold().bound)
    assert bounds["gone.png"] is None


def test_what_another_run_reads_meanwhile_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = str(tmp_path / "results")
    store(table, row("a.png", bound=0.02), row("b.png", bound=0.02))

    def overtaken(rows: pa.Table, transaction: str, writer: WriterContext) -> Any:
        monkeypatch.undo()
        store(table, row("a.png", run="run-9"))
        return commit(rows, transaction, writer)

    monkeypatch.setattr("tasks.results.redecide.commit", overtaken)
    assert anew(tmp_path, ["a.png", "b.png"]) == 1
    assert {path: run for (path, _), (_, _, run) in current(tmp_path).items()} == {
        "a.png": "run-9",
        "b.png": "run-2",
    }


def test_a_reading_is_kept_though_another_run_has_decided_the_earlier_one_meanwhile(
    tmp_path: Path,
) -> None:
    table = str(tmp_path / "results")
    store(table, row("a.png", bound=0.02))
    version = make_table(table)
    reads = WriterContext(table, "/pictures", "run-3", version)
    assert anew(tmp_path, ["a.png"]) == 1
    fresh = table_of(row("a.png", run="run-3", digit=7))
    assert commit(fresh, "run-3/0", reads) == Committed(1, 0)
    assert results.select(table)["digit"].to_pylist() == [7]
    # but what another run has read meanwhile is not read twice
    late = WriterContext(table, "/pictures", "run-4", version)
    assert commit(fresh, "run-4/0", late) == Committed(0, 1)


def test_rows_are_decided_without_a_table_too() -> None:
    rows = table_of(row("a.png", bound=0.02), row("b.png"), rejected_row("c.png"))
    statuses = [
        (r["status"], r["reason"]) for r in with_decisions(rows, 0.005, bounds_of).to_pylist()
    ]
    assert statuses == [("review", "low_confidence"), ("read", "ok"), ("rejected", "empty_file")]
    assert with_decisions(rows, STRICT, bounds_of)["status"].to_pylist()[:2] == ["review", "review"]


def test_what_a_person_has_answered_stays_beside_a_page_that_is_decided_again(
    tmp_path: Path,
) -> None:
    answered = {"status": "read", "reason": "answered", "answered_by": "Ada", "digit": 8}
    table = str(tmp_path / "results")
    store(table, row("a.tif", bound=0.02), row("a.tif", bound=0.02, page=1) | answered)
    store(table, row("b.png", bound=0.02) | answered, shard=1)
    assert anew(tmp_path, ["a.tif", "b.png"]) == 1
    assert current(tmp_path) == {
        ("a.tif", 0): ("review", "low_confidence", "run-2"),
        ("a.tif", 1): ("read", "answered", "run-2"),
        ("b.png", 0): ("read", "answered", "run-1"),
    }
    assert results.select(table, results.Query(reason="answered"))["digit"].to_pylist() == [8, 8]


def test_only_what_is_read_by_the_decision_is_drawn_from_and_what_was_drawn_stays_so(
    tmp_path: Path,
) -> None:
    table = str(tmp_path / "results")
    store(
        table,
        row("unsure.png", Reason.LOW_CONFIDENCE, 0.02),
        row("drawn before.png", Reason.LOW_CONFIDENCE, 0.02, audit=0.25),
        row("sure.tif", bound=0.001),
        row("sure.tif", Reason.LOW_CONFIDENCE, 0.02, page=1),
    )
    seen: list[tuple[str, int]] = []

    def draw(rows: pa.Table) -> pa.Table:
        seen.extend(zip(rows["path"].to_pylist(), rows["page"].to_pylist(), strict=True))
        place = rows.column_names.index("audit")
        return rows.set_column(
            place, rows.schema.field(place), pa.array([0.5] * rows.num_rows).cast(pa.float32())
        )

    writer = WriterContext(table, "/pictures", "run-2", make_table(table))
    (tmp_path / "pending").mkdir()
    listing = listing_of(tmp_path, "unsure.png", "drawn before.png", "sure.tif")
    none = listing_of(tmp_path / "pending")
    assert redecide(listing, none, writer, 0.03, bounds_of, draw).unchanged == 3
    assert sorted(seen) == [("sure.tif", 1), ("unsure.png", 0)]
    rows = results.select(table, results.CURRENT, ["path", "page", "status", "audit"]).to_pylist()
    assert [(each["path"], each["page"], each["audit"]) for each in rows] == [
        ("drawn before.png", 0, 0.25),
        ("sure.tif", 0, None),
        ("sure.tif", 1, 0.5),
        ("unsure.png", 0, 0.5),
    ]
    assert {each["status"] for each in rows} == {"read"}
