"""What audits show is found out from table and runs; alarms are kept once they were told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.predict import predict
from flows.status.audits import (
    alarms,
    keep_told,
    told_alarms,
    what_audits_show,
)
from flows.status.events import audit_event
from flows.status.facts import facts
from tasks.settings.base import results_table
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.helpers import register_champion
from tests.monitoring.test_audit import add, answered, drawn
from tests.results.test_table import store

JUST_NOW = datetime.now(UTC) - timedelta(minutes=5)


def many_wrong(source: str = "/pictures", count: int = 60) -> None:
    """Write pictures that were drawn, and answers that say that a third was wrong."""
    rows = [drawn(f"{n}.png", root=source, read_at=JUST_NOW) for n in range(count)]
    store(results_table(), *rows)
    add(results_table(), *(answered(row, 8 if n % 3 else 3) for n, row in enumerate(rows)))


def test_the_error_that_the_last_reading_accepted_is_compared_with(
    home: Path, tmp_path: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    (tmp_path / "scans").mkdir()
    for digit in range(3):
        (tmp_path / "scans" / f"{digit}.png").write_bytes(encoded(bar(digit)))
    source = str(tmp_path / "scans")
    predict(PredictSettings(source=source, audit=1, max_error=0.01))
    many_wrong()
    found = {each.source: each for each in facts().audits.findings}
    assert (found[source].accepted, found[source].drawn, found[source].answers) == (0.01, 3, 0)
    assert found[source].missing == 369
    assert (found["/pictures"].accepted, found["/pictures"].above) == (0.005, True)


def test_what_cannot_be_read_is_said_in_its_place(home: Path, tmp_path: Path) -> None:
    assert what_audits_show(results_table, home / "runs").findings == ()
    log = tmp_path / "broken" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("{")
    assert what_audits_show(lambda: str(tmp_path / "broken"), home / "runs").trouble


def test_there_is_one_alarm_for_each_model_source_and_month(home: Path) -> None:
    many_wrong()
    many_wrong("/elsewhere", count=3)
    found = alarms(results_table(), home / "runs")
    assert [each.source for each in found] == ["/pictures"]
    events = [audit_event(each) for each in (*found, *alarms(results_table(), home / "runs"))]
    assert len({event.identity for event in events}) == 1
    assert events[0].name == "digitflow.audit.error-above-promise"
    assert "more than the accepted 0.5 %" in events[0].payload["message"]
    assert events[0].payload["wrong"] == 40


def test_alarms_that_were_told_are_known_afterwards_and_a_damaged_note_forgets_them(
    home: Path,
) -> None:
    assert told_alarms(home) == set()
    keep_told(home, {"a", "b"})
    assert told_alarms(home) == {"a", "b"}
    (home / "audit" / "told.json").write_text("{")
    assert told_alarms(home) == set()
