"""Reports as their readers find them: their words, their tables; and hostile names."""

import copy
from html.parser import HTMLParser
from typing import Any

from tasks.reporting.document import Report

HOSTILE = "a|<script>alert('x')</script>\"&`*_[x](y)\n\udcff\u202e.png"


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
