"""The lines about a training say how well it went, and each check that failed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flows.terminal.training_log import (
    log_calibration,
    log_data,
    log_evaluation,
    log_export,
    log_less_evidence,
    log_orientation,
    log_shortfalls,
    log_verdict,
)
from tasks.contracts.training import Answer
from tasks.contracts.verdict import Check, Verdict
from tasks.not_measured import NotMeasured
from tasks.registry.card_parts import CardMetrics
from tasks.training.orientation_check import Readings, Way
from tests.bars import BAR_CALIBRATION
from tests.flows.terminal.test_reading_log import Lines
from tests.reporting.test_training_report import CARD

PASSED = Check(name="accuracy", requirement="at least 0.99", measured="0.995", passed=True)
FAILED = Check(
    name="recall",
    requirement="at least 0.95",
    measured="0.91",
    passed=False,
    finding="recall of 7 0.9100 < 0.9500",
)


def verdict_lines(*checks: Check, comparison: str = "") -> list[tuple[str, str]]:
    """Return the lines about a verdict."""
    lines = Lines()
    accepted = all(check.passed for check in checks)
    log_verdict(Verdict(accepted=accepted, checks=[*checks], comparison=comparison), lines)
    return lines.logged


def test_every_failed_check_has_a_line_with_what_was_found_and_required() -> None:
    first, *failures = verdict_lines(PASSED, FAILED, PASSED, FAILED, comparison="compared with v1")
    assert first == ("Gate", "2 of 4 checks passed, compared with v1")
    assert failures == [("", "FAIL  recall of 7 0.9100 < 0.9500 (required at least 0.95)")] * 2


def test_where_all_passed_or_nothing_was_checked_there_is_one_line() -> None:
    assert verdict_lines(PASSED) == [("Gate", "1 of 1 checks passed")]
    assert verdict_lines() == [("Gate", "0 of 0 checks passed")]


def test_the_lowest_error_that_is_named_is_one_that_the_model_supports() -> None:
    lines = Lines()
    log_calibration(BAR_CALIBRATION, lines)
    bounds = [guarantee.bound for guarantee in BAR_CALIBRATION.curve.guarantees()]
    assert lines.logged[1] == (
        "",
        f"lowest --max-error that it supports: {min(bounds):.2%} on every kind",
    )


def test_the_parts_of_the_data_are_counted_and_its_first_labels_shown_in_their_order() -> None:
    counts = {"train": [500] * 10, "calibration": [50] * 10, "test": [100] * 10}
    said = ["x_train: floats to integers"]
    facts = SimpleNamespace(name="mnist", counts=counts, first_labels=[5, 0, 4], converted=said)
    snapshot: Any = SimpleNamespace(facts=facts, digest="9c1f" * 16)
    lines = Lines()
    log_data(snapshot, lines)
    assert lines.logged == [
        ("Data", "mnist: 5,000 train, 500 calibration, 1,000 test (snapshot 9c1f9c1f9c1f)"),
        ("", "first labels: 5 0 4"),
        ("", "converted: x_train: floats to integers"),
    ]


def test_how_the_shipped_model_reads_the_data_is_told_or_why_nobody_looked() -> None:
    lines = Lines()
    log_orientation([Readings("test", 500, 0.998, Way(), 0.998, clearly=False)], lines)
    log_orientation(NotMeasured("no model ships"), lines)
    assert lines.logged == [
        ("Orientation", "as they are, the shipped model reads 99.8% of 500 of the test part right"),
        ("Orientation", "not checked: no model ships"),
    ]


def test_what_will_stop_a_candidate_from_serving_is_told_before_it_is_trained() -> None:
    lines = Lines()
    log_shortfalls(["the test part has 3 pictures"], lines)
    log_less_evidence(("v1", ["scans", "photos", "fog", "jpeg"]), lines)
    for nothing in (None, ("v1", []), NotMeasured("no card")):
        log_less_evidence(nothing, lines)
    assert lines.logged == [
        ("Too few", "the test part has 3 pictures, so that the gate will refuse"),
        (
            "Gate",
            "judges it without scans, photos, fog and 1 more slices, which v1 passed: it will be "
            "kept, and needs `models promote --override` to serve",
        ),
    ]


def test_a_wrong_sample_is_told_as_it_was_answered() -> None:
    sample = Answer(index=0, label=7, digit=2, confidence=0.512)
    metrics = CardMetrics.from_dict(CARD["metrics"])
    evaluation: Any = SimpleNamespace(metrics=metrics, sample=sample)
    lines = Lines()
    log_evaluation(evaluation, lines)
    (_, test), (_, one) = lines.logged
    assert test.startswith("99.10% of 1,000 right (95 % interval 98.30% to 99.52%)")
    assert one == "the first test picture is a 7. Model says: 2 (51.2% sure)"


def test_what_was_exported_is_named_with_its_size(tmp_path: Path) -> None:
    lines = Lines()
    (tmp_path / "model.onnx").write_bytes(bytes(1024 * 1500))
    log_export(tmp_path / "model.onnx", lines)
    assert lines.logged == [("Export", "model.onnx, 1,500 KiB")]
