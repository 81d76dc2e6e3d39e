"""The reports: both renderings, with hostile names, missing values and bounded size."""

import copy
import html
import math
import re
from dataclasses import asdict
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.metrics.calibration import threshold_for
from tasks.outcomes import MEANINGS, Reason
from tasks.registry.card import Card
from tasks.reporting.document import (
    MARKDOWN_LIMIT,
    Cell,
    Report,
    Section,
    Table,
    as_markdown,
    to_html,
    to_markdown,
)
from tasks.reporting.reading_report import Sample, reading_report
from tasks.reporting.svg import Figure
from tasks.reporting.training_report import TrainingPictures, training_report
from tasks.results.summary import Summary
from tests.bars import BAR_CALIBRATION

HOSTILE = "a|<script>alert('x')</script>\"&`*_[x](y)\n\udcff\u202e.png"
ANY_TEXT = st.text(st.characters(exclude_categories=()))
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
SUMMARY: dict[str, Any] = {
    "run_id": "calm-otter",
    "root": "/data/scans",
    "found": 205,
    "read": 193,
    "review": 7,
    "rejected": 5,
    "listed": 205,
    "unchanged": 0,
    "others": 0,
    "files": 205,
    "decided_anew": 0,
    "resumed": [],
    "rejected_now": None,
    "reasons": {"ok": 193, "low_confidence": 7, "truncated": 5},
    "digits": [20] * 10,
    "seconds": 0.42,
    "stages": {"decode": 0.3, "list": 0.02, "network": 0.1},
    "provider": "CPUExecutionProvider",
    "device": "EPYC, 2 cores",
    "model_version": "20251123-7f3a",
    "canonical_version": "1",
    "threshold": asdict(threshold_for(0.005, BAR_CALIBRATION.curve)),
    "results": "/state/results",
    "out": None,
    "rejects": [{"path": HOSTILE, "reason": "truncated", "detail": HOSTILE}] * 5,
    "started_at": "2025-11-23T06:43:02+00:00",
}
SAMPLES = [
    Sample(f"{name}.png", np.zeros((28, 28), np.uint8), digit, sure, status, reason)
    for name, digit, sure, status, reason in [
        ("b", 3, 0.7, "review", "low_confidence"),
        ("a", 8, 0.4, "review", "low_confidence"),
        ("c", 9, 0.99, "read", "ok"),
    ]
]


class Words(HTMLParser):
    """Collects the visible words of a page and the names of its elements."""

    def __init__(self, page: str) -> None:  # noqa: D107 - a helper of these tests
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.add(tag)


def changed(original: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(original), **changes}


def table(report: Report, title: str) -> list[list[str]]:
    found = next(section.table for section in report.sections if section.title == title)
    assert found
    return [[cell.words for cell in row] for row in found.cells()]


@pytest.mark.parametrize("name", ["http://x.org", "ftp://x", "WWW.x.org", "me@x.org", "<a@b.c>"])
def test_addresses_in_names_become_no_links(name: str) -> None:
    text = as_markdown(f"scan {name}.png")
    assert not re.search(r"(?<!\\)://|(?i:www)\.|(?<!\\)@|<", text)
    assert html.unescape(text.replace("\\", "")) == f"scan {name}.png"


@pytest.mark.parametrize(
    "report",
    [
        training_report(Card.from_dict(CARD), PICTURES),
        reading_report(Summary.from_dict(SUMMARY), SAMPLES),
    ],
)
def test_both_renderings_hold_every_section_figure_and_the_lead(report: Report) -> None:
    page, text = to_html(report), to_markdown(report)
    assert report.lead in Words(page).words
    assert f"**{report.lead[:20]}" in text
    for section in report.sections:
        assert section.title in Words(page).words
        assert f"## {section.title}\n" in text
    figures = [figure for section in report.sections for figure in section.figures]
    assert page.count("<svg") == text.count("data:image/svg+xml") == len(figures) > 0


def test_the_page_asks_nothing_from_elsewhere() -> None:
    report = training_report(Card.from_dict(CARD), PICTURES)
    page = to_html(report).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in page
    assert not Words(page).elements & {"script", "iframe", "img", "object"}


def test_hostile_names_are_shown_and_harmless_in_both_renderings() -> None:
    report = reading_report(Summary.from_dict(changed(SUMMARY, root=HOSTILE)), SAMPLES)
    page, text = Words(to_html(report)), to_markdown(report)
    assert "script" not in page.elements
    assert r"a|<script>alert('x')</script>" + r'"&`*_[x](y)\n\xff\u202e.png' in page.words
    assert "<script" not in text
    rejected = text.split("## Rejected")[1].split("##")[0]
    rows = [row.replace(r"\|", "") for row in rejected.splitlines() if row.startswith("|")]
    assert all(row.count("|") == 4 for row in rows)
    text.encode("utf-8")


