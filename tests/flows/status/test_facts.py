"""What serves, what was read and what waits, as the history, the runs and the table have it."""

import json
from pathlib import Path

import pytest

from flows.predict import predict
from flows.promote import rollback
from flows.status.facts import BATCHES, Serving, Waiting, facts, last_batches, what_serves
from tasks.registry.registry import Registry, ship
from tasks.settings.base import results_table
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.helpers import register_champion
from tests.results.test_table import read_row, rejected_row, store

REVIEW = {"status": "review", "reason": "low_confidence"}


def test_where_none_was_promoted_the_model_that_ships_serves(home: Path, model_file: Path) -> None:
    assert "no model" in str(what_serves().trouble)
    ship(register_champion(home.parent / "maker", model_file, "shipped"))
    found = what_serves()
    assert (found.version, found.shipped, found.action, found.since) == (
        *("shipped", True),
        *(None, None),
    )


def test_promotions_and_rollbacks_say_who_when_why_and_what_was_replaced(
    home: Path, model_file: Path
) -> None:
    ship(register_champion(home.parent / "maker", model_file, "shipped"))
    register_champion(home, model_file, "first")
    register_champion(home, model_file, "second")
    found = what_serves()
    last = Registry(home / "models").history()[-1]
    assert found == Serving(
        version="second",
        action="promote",
        since=last["time"],
        by=last["actor"],
        why="made for a test",
        replaced="first",
    )
    rollback("it was worse on Mondays")
    found = what_serves()
    assert (found.version, found.action, found.why, found.replaced, found.shipped) == (
        *("first", "rollback", "it was worse on Mondays", "second", False),
    )
    rollback("and so was that")
    assert (what_serves().version, what_serves().shipped, what_serves().action) == (
        *("shipped", True, "rollback"),
    )


def test_a_champion_that_was_changed_or_a_history_that_was_is_told_and_no_error(
    home: Path, model_file: Path
) -> None:
    version = register_champion(home, model_file)
    version.onnx.chmod(0o600)
    version.onnx.write_bytes(b"another")
    found = what_serves()
    assert (found.version, found.action) == ("tiny", "promote")
    assert "SHA-256" in str(found.trouble)
    history = home / "models" / "history.jsonl"
    history.write_text(history.read_text().replace("made for a test", "made by me"))
    assert what_serves().version is None
    assert "accept-history" in str(what_serves().trouble)


def test_only_the_last_reading_of_a_file_waits_and_each_of_its_pages_does(home: Path) -> None:
    assert facts().waiting == Waiting()
    store(
        results_table(),
        read_row("a.png", **REVIEW),
        read_row("b.tif", **REVIEW),
        read_row("b.tif", page=1, status="review", reason="ambiguous"),
        read_row("b.tif", page=2),
        rejected_row("c.txt"),
    )
    assert facts().waiting == Waiting(3, {"low_confidence": 2, "ambiguous": 1})
    store(results_table(), read_row("a.png", "run-2"), shard=1)
    store(results_table(), read_row("b.tif", "run-2", root="/elsewhere"), shard=1)
    assert facts().waiting.pictures == 2
    store(results_table(), read_row("b.tif", "run-3", **REVIEW))
    assert facts().waiting == Waiting(1, {"low_confidence": 1})


def test_the_last_batches_are_those_that_found_something_the_newest_first(
    home: Path, tmp_path: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    assert last_batches(home / "runs") == []
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "7.png").write_bytes(encoded(bar(7)))
    (folder / "broken.png").write_bytes(b"no picture")
    first = predict(PredictSettings(source=str(folder)))
    predict(PredictSettings(source=str(folder)))  # nothing new
    (home / "runs" / "predict-99999999-000000-0000").mkdir()  # goes on, or was stopped
    other = home / "runs" / "predict-99999999-000001-0000"
    other.mkdir()
    (other / "summary.json").write_text('{"of": "another version"}')
    (batch,) = last_batches(home / "runs")
    assert (batch.run_id, batch.source, batch.model) == (first.run_id, str(folder), "tiny")
    assert (batch.read, batch.review, batch.rejected) == (1, 0, 1)
    assert batch.rejects == {"unsupported_format": 1}
    for number in range(BATCHES):
        (later := home / "runs" / f"predict-88888888-00000{number}-0000").mkdir()
        (later / "summary.json").write_text(json.dumps(first.to_dict() | {"run_id": later.name}))
    newest = [batch.run_id[-6] for batch in last_batches(home / "runs")]
    assert newest == [str(number) for number in reversed(range(BATCHES))]


def test_a_table_that_cannot_be_read_is_told_in_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "results" / "_delta_log").mkdir(parents=True)
    (tmp_path / "results" / "_delta_log" / "00000000000000000000.json").write_text("{")
    monkeypatch.setenv("DIGITFLOW_RESULTS", str(tmp_path / "results"))
    assert facts().waiting.trouble
