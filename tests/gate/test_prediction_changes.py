"""The newest real pictures, whose answers would change, and what a report shows of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.device import cpu
from tasks.gate.prediction_changes import prediction_changes, recent_batches
from tasks.inference.model_file import model_in
from tasks.reporting.changes_report import changes_report
from tasks.reporting.document import to_html
from tasks.results.commit import WriterContext, make_table
from tasks.results.commit import commit as commit_rows
from tasks.results.schema import SCHEMA
from tests import mutants
from tests.bars import bar, encoded

pytestmark = pytest.mark.processes


def commit(table: Path, run: str, root: Path, paths: list[str], minutes: int) -> None:
    """Add rows of one run, so many minutes after the first."""
    same: dict[str, Any] = {
        **{"root": str(root), "page": 0, "status": "read", "reason": "ok", "run_id": run},
        **{"model_version": "v1", "canonical_version": "2"},
        "read_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes),
    }
    rows = pa.Table.from_pylist([same | {"path": path} for path in paths], SCHEMA)
    place = str(table)
    commit_rows(rows, run, WriterContext(place, str(root), run, make_table(place)))


def test_the_newest_runs_come_first_each_file_once_and_no_more_than_wanted(tmp_path: Path) -> None:
    table, scans, other = tmp_path / "results", tmp_path / "scans", tmp_path / "other"
    assert recent_batches(str(table), tmp_path / "runs") == ([], {})
    # each by a clock that was set back after the one before
    commit(table, "oldest", other, ["x.png"], 2)
    commit(table, "older", scans, ["a.png", "b.png"], 1)
    commit(table, "newest", scans, ["b.png", "c.png"], 0)
    commit(table, "demo", tmp_path / "runs" / "demo", ["d.png"], 3)
    runs, files = recent_batches(str(table), tmp_path / "runs")
    assert runs == ["newest", "older", "oldest"]
    assert files == {str(scans): ["b.png", "c.png", "a.png"], str(other): ["x.png"]}
    assert recent_batches(str(table), tmp_path / "runs", most=2) == (
        ["newest"],
        {str(scans): ["b.png", "c.png"]},
    )


def test_what_changes_its_answer_is_found_and_what_is_gone_is_counted(
    tmp_path: Path, model_file: Path
) -> None:
    for digit in (3, 4, 9):
        (tmp_path / f"{digit}.png").write_bytes(encoded(bar(digit)))
    candidate = mutants.mutant(model_file, tmp_path / "new.onnx", mutants.swapped_labels)
    batches = {str(tmp_path): ["3.png", "4.png", "9.png", "gone.png"]}
    found = prediction_changes(
        ["run"], batches, model_in(model_file), model_in(candidate), cpu(), 0.005
    )
    assert (found.pages, found.gone) == (3, 1)
    changed = [(change.path, change.page, change.before, change.after) for change in found.changes]
    assert changed == [("4.png", 0, 4, 9), ("9.png", 0, 9, 4)]
    page = to_html(changes_report(found, "v2", "v1"))
    assert "2 of 3 pictures (66.67 %)" in page
    assert "Not there any more: 1 file." in page
    assert "4 → 9" in page
