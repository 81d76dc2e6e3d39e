"""The `digitflow` command: finds what was asked for, runs it, and exits with a code.

Only the command that was asked for is imported, so that help and completion come at once.
"""

import os
import sys
from importlib import import_module
from typing import Any

import click
from click.shell_completion import shell_complete

from flows.cli.completion import NAME, VARIABLE
from flows.cli.error_output import (
    complain,
    in_a_line,
    let_go_of_output,
    nobody_reads_output,
    open_standard_files,
)
from flows.cli.help_text import CONTEXT, write_options, write_section
from tasks.errors import DigitflowError, InputError

INTERRUPTED = 130  # exit code of a program that Ctrl-C ended: 128 + SIGINT
OUTPUT_CLOSED = 141  # of one that wrote where nobody reads, as in `| head`: 128 + SIGPIPE

# below their headings: where the model of each is, or the models of its own commands, and what it
# does in one line
COMMANDS = {
    "Read": {
        "predict": ("commands:Predict", "Read pictures into the results table."),
        "preview": ("commands:Preview", "Show on one page how pictures would be read."),
        "status": ("commands:Status", "Show what serves, what was read, and what waits."),
        "review": ("review:Review", "Open a page for what waits for a person."),
        "results": ("commands:Results", "Print rows of the results table, or write a file."),
        "held": ("held:HELD", "List, release or drop batches that wait for a person."),
        "drift": ("commands:Drift", "Show what was read over time, and the error people found."),
        "take-back": ("commands:TakeBack", "Take back what a run read; its rows count no more."),
        "repair": ("commands:Repair", "Step back from what a lost machine left damaged."),
    },
    "Train and decide": {
        "train": ("commands:Train", "Train a network; if the gate accepts it, it serves."),
        "models": ("models:MODELS", "List, compare, promote and check versions."),
        "acceptance": (
            "models:ACCEPTANCE",
            "Register labelled folders that every model has to pass.",
        ),
        "corrections": (
            "corrections:CORRECTIONS",
            "Show what people corrected, to judge and to learn.",
        ),
    },
    "Schedule": {
        "up": ("commands:Up", "Start a Prefect server with UI, a worker and schedules."),
        "deploy": ("commands:Deploy", "Apply deployments and schedules to a Prefect server."),
        "maintain": ("commands:Maintain", "Remove old runs, replaced files and old models."),
        "credentials": ("commands:Credentials", "Print address and login of that server."),
    },
    "Get to know it": {
        "demo": ("commands:Demo", "Train on MNIST, judge, export, read a sample folder."),
        "doctor": ("commands:Doctor", "Show what this machine has, and what is missing."),
        "completion": ("completion:completion", "Print what a shell needs to complete."),
    },
}


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"{NAME} {version(NAME)}")
    except PackageNotFoundError:
        click.echo(f"{NAME}, a checkout that is not installed")
    ctx.exit()


VERSION = click.Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)


class Digitflow(click.Group):
    """All commands; only their names and first lines are there until one is asked for."""

    def __init__(self) -> None:
        """Sketch the commands."""
        sketches = {
            name: click.Command(name, help=summary)
            for commands in COMMANDS.values()
            for name, (_, summary) in commands.items()
        }
        super().__init__(
            NAME,
            sketches,
            help="Read handwritten digits from folders of pictures, and prove how well.",
            params=[VERSION],
            no_args_is_help=False,
            context_settings=CONTEXT,
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was asked for, and its arguments."""
        name, sketch, rest = super().resolve_command(ctx, args)
        return name, sketch and command_of(name or "", sketch.help or ""), rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands below their headings, and the options."""
        for heading, commands in COMMANDS.items():
            rows = [(name, summary) for name, (_, summary) in commands.items()]
            write_section(formatter, heading, rows)
        write_options(formatter, ctx, self.get_params(ctx))


def command_of(name: str, summary: str) -> click.Command:
    """Import a command."""
    places = {
        name: place for commands in COMMANDS.values() for name, (place, _) in commands.items()
    }
    module, _, attribute = places[name].partition(":")
    found: Any = getattr(import_module(f"flows.cli.{module}"), attribute)
    if isinstance(found, click.Command):
        return found
    from flows.cli.options import ModelCommand, ModelGroup

    return (
        ModelGroup(name, summary, found) if isinstance(found, dict) else ModelCommand(name, found)
    )


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and exit with its code; what went wrong is one line on stderr."""
    open_standard_files()
    code, line = _outcome(sys.argv[1:] if arguments is None else arguments)
    if line:
        complain(line)
    let_go_of_output()
    if code:
        sys.exit(code)


def _outcome(words: list[str]) -> tuple[int, str]:
    """Run a command line; return the exit code, and the line about what went wrong or nothing."""
    digitflow = Digitflow()
    try:
        try:
            if asked := os.environ.get(VARIABLE):
                return shell_complete(digitflow, {}, NAME, VARIABLE, asked), ""
            with digitflow.make_context(NAME, list(words)) as context:
                digitflow.invoke(context)
        finally:
            sys.stdout.flush()
    except click.exceptions.Exit as end:  # of --help and --version
        return end.exit_code, ""
    except KeyboardInterrupt:
        return INTERRUPTED, "interrupted"
    except Exception as error:  # whatever it is, it is told in one line
        return _told(error)
    return 0, ""


def _told(error: Exception) -> tuple[int, str]:
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else NAME
        return InputError.exit_code, f"{error.format_message()} See `{path} --help`."
    if isinstance(error, DigitflowError):
        return error.exit_code, str(error)
    if isinstance(error, BrokenPipeError) and nobody_reads_output():
        return OUTPUT_CLOSED, ""
    return DigitflowError.exit_code, in_a_line(error)


if __name__ == "__main__":
    main()
