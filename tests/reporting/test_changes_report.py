"""What a candidate would change is told in few words and few pictures, or that it is not known."""

import os
from pathlib import Path

import numpy as np
import pytest

from tasks.gate.evidence import PredictionChange, PredictionChanges
from tasks.inputs.base import printable
from tasks.not_measured import NotMeasured
from tasks.reporting.changes_report import LISTED, SHOWN, changes_report
from tasks.reporting.document import to_html
from tests.bars import bar, encoded
from tests.reporting.rendered import HOSTILE


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


@pytest.mark.processes
def test_pictures_that_cannot_be_shown_are_counted_and_still_listed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(np.asarray(bar(3))))
    changes = [
        PredictionChange(str(tmp_path), "a.png", 0, None, 3),
        PredictionChange(str(tmp_path), printable(os.fsencode(HOSTILE)), 0, 3, 5),
        PredictionChange(f"{tmp_path}/gone", "b.png", 2, 7, 1),
    ]
    report = changes_report(PredictionChanges(["run"], 3, 4, changes), "v2", "v1")
    pictures, files = report.sections
    assert "2 pictures could not be decoded again" in pictures.text
    assert files.table
    assert [[cell.words for cell in row][2:] for row in files.table.cells()] == [
        ["rejected", "3"],
        ["3", "5"],
        ["7", "1"],
    ]
    assert "Not there any more: 4 files." in report.lead
    page = to_html(report)
    assert page.count("data:image/png") == 1
    assert "<script" not in page


def test_the_lead_says_who_would_change_whose_answers(tmp_path: Path) -> None:
    change = PredictionChange(f"{tmp_path}/gone", "a.png", 0, 7, 1)
    for pages, share in ((400, "0.25 %"), (1, "100.00 %")):
        lead = changes_report(PredictionChanges(["run"], pages, 0, [change]), "v2", "v1").lead
        assert share in lead
        assert lead.endswith("change their answer if v2 serves instead of v1.")
