"""A training is reported with what it found, whatever is missing of it."""

import math
from typing import Any

import numpy as np

from tasks.registry.card import Card
from tasks.reporting.document import Report, Section, to_html, to_markdown
from tasks.reporting.training_report import TrainingPictures, training_report
from tests.reporting.rendered import Words, changed, table

PICTURES = TrainingPictures(
    first=np.zeros((10, 28, 28), np.uint8),
    sample=np.zeros((28, 28), np.uint8),
    mistakes=np.zeros((1, 28, 28), np.uint8),
)
CONFUSION = np.diag([100] * 10)
CONFUSION[7, 2], CONFUSION[7, 7] = 9, 91
CARD: dict[str, Any] = {
    "version": "20251123-7f3a",
    "created_at": "2025-11-23T06:41:12+00:00",
    "git_commit": None,
    "packages": {"keras": "3.15.1"},
    "device": {"kind": "cpu", "name": "EPYC", "detail": "EPYC, 2 cores"},
    "dataset": {
        "name": "mnist",
        "digest": "9c1f" * 16,
        "source": "a mirror",
        "counts": {"train": [500] * 10, "calibration": [50] * 10, "test": [100] * 10},
        "first_labels": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
        "duplicates": {"train_test": 3, "conflicting_labels": 0},
    },
    "settings": {"seed": 1, "min_recall": 0.95},
    "recipe": {"name": "quick"},
    "layers": [{"name": "p", "type": "Dense", "output_shape": [10], "parameters": 650}],
    "history": [
        {
            "epoch": 1,
            "loss": 0.4,
            "accuracy": 0.9,
            "val_loss": 0.2,
            "val_accuracy": 0.95,
            "seconds": 3,
        }
    ],
    "calibration": {
        **{"temperature": 1.2, "error_before": 0.02, "error_after": 0.004},
        **{"min_digit_score": 0.25, "sure_digit_score": 0.8, "no_digits": 100},
        **{"no_digits_rejected": 0.9, "no_digits_refused": 0.95},
        "curve": {
            **{"digits": 400, "thresholds": [0.0, 0.9]},
            **{"accepted": [400, 390], "wrong": [20, 1]},
        },
    },
    "metrics": {
        "count": 1000,
        "correct": 991,
        "accuracy": 0.991,
        "accuracy_low": 0.983,
        "accuracy_high": 0.9952,
        "loss": 0.03,
        "calibration_error": 0.004,
        "recall": [1.0] * 7 + [0.91] + [1.0] * 2,
        "confusion": CONFUSION.tolist(),
        "mistakes": [{"index": 8, "label": 7, "digit": 2, "confidence": 0.97}],
    },
    "sample": {"index": 0, "label": 7, "digit": 7, "confidence": 0.999},
    "parity": {"count": 64, "batch_sizes": [1, 64], "same_digits": True, "max_difference": 1e-7},
    "verdict": {
        "accepted": True,
        "against": "20251101-11aa",
        "comparison": "compared with 20251101-11aa",
        "sentence": "Accepted: all 1 checks passed",
        "checks": [
            {
                "name": "recall of 7 on photos",
                "requirement": "at least 0.9000",
                "measured": "0.9100 (91 of 100)",
                "passed": True,
                "explanation": "share found",
                "count": 100,
            }
        ],
    },
    "files": {"model.onnx": "ab12" * 16},
    "card_sha256": "",
}
NOTHING_CHECKED = {
    **{"accepted": False, "checks": [], "against": None, "comparison": ""},
    "sentence": "Refused: nothing was checked",
}


def test_an_accepted_model_leads_with_its_accuracy_and_interval() -> None:
    report = training_report(Card.from_dict(CARD), PICTURES)
    assert report.lead == (
        "Accepted: 99.10 % of 1,000 test digits right (95 % interval 98.30 to 99.52 %)."
    )
    assert report.tone == "good"


def test_a_refused_model_leads_with_what_failed() -> None:
    check = changed(CARD["verdict"]["checks"][0], passed=False, requirement="at least 0.9300")
    sentence = "Refused: recall of 7 on photos 0.9100 < 0.9300"
    verdict = changed(CARD["verdict"], accepted=False, checks=[check], sentence=sentence)
    report = training_report(Card.from_dict(changed(CARD, verdict=verdict)), PICTURES)
    assert report.lead == f"{sentence}."
    assert report.tone == "bad"
    assert report.sections[0].title == "Gate"
    assert table(report, "Gate")[0][0] == "failed"
    assert table(report, "What the gate checks")[0][1] == "100"


