"""From what is drawn as it is read, by what people say in review, to the error that is found."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pytest

from flows.predict import predict
from flows.status.facts import facts
from tasks.monitoring.audit import audited
from tasks.monitoring.drift import drift
from tasks.results.table import Query, select
from tasks.review.answers import NO_DIGIT, SEVERAL, Answer, Wanted, settle
from tasks.review.queue import PictureKey, waiting
from tasks.runs import REPORT_FILE
from tasks.settings.base import results_table
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.helpers import register_champion

COUNT = 20
SINCE = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def scans(home: Path, tmp_path: Path, model_file: Path) -> Path:
    register_champion(home, model_file)
    (tmp_path / "scans").mkdir()
    for number in range(COUNT):
        picture = encoded(bar(number % 10))
        (tmp_path / "scans" / f"{number:02}.png").write_bytes(picture)
    return tmp_path / "scans"


def say(number: int, scans: Path, said: str | None, by: str = "ada") -> None:
    """Answer a picture, or take back what was said of it."""
    key, at = PictureKey(str(scans), f"{number:02}.png", 0), datetime(2026, 11, 28, tzinfo=UTC)
    rows = select(results_table()).filter(pc.field("path") == key.path)
    answer = Answer(key, rows["content_hash"][0].as_py(), said, by, at) if said else None
    done = settle(results_table(), "review-1", {key: Wanted(answer, frozenset({(by, at)}))})
    assert not done.left


def test_what_people_say_of_what_was_drawn_is_the_error_that_is_found(
    home: Path, scans: Path
) -> None:
    settings = PredictSettings(source=str(scans), audit=1, workers=1, device="cpu")
    first = predict(settings)
    assert first.review == 0
    assert len(waiting(results_table())) == COUNT
    for number in range(10):
        say(number, scans, str(number))
    say(10, scans, "7")
    say(11, scans, NO_DIGIT)
    say(12, scans, SEVERAL)
    say(13, scans, "8")
    say(13, scans, None)  # undone
    assert len(waiting(results_table())) == COUNT - 13
    [found] = audited(results_table(), SINCE)
    assert (found.model, found.source) == ("tiny", str(scans))
    assert (found.found.drawn, found.found.answers, found.found.wrong) == (COUNT, 13, 3)
    [shown] = facts().audits.findings
    assert shown.above
    again = predict(settings.model_copy(update={"again": True}))
    report = (home / "runs" / again.run_id / REPORT_FILE).read_text()
    assert "<td" in report.partition(">Audit<")[2]


def test_what_is_read_only_since_a_larger_error_is_accepted_is_drawn_from_too(scans: Path) -> None:
    (scans / "unsure.png").write_bytes(encoded(bar(6.5)))
    settings = PredictSettings(source=str(scans), audit=0, workers=1, device="cpu")
    assert predict(settings).review == 1
    predict(settings.model_copy(update={"max_error": 0.5, "audit": 1.0}))
    drawn = select(results_table()).filter(pc.field("audit").is_valid())
    assert drawn["path"].to_pylist() == ["unsure.png"]
    assert drawn["status"].to_pylist() == ["read"]


def test_a_source_is_read_more_strictly_once_people_found_more_errors_until_another_model_reads(
    scans: Path, home: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = PredictSettings(
        source=str(scans), audit=1, tighten=True, hold=False, workers=1, device="cpu"
    )
    assert predict(settings).strictness == 1
    for number in range(COUNT):
        say(number, scans, "8")
    new = scans / "new.png"
    new.write_bytes(encoded(bar(1)))
    assert predict(settings).strictness == 2  # more would leave nothing
    assert "2 times as strict as its calibration asks for, of 256" in capsys.readouterr().out
    bounds = {
        row["path"]: row["error_bound"]
        for row in select(results_table(), Query(history=True)).to_pylist()
        if row["answered_by"] is None
    }
    assert bounds["new.png"] == pytest.approx(2 * bounds["01.png"])
    elsewhere = settings.model_copy(update={"source": str(new)})  # the root is that folder
    assert predict(elsewhere).strictness == 2
    assert predict(settings.model_copy(update={"tighten": False})).strictness == 1
    register_champion(home, model_file, "better")
    new.write_bytes(encoded(bar(2)))
    assert predict(settings).strictness == 1


def test_what_people_say_is_no_reading_over_time(scans: Path) -> None:
    predict(PredictSettings(source=str(scans), audit=1, workers=1, device="cpu"))
    for number in range(5):
        say(number, scans, "1")
    [found] = drift(results_table(), SINCE, "day")
    assert found.found == COUNT
