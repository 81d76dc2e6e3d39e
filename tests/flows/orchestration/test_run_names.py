"""The list of runs says what came out; no server is asked."""

from pathlib import Path
from typing import Any

import pytest

from flows.orchestration.run_names import name_of_reading, name_of_training
from flows.train import Outcome
from tasks.results.summary import Summary
from tasks.settings.reading import InboxSettings, PredictSettings
from tests.reporting.test_reading_report import SUMMARY


def summary(**changes: Any) -> Summary:
    return Summary.from_dict({**SUMMARY, **changes})


def test_a_reading_is_called_by_its_source_and_its_counts(home: Path) -> None:
    came_out = "1,193 read, 7 for review, 5 rejected"
    inbox, scans = InboxSettings(), PredictSettings(source="/srv/scans")
    assert name_of_reading(inbox, summary(read=1193)) == f"inbox: {came_out}"
    assert name_of_reading(scans, summary(read=1193)) == f"/srv/scans: {came_out}"
    named = PredictSettings(source=str(home / "inbox"))
    assert name_of_reading(named, summary(files=0)) == "inbox: nothing new"
    odd = [{"reason": reason, "sentence": "as never before"} for reason in ("turned", "size")]
    assert name_of_reading(inbox, summary(read=1193, held=odd)) == (
        f"inbox: held (turned, size): {came_out}"
    )
    resumed = summary(files=0, found=0, read=0, review=0, rejected=0, held=odd)
    assert name_of_reading(inbox, resumed).startswith("inbox: held (turned, size)")


@pytest.mark.parametrize(
    ("accepted", "promoted", "accuracy", "name"),
    [
        (True, True, 0.99331, "train: 99.33 % right, accepted, serves"),
        (True, False, 0.99331, "train: 99.33 % right, accepted, not promoted"),
        (False, False, 0.1, "train: 10.00 % right, refused"),
        (False, False, None, "train: not measured, refused"),
    ],
)
def test_a_training_is_called_by_what_became_of_its_network(
    accepted: bool, promoted: bool, accuracy: float | None, name: str
) -> None:
    places = dict.fromkeys(["dataset", "folder", "report", "sentence", "version"], "")
    outcome = Outcome(accepted=accepted, promoted=promoted, accuracy=accuracy, **places)
    assert name_of_training(outcome) == name
