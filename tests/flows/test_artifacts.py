"""What a flow run shows in Prefect's UI is made of the same facts, and of none outside of one."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows import artifacts
from flows.artifacts import (
    evidence_of,
    known_settings,
    publish_history,
    publish_report,
    publish_table,
    publish_verdict,
)
from flows.status.address import STATUS_LINK
from tasks.contracts.verdict import Check, Verdict
from tasks.registry.card import Card
from tasks.registry.registry import Registry
from tasks.reporting.document import Report
from tasks.runs import REPORT_FILE, REPORTS_PATH, open_run
from tasks.settings.training import TrainSettings
from tests.helpers import register_champion
from tests.prefect_api import authorization
from tests.reporting.rendered import HOSTILE
from tests.reporting.test_training_report import CARD

Made = list[dict[str, Any]]


def check(name: str, passed: bool) -> Check:
    """Return a check."""
    return Check(name=name, requirement="at least 0.9", measured="0.91", passed=passed)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Be in a flow run, and return the artifacts that were made in it."""
    found: Made = []

    def create(content: Any, **facts: Any) -> None:
        found.append({"content": content, **facts})

    both = SimpleNamespace(create_table_artifact=create, create_markdown_artifact=create)
    monkeypatch.setitem(sys.modules, "prefect.artifacts", both)
    monkeypatch.setattr(artifacts, "in_flow_run", lambda: True)
    return found


def test_outside_of_a_flow_run_nothing_is_made_and_prefect_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setitem(sys.modules, "prefect.artifacts", None)  # so that importing it fails
    publish_report("reading-report", Report("t", "l", []))
    publish_table("verdict", [{"a": 1}], "lead")
    publish_history(Registry(home / "models"))


def test_names_from_anywhere_are_shown_and_numbers_stay_numbers(made: Made) -> None:
    publish_table("verdict", [{"file": HOSTILE, "pictures": 12, "none": None}], HOSTILE)
    publish_report("reading-report", Report(HOSTILE, HOSTILE, []))
    [row] = made[0]["content"]
    assert row["file"].isprintable()
    assert (row["pictures"], row["none"]) == (12, None)
    for artifact in made:
        assert "<script" not in artifact["description"]
        json.dumps(artifact).encode()
        artifact["description"].encode()


def test_failed_checks_come_first_below_the_whole_answer(made: Made) -> None:
    checks = [check("speed", True), check("recall of 7", False), check("size", True)]
    verdict = Verdict(accepted=False, checks=checks, sentence="Refused: recall of 7")
    judgement: Any = SimpleNamespace(verdict=verdict, changes_report=Report("t", "2 change", []))
    publish_verdict(judgement, "v7")
    verdict_of_all, report = made
    rows = [line for line in verdict_of_all["content"].splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[:2] for row in rows if "assed" in row or "ailed" in row] == [
        ["| failed", "recall of 7"],
        ["| passed", "speed"],
        ["| passed", "size"],
    ]
    assert "# Verdict on v7" in verdict_of_all["content"]
    described = (verdict_of_all["key"], verdict_of_all["description"])
    assert described == ("verdict", f"Refused: recall of 7. {STATUS_LINK}")
    assert (report["key"], report["description"]) == ("flips", f"2 change {STATUS_LINK}")


def test_a_history_is_shown_newest_first_with_who_serves(
    made: Made, home: Path, model_file: Path
) -> None:
    registry = Registry(home / "models")
    publish_history(registry)
    assert made[-1]["description"] == "No version was promoted yet"
    register_champion(home, model_file, "a")
    register_champion(home, model_file, "b")
    registry.rollback("b is bad", lambda version: None)
    registry.record("refuse", "c", "worse")
    publish_history(registry)
    rows = made[-1]["content"]
    assert [(row["action"], row["version"]) for row in rows][:3] == [
        *(("refuse", "c"), ("rollback", "a"), ("promote", "b")),
    ]
    assert made[-1]["description"] == "a serves"


def test_who_serves_is_known_however_long_ago_that_was_decided(
    made: Made, home: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "NEWEST", 3)
    register_champion(home, model_file, "a")
    registry = Registry(home / "models")
    for name in "bcd":
        registry.record("refuse", name, "worse")
    publish_history(registry)
    assert [row["version"] for row in made[-1]["content"]] == ["d", "c", "b"]
    assert made[-1]["description"] == "a serves"


def test_the_evidence_of_a_verdict_can_be_kept_and_names_what_failed() -> None:
    checks = [check("speed", True), check("caf\udce9", False)]
    verdict = Verdict(accepted=False, checks=checks, against="v1", sentence="Refused")
    evidence = evidence_of(verdict)
    assert json.loads(json.dumps(evidence)) == evidence
    assert (evidence["checks"], evidence["failed"]) == (2, ["caf\udce9"])
    assert (evidence["accepted"], evidence["against"]) == (False, "v1")


def test_settings_of_a_card_that_there_are_no_more_are_left_out() -> None:
    settings = {"seed": 3, "learning_rate_of_an_earlier_version": 1, "recipe": "quick"}
    card = Card.from_dict({**CARD, "settings": settings})
    assert known_settings(TrainSettings, card) == {"seed": 3, "recipe": "quick"}
    assert known_settings(TrainSettings, Card.from_dict({**CARD, "settings": {}})) == {}


@contextmanager
def showing(files: dict[str, bytes]) -> Iterator[tuple[str, list[str | None]]]:
    """Run a server that shows pages; yield its address, and the logins that it is sent."""
    logins: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            logins.append(self.headers["authorization"])
            self.send_response(200 if self.path in files else 404)
            self.end_headers()
            self.wfile.write(files.get(self.path, b""))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", logins
        server.shutdown()


def test_a_report_links_to_its_page_only_where_the_server_shows_that_very_file(
    made: Made, home: Path
) -> None:
    run, other = open_run("predict", home), open_run("predict", home)
    for folder in (run, other):
        (folder / REPORT_FILE).write_text(f"<h1>{folder.name}</h1>")

    def linked(folder: Path, api: str) -> bool:
        with temporary_settings({PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: "me:secret"}):
            publish_report("reading-report", Report("t", "l", []), folder / REPORT_FILE)
        return f"]({REPORTS_PATH}{folder.name})" in made[-1]["content"]

    pages = {
        f"{REPORTS_PATH}{run.name}": (run / REPORT_FILE).read_bytes(),
        f"{REPORTS_PATH}{other.name}": b"the first page of Prefect's UI, for any address",
    }
    with showing(pages) as (url, logins):
        assert linked(run, f"{url}/api")
        assert logins == [authorization("me:secret")["Authorization"]]
        assert not linked(other, f"{url}/api")
        assert not linked(run, f"{url}/accounts/1")
    assert not linked(run, f"{url}/api")  # nobody answers any more
