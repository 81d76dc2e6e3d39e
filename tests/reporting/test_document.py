"""Both renderings of a report, with hostile names, any words and bounded size."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.registry.card import Card
from tasks.reporting.document import (
    MARKDOWN_LIMIT,
    MARKDOWN_MARGINS,
    MARKDOWN_WIDTH,
    Cell,
    Report,
    Section,
    Table,
    as_markdown,
    to_html,
    to_markdown,
)
from tasks.reporting.reading_report import reading_report
from tasks.reporting.svg import Figure
from tasks.reporting.training_report import training_report
from tasks.results.summary import Summary
from tests.reporting.rendered import HOSTILE, Words, changed
from tests.reporting.test_reading_report import REJECTED, SAMPLES, SUMMARY
from tests.reporting.test_training_report import CARD, PICTURES

ANY_TEXT = st.text(st.characters(exclude_categories=()))


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
    summary = Summary.from_dict(changed(SUMMARY, root=HOSTILE))
    report = reading_report(summary, SAMPLES, [], REJECTED)
    page, text = Words(to_html(report)), to_markdown(report)
    assert "script" not in page.elements
    assert r"a|<script>alert('x')</script>" + r'"&`*_[x](y)\n\xff\u202e.png' in page.words
    assert "<script" not in text
    assert set(re.findall("<[^>]*>", text)) == {"<br>"}
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


def test_rows_are_broken_so_that_they_fit_the_page_of_prefects_ui() -> None:
    rows = [["passed", f"check {'of something ' * 5}", "0.99" * 20, "a requirement of 28 chars"]]
    text = to_markdown(Report("t", "l", [Section("s", "", Table(["a", "b", "c", "d"], rows))]))
    cells = text.strip().splitlines()[-1].strip("| ").split(" | ")
    longest = [max(map(len, cell.split("<br>"))) for cell in cells]
    assert sum(longest) <= MARKDOWN_WIDTH - MARKDOWN_MARGINS * len(cells)
    assert "".join(cells[2].split("<br>")) == "0.99" * 20
    assert cells[0] == "passed"


def test_a_link_to_the_page_stands_below_the_lead() -> None:
    report = Report("t", "lead", [Section("first")])
    assert "](" not in to_markdown(report)
    text = to_markdown(report, "/digitflow/reports/predict-1")
    link = "[Open the whole report as a page](/digitflow/reports/predict-1)"
    assert text.index("**lead**") < text.index(link) < text.index("## first")
