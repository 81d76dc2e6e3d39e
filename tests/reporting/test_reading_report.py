"""A reading is reported in counts that add up, whatever was read."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from tasks.inference.batch import Seconds
from tasks.outcomes import MEANINGS, Reason
from tasks.reporting.document import MISSING, to_html, to_markdown
from tasks.reporting.reading_report import (
    STAGES,
    RejectedPage,
    Sample,
    Unshown,
    reading_report,
)
from tasks.results.summary import Summary
from tasks.timing import OTHER, WAIT
from tests.bars import bar_threshold
from tests.reporting.rendered import HOSTILE, changed, table
from tests.reporting.test_audit_words import FOUND

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
    "threshold": asdict(bar_threshold()),
    "results": "/state/results",
    "out": None,
    "rejects": [{"path": HOSTILE, "reason": "truncated", "detail": HOSTILE}] * 5,
    "started_at": "2025-11-23T06:43:02+00:00",
}
REJECTED = [
    RejectedPage(HOSTILE, 0, "truncated", HOSTILE),
    *(RejectedPage("many.pdf", page, "truncated", "ends early") for page in (0, 1, 2, 7)),
]
SAMPLES = [
    Sample(f"{name}.png", np.zeros((28, 28), np.uint8), digit, sure, status, reason)
    for name, digit, sure, status, reason in [
        ("b", 3, 0.7, "review", "low_confidence"),
        ("a", 8, 0.4, "review", "low_confidence"),
        ("c", 9, 0.99, "read", "ok"),
    ]
]


def test_a_reading_report_says_what_the_model_promised() -> None:
    outcome = reading_report(Summary.from_dict(SUMMARY), SAMPLES).sections[0]
    assert "Threshold 0.6: at most 0.14 % errors among what is read (95 % sure)" in outcome.text


def test_where_kinds_are_told_apart_the_report_says_what_is_promised_and_found_of_each() -> None:
    threshold = asdict(bar_threshold())
    counts = {"found": 5, "read": 4, "review": 1, "rejected": 0}
    none = dict.fromkeys(counts, 0)
    facts = {
        **SUMMARY,
        "promise": "At most 0.40 % errors",
        "kinds": [
            {"kind": "clean", "threshold": threshold, **counts},
            {"kind": "faint", "threshold": None, **none},
        ],
    }
    report = reading_report(Summary.from_dict(facts), SAMPLES)
    assert "At most 0.40 % errors." in report.sections[0].text
    assert table(report, "Kinds of pictures") == [
        ["clean", "0.6", "0.14 %", "98 %", "5", "4", "80 %"],
        ["faint", "none", MISSING, "0 %", "0", "0", MISSING],
    ]


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


def test_pages_of_one_file_stay_together_and_are_named() -> None:
    blank = np.zeros((28, 28), np.uint8)
    pages = [("a.tif", 0.2, 3), ("b.png", 0.4, 0), ("a.tif", 0.6, 0)]
    samples = [Sample(path, blank, 1, sure, "review", "ok", page) for path, sure, page in pages]
    rows = table(reading_report(Summary.from_dict(SUMMARY), samples), "For review")
    assert [row[0] for row in rows] == ["a.tif, page 3", "a.tif", "b.png"]


def test_rejects_are_told_by_reason_with_the_pages_of_a_file_in_one_row() -> None:
    report = reading_report(Summary.from_dict(SUMMARY), [], [], REJECTED)
    assert table(report, "Rejected: truncated") == [
        [HOSTILE, "0", HOSTILE],
        ["many.pdf", "0 to 2, 7", "ends early"],
    ]
    assert MEANINGS[Reason.TRUNCATED] in to_html(report)


def test_the_most_frequent_reason_comes_first_and_each_shows_its_pictures() -> None:
    ink = np.zeros((60, 90, 3), np.uint8)
    reasons = changed(SUMMARY, rejected=9, reasons={"ok": 196, "blank": 7, "not_a_digit": 2})
    rejected = [
        RejectedPage("a-name-that-is-long.png", 0, "not_a_digit", "0.1", ink),
        RejectedPage("b.pdf", 0, "blank", "", ink),
        RejectedPage("b.pdf", 1, "blank", ""),
        RejectedPage("c.pdf", 4, "blank", "", ink),
    ]
    report = reading_report(Summary.from_dict(reasons), [], [], rejected)
    sections = [each for each in report.sections if each.title.startswith("Rejected")]
    assert [each.title for each in sections] == ["Rejected: blank", "Rejected: not_a_digit"]
    assert sections[0].text == "7 pictures: no ink was found, 3 of them shown."
    blank, other = (each.figures[0].svg for each in sections)
    assert blank.count("<image") == 2
    assert "data:image/jpeg" in blank
    for words in ("b.pdf", "2 pages", "page 4"):
        assert f">{words}<" in blank
    assert ">…is-long.png<" in other


def test_a_reading_of_nothing_and_without_samples_is_reported() -> None:
    nothing = dict.fromkeys(["found", "read", "review", "rejected", "files"], 0)
    empty = changed(SUMMARY, **nothing, reasons={}, digits=[0] * 10, rejects=[])
    report = reading_report(Summary.from_dict(empty), [])
    assert report.lead == "Found 0 pictures: 0 read, 0 for review, 0 rejected."
    assert to_html(report)
    assert to_markdown(report)


def test_pictures_that_cannot_be_shown_are_named_with_the_reason() -> None:
    unshown = [Unshown(HOSTILE, 2, "vanished"), Unshown("b.png", 0, "decoder_timeout")]
    report = reading_report(Summary.from_dict(SUMMARY), SAMPLES, unshown)
    rows = [[HOSTILE, "2", "vanished"], ["b.png", "0", "decoder_timeout"]]
    assert table(report, "Not shown") == rows
    titles = [section.title for section in reading_report(Summary.from_dict(SUMMARY), []).sections]
    assert "Not shown" not in titles


def test_a_picture_without_a_confidence_is_the_least_sure() -> None:
    blank = np.zeros((28, 28), np.uint8)
    sures = [("a", 0.4), ("b", None), ("c", math.nan), ("d", 0.0)]
    samples = [Sample(name, blank, None, sure, "review", "no_answer") for name, sure in sures]
    report = reading_report(Summary.from_dict(SUMMARY), samples)
    names = [row[0] for row in table(report, "For review")]
    assert (set(names[:2]), names[2:]) == ({"b", "c"}, ["d", "a"])
    assert "nan" not in str(table(report, "For review"))


def test_the_time_of_every_stage_of_a_reading_has_words_and_the_longest_comes_first() -> None:
    stages = [*vars(Seconds()), "commit", WAIT, OTHER]
    assert set(stages) <= set(STAGES)
    seconds = {name: float(number) for number, name in enumerate(stages, 1)}
    rows = table(reading_report(Summary.from_dict(changed(SUMMARY, stages=seconds)), []), "Time")
    assert [row[0] for row in rows[:-1]] == [STAGES[name] for name in reversed(stages)]
    assert rows[-1][1] == f"{sum(seconds.values()):.2f} s"


def test_what_was_not_read_by_this_run_is_told_apart() -> None:
    others = changed(SUMMARY, decided_anew=3, unchanged=1_000, others=2)
    lead = reading_report(Summary.from_dict(others), []).lead
    assert "3 files of them were read before, under another accepted error." in lead
    assert "1,000 more files had not changed since an earlier reading." in lead
    assert "2 more files were read by another run meanwhile." in lead


def test_what_people_answered_stands_in_the_report_where_pictures_are_drawn() -> None:
    report = reading_report(Summary.from_dict(SUMMARY), SAMPLES, audits=[FOUND])
    assert table(report, "Audit")[0][:4] == ["/srv/scans", FOUND.model, "412", "1"]
    without = reading_report(Summary.from_dict(SUMMARY), SAMPLES)
    assert "Audit" not in [section.title for section in without.sections]


def test_a_reading_that_was_stricter_than_usual_says_why() -> None:
    stricter = reading_report(Summary.from_dict(changed(SUMMARY, strictness=4.0)), [])
    assert "It was read 4 times as strictly" in stricter.lead
    assert "strictly" not in reading_report(Summary.from_dict(SUMMARY), []).lead