def test_a_training_report_shows_labels_sample_mistakes_and_counts() -> None:
    report = training_report(Card.from_dict(CARD), PICTURES)
    page = Words(to_html(report)).words
    assert {"Model says: 7", "2, was 7", "97.0 %"} <= set(page)
    assert table(report, "Data")[-1][-1] == "6,500"
    assert [row[-1] for row in table(report, "Data")[:-1]] == ["650"] * 10
    assert ["7", "100", "91.00 %"] in table(report, "Evaluation")


def test_a_training_report_is_made_without_history_metrics_and_numbers() -> None:
    epoch = changed(CARD["history"][0], loss=math.nan, val_accuracy=math.nan)
    metrics = changed(CARD["metrics"], loss=math.nan, recall=[math.nan] * 10, mistakes=[])
    bare = {"version": "v1", "verdict": NOTHING_CHECKED, "files": {}, "card_sha256": ""}
    cases: list[dict[str, Any]] = [
        changed(CARD, history=[epoch], metrics=metrics),
        changed(CARD, history=[], files={}),
        changed(CARD, metrics=None, sample=None, parity=None, verdict=NOTHING_CHECKED),
        bare,
    ]
    for values in cases:
        report = training_report(Card.from_dict(values), PICTURES)
        assert "nan" not in Words(to_html(report)).words
        assert to_markdown(report)


def test_a_training_report_says_what_each_threshold_promises() -> None:
    report = training_report(Card.from_dict(CARD), PICTURES)
    rows = table(report, "Calibration")
    assert [row[1:4] for row in rows] == [["0", "400", "20"], ["0.9", "390", "1"]]
    assert {row[0] for row in rows} == {"every kind"}
    assert rows[1][5] == "97.25 %"
    words = next(section.text for section in report.sections if section.title == "Calibration")
    assert "400 pictures of digits" in words
    assert "A digit score below 0.250 is no digit, below 0.800 a person has to look" in words


def test_a_digit_below_its_floor_stands_out_and_without_a_floor_none_does() -> None:
    def recalls(settings: dict[str, Any]) -> list[str]:
        report = training_report(Card.from_dict(changed(CARD, settings=settings)), PICTURES)
        [rows] = [s.table.cells() for s in report.sections if s.title == "Evaluation" and s.table]
        return [row[2].tone for row in rows]

    assert recalls({"min_recall": 0.95}) == [""] * 7 + ["bad"] + [""] * 2
    assert recalls({"min_recall": "much"}) == recalls({}) == [""] * 10


def test_a_wrong_sample_is_shown_as_wrong() -> None:
    wrong = {"index": 0, "label": 7, "digit": 2, "confidence": 0.5}
    for sample, tone in ((wrong, "bad"), (CARD["sample"], "good")):
        report = training_report(Card.from_dict(changed(CARD, sample=sample)), PICTURES)
        [section] = [section for section in report.sections if section.title == "One picture"]
        assert f"Model says: {sample['digit']}" in section.text
        assert tone in section.figures[0].svg


def test_fewer_pictures_than_labels_or_mistakes_are_shown_with_their_own() -> None:
    mistakes = [{"index": n, "label": 7, "digit": n, "confidence": 0.9 - n / 10} for n in range(5)]
    card = changed(CARD, metrics=changed(CARD["metrics"], mistakes=mistakes))
    few = TrainingPictures(PICTURES.first[:2], PICTURES.sample, PICTURES.mistakes)
    page = Words(to_html(training_report(Card.from_dict(card), few))).words
    assert "0, was 7" in page
    assert "1, was 7" not in page


def test_what_an_accepted_model_changes_is_a_part_of_its_report() -> None:
    changes = Report("What v2 changes", "2 of 3 change.", [Section("Pictures"), Section("Files")])
    report = training_report(Card.from_dict(CARD), PICTURES, changes)
    titles = [section.title for section in report.sections]
    at = titles.index("Changed answers")
    assert titles[at : at + 3] == ["Changed answers", "Pictures", "Files"]
    assert report.sections[at].text == "2 of 3 change."
