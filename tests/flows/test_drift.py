"""The page of what was read over time is written, and shown in the Prefect UI."""

import json
from pathlib import Path
from urllib.request import url2pathname

import pytest

from flows.drift import found_by, show_drift
from flows.terminal.console import Console
from tasks.holding.batches import Action, Batch, BatchLog
from tasks.settings.base import results_table
from tests.flows.status.test_audits import JUST_NOW, many_wrong
from tests.helpers import run


def test_a_page_is_written_with_what_was_read_and_found(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many_wrong()
    assert run("drift", "--by", "day", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["sources"], made["pictures"]) == (1, 60)
    page = Path(url2pathname(made["report"])).read_text()
    assert "60 of 60" in page
    assert "Audited error, %" in page
    assert run("drift", "--source", "elsewhere") == 0
    assert "Nothing was read in this time." in capsys.readouterr().out


def test_without_results_it_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("drift") == 0
    assert "Nothing was read in this time." in capsys.readouterr().out


def test_control_digits_of_batches_that_count_are_shown(home: Path) -> None:
    many_wrong()
    facts = {
        **{"runs": [], "roots": ["/pictures"], "source": "/pictures", "model_version": "m"},
        **{"began": 1, "files": 60, "pictures": 60, "read": 60, "review": 0, "rejected": 0},
        "started_at": JUST_NOW.isoformat(timespec="seconds"),
    }
    log = BatchLog(results_table())
    for number, (action, control) in enumerate(
        [
            (Action.PASSED, {"drawn": 20, "right": 19, "read": 18}),
            (Action.DROPPED, {"drawn": 20, "right": 0, "read": 18}),
            (Action.PASSED, None),
        ]
    ):
        batch = Batch(run_id=f"run-{number}", **facts, profile={"control": control})
        assert log.add(action, batch, "made for a test")
    console = Console(quiet=True)
    page = Path(show_drift("", "day", console).report).read_text()
    assert "Control digits, % right" in page
    [only] = [each for each in found_by("day")[0].periods.values() if each.controls]
    assert (only.controls, only.control) == (20, 0.95)
