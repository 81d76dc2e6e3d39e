"""The page of what was read over time is written, and shown in the Prefect UI."""

import json
from pathlib import Path
from urllib.request import url2pathname

import pytest

from tests.flows.status.test_audits import many_wrong
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
