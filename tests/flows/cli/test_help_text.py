"""Help stays within its width, and nothing in it that is to be typed is torn apart."""

import subprocess
import sys

import click
import pytest

from flows.cli.help_text import FIRST_COLUMN, write_note, write_options, write_section

COMMAND = (sys.executable, "-m", "flows.cli.main")


def test_help_in_a_file_has_no_codes_for_a_terminal() -> None:
    done = subprocess.run([*COMMAND, "predict", "--help"], capture_output=True, check=True)
    assert b"\x1b" not in done.stdout


def written(width: int) -> click.HelpFormatter:
    """Return what help of a width is written to."""
    return click.HelpFormatter(width=width, max_width=width)


@pytest.mark.parametrize("width", [40, 80, 100])
def test_a_note_fits_and_the_names_of_options_stay_whole(width: int) -> None:
    formatter, words = written(width), "give --retry-rejected or --max-error " * 9
    write_note(formatter, words)
    lines = click.unstyle(formatter.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(lines).split() == words.split()
    assert not [line for line in lines if line.endswith("-")]


def test_columns_of_all_sections_are_below_each_other() -> None:
    formatter = written(100)
    for heading, option in (("One", "-a"), ("Two", "--longer WORDS"), ("Three", "-x, --xyz")):
        write_section(formatter, heading, [(option, "what it does")])
    lines = click.unstyle(formatter.getvalue()).splitlines()
    [column] = {line.index("what it does") for line in lines if "what it does" in line}
    assert column >= FIRST_COLUMN


def test_what_is_wider_than_the_first_column_goes_on_below() -> None:
    formatter, wide = written(100), "--" + "long" * 8
    write_section(formatter, "One", [("-a", "first words"), (wide, "wide words")])
    [_, first, name, words] = click.unstyle(formatter.getvalue()).rstrip().splitlines()
    assert name.strip() == wide
    assert words.index("wide words") == first.index("first words")


def test_a_section_without_rows_has_no_heading() -> None:
    formatter = written(80)
    write_section(formatter, "Nothing", [])
    assert formatter.getvalue() == ""


def test_options_that_are_hidden_and_arguments_are_not_among_the_options() -> None:
    command = click.Command(
        "read",
        params=[
            click.Argument(["source"]),
            click.Option(["--seen"], help="is shown"),
            click.Option(["--unseen"], hidden=True, help="is not"),
        ],
    )
    formatter = written(80)
    write_options(formatter, click.Context(command), command.params)
    text = click.unstyle(formatter.getvalue())
    assert "--seen" in text
    assert "unseen" not in text
    assert "source" not in text.lower()
    alone = written(80)
    write_options(alone, click.Context(command), command.params[:1])
    assert alone.getvalue() == ""
