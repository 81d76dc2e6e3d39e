"""The lines about a reading say what was done, in counts that add up."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from flows.terminal.reading_log import log_pending, log_promise, log_reading
from tasks.inputs.base import Roots
from tasks.inputs.listing import Listing
from tasks.metrics.promise import promise_for
from tasks.progress import Advance
from tasks.results.pending import Pending, ReprocessPolicy
from tasks.results.summary import Summary
from tests.bars import BAR_CALIBRATION
from tests.reporting.test_reading_report import SUMMARY


class Lines:
    """Keeps the lines that are logged."""

    def __init__(self) -> None:
        """Have none yet."""
        self.logged: list[tuple[str, str]] = []

    def log(self, label: str, text: str) -> None:
        """Keep a line."""
        self.logged.append((label, text))

    def bar(self, title: str, total: int, unit: str = "") -> AbstractContextManager[Advance]:
        """Show nothing."""
        return nullcontext(lambda done: None)


def all_said(**changes: Any) -> list[tuple[str, str]]:
    """Return the lines about a reading."""
    lines = Lines()
    log_reading(Summary.from_dict({**SUMMARY, **changes}), Path("/home/runs/calm-otter"), lines)
    return lines.logged


def said(**changes: Any) -> dict[str, str]:
    """Return the same by their labels; those that go on have none."""
    return dict(all_said(**changes)[::-1])


def pending(unchanged: int, resumed: int, runs: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return the lines about what is not read again."""
    lines = Lines()
    listing = Listing(Path("listing.parquet"), 0, Roots(("/scans",)))
    log_pending(Pending(listing, unchanged, resumed), ReprocessPolicy(resumed=runs), lines)
    return lines.logged


def test_outcomes_are_told_with_the_reasons_of_what_was_not_read() -> None:
    lines = said()
    assert lines["Outcome"] == (
        "193 read + 7 for review + 5 rejected = 205 (7 low_confidence, 5 truncated)"
    )
    assert lines["Found"] == "205 pictures in 205 files"
    assert lines["Report"] == "/home/runs/calm-otter/report.html"
    assert "Output" not in lines
    assert "" not in lines


def test_where_all_was_read_no_reason_is_named() -> None:
    lines = said(found=193, review=0, rejected=0, reasons={"ok": 193})
    assert lines["Outcome"] == "193 read + 0 for review + 0 rejected = 193"


def test_a_run_that_found_nothing_in_no_time_is_told_too() -> None:
    nothing = dict.fromkeys(["found", "read", "review", "rejected", "files"], 0)
    lines = said(**nothing, reasons={}, seconds=0.0, stages={"other": 0.0})
    assert lines["Outcome"] == "0 read + 0 for review + 0 rejected = 0"
    assert lines["Found"] == "0 pictures in 0 files"
    assert lines["Speed"].startswith("0 pictures/s")


def test_the_longest_stages_come_first_and_those_too_short_to_show_are_left_out() -> None:
    lines = said(seconds=0.5, stages={"list": 0.1, "decode": 0.4, "rows": 0.004})
    assert lines["Time"] == "0.50 s = decode 0.40 + list 0.10"


def test_what_others_have_read_and_what_was_decided_anew_is_told_of() -> None:
    both = [text for label, text in all_said(others=2, decided_anew=1_200) if not label]
    assert both == [
        "1,200 files of these as read before, decided anew by the error accepted now",
        "2 files were read by another run meanwhile",
    ]


@pytest.mark.parametrize(
    ("unchanged", "resumed", "labels"),
    [(0, 0, []), (3, 0, ["Up to date"]), (3, 3, ["Resumed"]), (3, 1, ["Resumed", "Up to date"])],
)
def test_each_file_that_is_not_read_again_is_told_of_once(
    unchanged: int, resumed: int, labels: list[str]
) -> None:
    lines = pending(unchanged, resumed, ("calm-otter", "old-fox"))
    assert [label for label, _ in lines] == labels
    assert sum(int(text.split()[0]) for _, text in lines) == unchanged
    assert all("calm-otter, old-fox" in text for label, text in lines if label == "Resumed")


def test_a_promise_says_what_is_expected_of_each_kind_where_there_are_several() -> None:
    lines = Lines()
    log_promise(promise_for(0.005, BAR_CALIBRATION.curves), lines)
    [(title, text)] = lines.logged
    assert (title, text.split(":")[0]) == ("Promise", "Threshold 0.6")
    lines = Lines()
    curve = BAR_CALIBRATION.curve
    log_promise(promise_for(0.005, {"clean": curve, "faint": curve}), lines)
    assert [title for title, _ in lines.logged] == ["Promise", ""]
    assert lines.logged[1][1] == "expects to read: clean 98 %, faint 98 %"
