"""What a candidate would change is told in few words and few pictures, or that it is not known."""

from pathlib import Path

import numpy as np
import pytest

from tasks.gate.evidence import PredictionChange, PredictionChanges
from tasks.not_measured import NotMeasured
from tasks.reporting.changes_report import LISTED, SHOWN, changes_report
from tasks.reporting.document import to_html
from tests.bars import bar, encoded


def test_without_batches_or_where_reading_failed_the_report_says_so() -> None:
    assert "No earlier batches to read again" in changes_report(None, "v2", None).lead
    assert changes_report(NotMeasured("disk full"), "v2", "v1").lead == "Unknown: disk full"
    assert changes_report(PredictionChanges(["run"], 10, 0, []), "v2", "v1").tone == "good"


@pytest.mark.processes
def test_a_report_of_many_changes_stays_small(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(np.asarray(bar(3))))
    many = [PredictionChange(str(tmp_path), "a.png", 0, 3, None)] * (LISTED + 50)
    report = changes_report(PredictionChanges(["run"], 1000, 0, many), "v2", "v1")
    page = to_html(report)
    assert page.count("data:image/png") == SHOWN
    assert "50 more are left out" in page
    assert "3 → rejected" in page
