"""A report as a value, and its two renderings: one HTML file, one markdown text for the Prefect UI.

Words may come from file names: both spell out what cannot be shown and escape the rest.
"""

import base64
import functools
import html
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from tasks.reporting.svg import Figure, Tone
from tasks.visible import visible

MARKDOWN_LIMIT = 200_000  # bytes; larger artifacts make the Prefect UI slow or fail to load
LONGEST_WORDS = 1000  # characters of one cell or paragraph in markdown
# characters of a row in markdown: the Prefect UI never breaks a cell, and has 708 px for it where
# the window has 1280; a character takes 7.5 px, the margins of a column 24 px
MARKDOWN_WIDTH = 94
MARKDOWN_MARGINS = 3.2
NARROWEST = 12  # characters of a column whose words are broken
MISSING = "\u2013"  # en dash: a value that is not there
TEMPLATE = Path(__file__).with_suffix(".html.j2")
NUMBER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?( %| s)?|" + MISSING)
# with what would make links of addresses: `://`, `@`, `www.`
MARKDOWN_SYNTAX = re.compile(r"[\"'\\`*_{}\[\]()#+!|~$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)


@dataclass(frozen=True)
class Cell:
    """Words of a table with a tone; a plain string is a cell without one."""

    words: str
    tone: Tone = ""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; with `total` the last row is the sum of those above it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    total: bool = False

    def cells(self) -> list[list[Cell]]:
        """Return the rows with every entry as a `Cell`."""
        return [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in self.rows]

    def numeric(self) -> list[bool]:
        """Return which columns after the first hold only numbers, to be set flush right."""
        rows = self.cells()
        return [
            index > 0 and all(NUMBER.fullmatch(row[index].words) for row in rows)
            for index in range(len(self.columns))
        ]


@dataclass(frozen=True)
class Section:
    """A heading with, in this order, words, figures and a table, each of them optional."""

    title: str
    text: str = ""
    table: Table | None = None
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Report:
    """What a run has to say: the lead is the whole answer in one or two sentences."""

    title: str
    lead: str
    sections: Sequence[Section]
    tone: Tone = ""
    note: str = ""  # when and by what it was written


def percent(share: float | None, digits: int = 2) -> str:
    """Return a share as `99.21 %`, or a dash where it is missing or not a number."""
    return MISSING if share is None or math.isnan(share) else f"{100 * share:.{digits}f} %"


def number(value: float | None, digits: int = 4) -> str:
    """Return a value with fixed decimals, or a dash where it is missing or not a number."""
    return MISSING if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def plural(count: int, noun: str = "picture") -> str:
    """Return `1 picture`, `1,234 pictures`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def facts(values: Mapping[str, Any]) -> Table:
    """Return a table of names and values."""
    return Table(("Fact", "Value"), [(name, str(value)) for name, value in values.items()])


def to_html(report: Report) -> str:
    """Return the report as one HTML file that needs nothing from elsewhere."""
    return _template().render(report=report)


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _shown(value: object) -> object:
    return value if isinstance(value, markupsafe.Markup) else visible(str(value))


def to_markdown(report: Report, link: str = "") -> str:
    """Return the report as markdown below `MARKDOWN_LIMIT` bytes.

    Where it would be larger, the largest figures and tables are left out, and it says which.
    """
    pieces: list[tuple[str, str]] = [
        ("", f"# {as_markdown(report.title)}\n\n**{as_markdown(report.lead)}**")
    ]
    pieces += [("", f"[Open the whole report as a page]({link})")] if link else []
    for section in report.sections:
        pieces.append(("", f"## {as_markdown(section.title)}"))
        pieces += [("", as_markdown(section.text))] if section.text else []
        pieces += [(figure.title, _image(figure)) for figure in section.figures]
        pieces += [(f"table of {section.title}", _table(section.table))] if section.table else []
    pieces += [("", as_markdown(report.note))] if report.note else []
    return _bounded(pieces)


def _bounded(pieces: list[tuple[str, str]]) -> str:
    """Return the pieces as one text; named ones are left out, largest first, until it fits."""
    kept, left_out = list(pieces), list[str]()
    while True:
        words = f"*Left out to stay small: {as_markdown('; '.join(left_out))}.*" if left_out else ""
        text = "\n\n".join([*(text for _, text in kept), words]).rstrip() + "\n"
        text = text.replace(")\n\n![", ")\n![")  # neighbours in one paragraph flow side by side
        named = [piece for piece in kept if piece[0]]
        if len(text.encode()) < MARKDOWN_LIMIT or not named:
            return text
        largest = max(named, key=lambda piece: len(piece[1]))
        kept.remove(largest)
        left_out.append(largest[0])


def _image(figure: Figure) -> str:
    data = base64.b64encode(figure.svg.encode()).decode("ascii")
    return f"![{as_markdown(figure.title)}](data:image/svg+xml;base64,{data})"


def _table(table: Table) -> str:
    rule = ["---:" if numeric else "---" for numeric in table.numeric()]
    widths = _widths(table)
    rows = [
        [_broken(cell.words, width) for cell, width in zip(row, widths, strict=True)]
        for row in table.cells()
    ]
    if table.total and rows:
        rows[-1] = [f"**{words}**" if words else "" for words in rows[-1]]
    lines = [[as_markdown(column) for column in table.columns], rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _widths(table: Table) -> list[int]:
    """Return how many characters a line of each column has, so that a row fits the page."""
    columns = zip(table.columns, *(map(_words, row) for row in table.cells()), strict=True)
    longest = [max(map(len, column)) for column in columns]
    room = MARKDOWN_WIDTH - MARKDOWN_MARGINS * len(longest)
    widths = [min(length, LONGEST_WORDS) for length in longest]
    while sum(widths) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _words(cell: Cell) -> str:
    return visible(cell.words)


def _broken(words: str, width: int) -> str:
    """Return the words of a cell in lines of at most so many characters."""
    if len(words) <= width:
        return as_markdown(words)
    lines = textwrap.wrap(_middle_cut(visible(words)), width, replace_whitespace=False)
    return "<br>".join(map(as_markdown, lines))


def _middle_cut(words: str) -> str:
    if len(words) <= LONGEST_WORDS:
        return words
    return f"{words[: LONGEST_WORDS // 2]} … {words[-LONGEST_WORDS // 2 :]}"


def as_markdown(words: str) -> str:
    """Return words that markdown shows as they are: its syntax escaped, the middle cut."""
    # backslashes, since the Prefect UI shows numeric entities as they are written
    return html.escape(MARKDOWN_SYNTAX.sub(r"\\\g<0>", visible(_middle_cut(words))), quote=False)