@settings(deadline=None)  # the first call compiles the template
@given(ANY_TEXT, ANY_TEXT)
def test_any_words_render_as_utf8_without_new_elements(words: str, cell: str) -> None:
    report = Report(words, words, [Section(words, words, Table([words], [[cell], [Cell(cell)]]))])
    plain = Report("x", "x", [Section("x", "x", Table(["x"], [["x"], [Cell("x")]]))])
    assert Words(to_html(report)).elements <= Words(to_html(plain)).elements
    to_html(report).encode("utf-8")
    to_markdown(report).encode("utf-8")


def test_markdown_stays_small_by_leaving_out_the_largest_and_says_so() -> None:
    figures = [Figure("small", "<svg/>"), Figure("large", "<svg>" + " " * 200_000 + "</svg>")]
    rows = [["é" * 900] for _ in range(100)]
    text = to_markdown(Report("t", "l", [Section("s", "x", Table(["c"], rows), figures)]))
    assert len(text.encode()) < MARKDOWN_LIMIT
    assert "Left out to stay small: large" in text
    assert "![small]" in text


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
    assert table(report, "Gate")[0][3:5] == ["100", "failed"]


def test_a_training_report_shows_labels_sample_mistakes_and_counts() -> None:
    report = training_report(Card.from_dict(CARD), PICTURES)
    page = Words(to_html(report)).words
    assert {"Model says: 7", "2, was 7", "97.0 %"} <= set(page)
    assert table(report, "Data")[-1] == ["total", *["650"] * 10, "6,500"]
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
    assert [row[:3] for row in rows] == [["0", "400", "20"], ["0.9", "390", "1"]]
    assert rows[1][4] == "97.25 %"
    words = next(section.text for section in report.sections if section.title == "Calibration")
    assert "400 pictures of digits" in words
    assert "A digit score below 0.250 is no digit, below 0.800 a person has to look" in words


def test_a_reading_report_says_what_the_model_promised() -> None:
    outcome = reading_report(Summary.from_dict(SUMMARY), SAMPLES).sections[0]
    assert "Threshold 0.6: at most 0.10 % errors among what is read (95 % sure)" in outcome.text


def test_the_counts_of_a_reading_add_up_and_are_explained() -> None:
    report = reading_report(Summary.from_dict(SUMMARY), SAMPLES)
    assert report.lead == "Found 205 pictures: 193 read, 7 for review, 5 rejected."
    *parts, found = table(report, "Outcome")
    assert sum(int(row[1]) for row in parts) == int(found[1]) == SUMMARY["found"]
    reasons = table(report, "Reasons")
    assert ["truncated", "5", MEANINGS[Reason.TRUNCATED]] in reasons
    assert sum(int(row[1]) for row in reasons[:-1]) == int(reasons[-1][1]) == SUMMARY["found"]


def test_a_reading_whose_counts_do_not_add_up_says_so() -> None:
    report = reading_report(Summary.from_dict(changed(SUMMARY, found=206)), SAMPLES)
    assert "do not add up: +1" in report.lead
    assert report.tone == "bad"
    assert ["unaccounted for", "1", "0.49 %"] in table(report, "Outcome")


def test_files_with_several_pictures_are_told_apart_from_pictures() -> None:
    lead = reading_report(Summary.from_dict(changed(SUMMARY, files=200)), []).lead
    assert lead == "Found 205 pictures in 200 files: 193 read, 7 for review, 5 rejected."


def test_known_digits_give_the_lead_an_accuracy() -> None:
    report = reading_report(
        Summary.from_dict(changed(SUMMARY, accuracy={"right": 199, "labelled": 200})), []
    )
    assert report.lead.endswith("Of 200 whose digit is known, 199 (99.50 %) right.")


def test_pictures_for_review_come_least_sure_first() -> None:
    rows = table(reading_report(Summary.from_dict(SUMMARY), SAMPLES), "For review")
    assert [row[0] for row in rows] == ["a.png", "b.png"]


def test_a_reading_of_nothing_and_without_samples_is_reported() -> None:
    nothing = dict.fromkeys(["found", "read", "review", "rejected", "files"], 0)
    empty = changed(SUMMARY, **nothing, reasons={}, digits=[0] * 10, rejects=[])
    report = reading_report(Summary.from_dict(empty), [])
    assert report.lead == "Found 0 pictures: 0 read, 0 for review, 0 rejected."
    assert to_html(report)
    assert to_markdown(report)
