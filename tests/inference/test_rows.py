"""Pages and answers become columns; a name is text that says every byte."""

import os
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.imaging.form import Ink
from tasks.inference.decision import Thresholds
from tasks.inference.rows import LONGEST_DETAIL, Page, rows_of
from tasks.inference.session import Answers
from tasks.inputs.base import Roots, printable, unprintable
from tasks.outcomes import STATUSES, Reason, Undecodable
from tasks.results.schema import PROBABILITIES, SCHEMA
from tests.bars import bar

THRESHOLDS = Thresholds(0.8, 0.5, 0.6)
SAME = {
    "model_version": "m",
    "canonical_version": "1",
    "instead_of": None,
    "run_id": "run-1",
    "read_at": datetime(2026, 1, 2, tzinfo=UTC),
}
INK = Ink("dark_on_light", contrast=200, share=0.1, box=(1, 2, 3, 4), stroke_width=2.5, groups=1)
# names in which escapes, backslashes and bytes that are no UTF-8 meet
NAMES = st.one_of(
    st.binary(max_size=12),
    st.lists(st.sampled_from([b"\\", b"x", b"e", b"9", b"\xe9", b"\xc3\xa9", b"\n"])).map(b"".join),
    st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@given(NAMES)
def test_a_name_comes_back_from_its_text(name: bytes) -> None:
    text = printable(name)
    assert unprintable(text) == name
    text.encode()  # every table and terminal takes it


@given(NAMES, NAMES)
def test_no_two_names_are_one_text(one: bytes, other: bytes) -> None:
    assert (printable(one) == printable(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"a/b c.png", "a/b c.png"),
        ("café ✓".encode(), "café ✓"),
        (b"caf\xe9", r"caf\xe9"),
        (rb"caf\xe9", r"caf\\xe9"),
        (b"\\", "\\"),
        (rb"scans\win\4.png", r"scans\win\4.png"),
        (rb"\\server\x\xE9", r"\\server\x\xE9"),
        (rb"\\xe9", r"\\\\xe9"),
        (b"\\\xe9", r"\\\xe9"),
        (b"line\nfeed", "line\nfeed"),
        (b"\xed\xb3\xa9", r"\xed\xb3\xa9"),
    ],
)
def test_a_name_is_shown_as_it_is_where_that_can_be(name: bytes, text: str) -> None:
    assert printable(name) == text


def page(name: str, **facts: Any) -> Page:
    """Return a page; with ink unless it has an error."""
    shown = {} if "error" in facts else {"forms": (bar(3),), "ink": INK}
    return Page(
        os.fsencode(name), **{"size": 5, "mtime_ns": 6, "content_hash": "ab"} | shown | facts
    )


def answers(*confidences: float, scores: list[float] | None = None) -> Answers:
    """Return answers of which each is the next digit, so sure."""
    others = (1 - np.array(confidences, np.float32)) / 9
    probabilities = np.repeat(others[:, None], 10, axis=1)
    probabilities[range(len(confidences)), range(len(confidences))] = confidences
    return Answers(probabilities, None if scores is None else np.array(scores, np.float32))


def table(pages: list[Page], answered: Answers) -> list[dict[str, Any]]:
    """Return the rows."""
    found = rows_of(pages, answered, THRESHOLDS, Roots(("/pictures",)), SAME)
    assert found.schema == SCHEMA
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def test_answers_belong_to_the_pages_with_ink_in_their_order() -> None:
    error = Undecodable(Reason.TRUNCATED, "cut")
    pages = [
        page("0", error=error),
        page("1"),
        page("2", number=1, error=error),
        page("3"),
        page("4", number=7),
    ]
    rows = table(pages, answers(0.9, 0.7, 0.99))
    assert [(row["path"], row["page"], row["reason"], row["digit"]) for row in rows] == [
        ("0", 0, "truncated", None),
        ("1", 0, "ok", 0),
        ("2", 1, "truncated", None),
        ("3", 0, "low_confidence", 1),
        ("4", 7, "ok", 2),
    ]
    assert all(row["status"] == STATUSES[row["reason"]] for row in rows)
    assert [row["confidence"] for row in rows] == [
        None,
        pytest.approx(0.9),
        None,
        pytest.approx(0.7),
        pytest.approx(0.99),
    ]
    assert all(row[name] == value for row in rows for name, value in SAME.items())
    assert rows[3]["p1"] == pytest.approx(0.7)
    assert rows[3]["p2"] == pytest.approx(0.3 / 9)


def test_what_is_rejected_has_no_answer_but_the_facts_that_are_known() -> None:
    several = Ink("canonical", contrast=9, share=0.5, box=(0, 0, 9, 9), groups=3, other_digits=2)
    blank = page("blank", error=Undecodable(Reason.BLANK, "contrast 3 of 255"))
    blank.ink = Ink("none", contrast=3)
    pages = [page("several", ink=several), page("none"), blank]
    rows = table(pages, answers(0.9, 0.9, scores=[0.9, 0.25]))
    assert all(
        row[name] is None for row in rows for name in ("digit", "confidence", *PROBABILITIES)
    )
    assert [(row["reason"], row["detail"]) for row in rows] == [
        ("several_digits", "2 more of the digit's size"),
        ("not_a_digit", "digit score 0.250"),
        ("blank", "contrast 3 of 255"),
    ]
    assert [row["digit_score"] for row in rows] == [pytest.approx(0.9), 0.25, None]
    assert [row["ink"]["rivals"] for row in rows] == [2, 0, 0]
    assert (rows[2]["ink"]["polarity"], rows[2]["size"]) == ("none", 5)


def test_an_answer_that_is_no_probability_is_a_row_that_says_so_and_has_none() -> None:
    odd = answers(0.9, 0.9, 0.9, scores=[0.9, 0.9, float("nan")])
    odd.probabilities[0, 4] = np.nan
    rows = table([page("0"), page("1"), page("2")], odd)
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("rejected", "no_answer"),
        ("read", "ok"),
        ("rejected", "no_answer"),
    ]
    names = ("digit", "confidence", "digit_score", *PROBABILITIES)
    assert all(row[name] is None for row in (rows[0], rows[2]) for name in names)
    assert rows[0]["detail"].startswith("probabilities [0.89")
    assert rows[2]["detail"] == "digit score nan"


@pytest.mark.parametrize("count", [1, 4])
def test_one_answer_for_all_pictures_is_not_spread_over_them(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} answers for 3 pictures"):
        table([page("0"), page("1"), page("2")], answers(*[0.9] * count))


def test_facts_about_ink_stand_in_their_fields_and_are_null_without_a_picture() -> None:
    missing = page("gone", error=Undecodable(Reason.VANISHED, "gone"), size=None, mtime_ns=None)
    with_ink, without = table([page("a"), missing], answers(0.9))
    assert with_ink["ink"] == {
        "polarity": "dark_on_light",
        "contrast": 200,
        "share": pytest.approx(0.1),
        "left": 1,
        "top": 2,
        "width": 3,
        "height": 4,
        "stroke_width": 2.5,
        "groups": 1,
        "rivals": 0,
        "touches_edge": False,
        "removed": "",
    }
    assert all(without[name] is None for name in ("ink", "size", "mtime_ns", "digit_score"))


def test_what_a_decoder_says_is_kept_up_to_a_limit() -> None:
    long = page("a", error=Undecodable(Reason.UNREADABLE, "x" * 10_000))
    [row] = table([long], answers())
    assert row["detail"] == "x" * LONGEST_DETAIL


def test_no_pages_are_no_rows() -> None:
    assert table([], answers()) == []
    assert table([], answers(scores=[])) == []
