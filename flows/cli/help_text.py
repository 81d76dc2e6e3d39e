"""How help looks: headings, bold on a terminal, above two columns; at most 100 characters wide."""

import textwrap
from collections.abc import Sequence

import click

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
FIRST_COLUMN = 25  # characters at least, so that the columns of all sections are below each other

Rows = Sequence[tuple[str, str]]


def write_section(
    formatter: click.HelpFormatter, heading: str, rows: Rows, widest: int = 30
) -> None:
    """Write a heading and two columns below it, or nothing where there are no rows.

    What is wider than the first column may be has its second column on the next line.
    """
    if rows:
        with formatter.section(click.style(heading, bold=True)):
            padded = [(first.ljust(FIRST_COLUMN), second) for first, second in rows]
            formatter.write_dl(padded, col_max=widest)


def write_options(
    formatter: click.HelpFormatter, ctx: click.Context, params: Sequence[click.Parameter]
) -> None:
    """Write the options that have no heading of their own."""
    options = (param for param in params if not isinstance(param, click.Argument))
    records = (option.get_help_record(ctx) for option in options)
    write_section(formatter, "Options", [record for record in records if record is not None])


def write_note(formatter: click.HelpFormatter, text: str) -> None:
    """Write a paragraph in which the names of options stay whole."""
    formatter.write_paragraph()
    for line in textwrap.wrap(text, formatter.width, break_on_hyphens=False):
        formatter.write(line + "\n")
