"""The `digitflow` command: each sub-command calls a flow or prints a view, and exits with a code.

TensorFlow and Prefect are imported by the commands that need them, when they run.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    CliApp,
    CliPositionalArg,
    CliSubCommand,
    SettingsConfigDict,
    SettingsError,
)

from flows.cli.base import Command, print_table, values_of
from flows.cli.error_output import (
    complain,
    in_a_line,
    let_go_of_output,
    nobody_reads_output,
    open_standard_files,
)
from flows.cli.models import Acceptance, Models
from tasks.errors import DigitflowError, GateRefused, InputError, RejectedInputs
from tasks.outcomes import ALL, Reason
from tasks.settings import (
    PredictSettings,
    PreviewSettings,
    TrainSettings,
    WithVariables,
    home,
    results_table,
)
from tasks.url_secrets import has_secret

if TYPE_CHECKING:
    from flows.train import Outcome
    from tasks.results.summary import Summary

RETRY, REASON = "--retry-rejected", re.compile("[a-z_]{1,40}")
INTERRUPTED = 130  # exit code of a program that Ctrl-C ended: 128 + SIGINT
OUTPUT_CLOSED = 141  # of one that wrote where nobody reads, as in `| head`: 128 + SIGPIPE


class Flow(Command):
    """What every sub-command that runs flows has."""

    no_prefect: bool = Field(False, description="Run the same stages without the orchestrator.")

    def train(self, settings: TrainSettings) -> "Outcome":
        """Run the train flow, orchestrated or plainly."""
        if self.no_prefect:
            from flows.train import train

            return train(settings, self.console())
        from flows.orchestration.launch import run_train

        return run_train(settings, quiet=self.as_json)

    def predict(self, settings: PredictSettings) -> "Summary":
        """Run the predict flow, orchestrated or plainly."""
        if self.no_prefect:
            from flows.predict import predict

            return predict(settings, self.console())
        from flows.orchestration.launch import run_predict

        return run_predict(settings, quiet=self.as_json)


class Demo(Flow):
    """Train quickly, judge, export, read a sample folder, and show what came out."""

    def cli_cmd(self) -> None:
        """Run the demo."""
        from flows.demo import demo

        self.answer(demo(self.train, self.predict, self.console()).to_dict())


class Train(TrainSettings, Flow):
    """Train a network; if the gate accepts it, it reads from now on."""

    def cli_cmd(self) -> None:
        """Run the train flow; a refusal is exit code 3."""
        outcome = self.train(TrainSettings(**values_of(TrainSettings, self)))
        self.answer(outcome.to_dict())
        if not outcome.accepted:
            raise GateRefused(outcome.sentence)


class Predict(PredictSettings, Flow):
    """Read every picture below a folder into the results table."""

    source: CliPositionalArg[str] = Field(
        description="A folder, read with everything below it; a glob, a list, an archive, a URL."
    )

    def cli_cmd(self) -> None:
        """Run the predict flow; with --strict, rejected pictures are exit code 4."""
        settings = PredictSettings(**values_of(PredictSettings, self))
        summary = self.predict(settings)
        self.answer(summary.to_dict())
        if summary.rejected_now:
            raise RejectedInputs(
                f"{summary.rejected_now} of the pictures that were found are rejected (--strict)"
            )


class Preview(PreviewSettings, Command):
    """Show what would be read, on one page: originals, canonical forms, decisions; no results."""

    source: CliPositionalArg[str] = Field(
        description="A folder, looked at with everything below it; or what `predict` takes."
    )

    def cli_cmd(self) -> None:
        """Run the preview flow."""
        from flows.preview import preview

        settings = PreviewSettings(**values_of(PreviewSettings, self))
        self.answer(preview(settings, self.console()).to_dict())


class Results(Command):
    """Print rows of the results table, or write them to a file."""

    run_id: str | None = Field(None, alias="run", description="Only this run.")
    status: Literal["read", "review", "rejected"] | None = Field(
        None, description="Only this status."
    )
    reason: Reason | None = Field(None, description="Only this reason code.")
    path: str | None = Field(None, description="Only paths that contain this.")
    history: str | None = Field(
        None, description="Every reading of paths that contain this, superseded ones included."
    )
    out: Path | None = Field(None, description="Write them to a .csv, .parquet or .jsonl file.")
    limit: int = Field(50, ge=1, description="Print at most so many rows.")

    def cli_cmd(self) -> None:
        """Print or write the rows."""
        from tasks.results import table as results
        from tasks.results.repair import require_sound
        from tasks.visible import encodable

        if self.out:
            results.check_out(self.out)
        require_sound(results_table())  # an empty commit is passed over in silence
        rows = results.select(
            results_table(),
            results.Query(
                run=self.run_id and encodable(self.run_id),
                status=self.status,
                reason=self.reason,
                path=encodable(self.path or self.history or ""),
                history=self.history is not None,
            ),
        )
        if self.out:
            results.export(rows, self.out)
            self.console().log("Output", f"{rows.num_rows:,} rows in {self.out}")
        elif self.as_json:
            self.answer(list(results.plain_rows(rows)))
        else:
            columns = [
                "path",
                "page",
                "status",
                "reason",
                "digit",
                "confidence",
                "model_version",
                "run_id",
            ]
            shown = rows.select(columns).slice(0, self.limit).to_pylist()
            print_table(self.console(), columns, shown)
            self.console().log("Rows", f"{len(shown):,} of {rows.num_rows:,} shown")


class Repair(Command):
    """Step back from what a lost machine has left damaged of the results table."""

    def cli_cmd(self) -> None:
        """Mend it and say what was damaged."""
        from tasks.results.repair import ASIDE, repair

        table, console = results_table(), self.console()
        mended = repair(table)
        rows = sum(damage.rows for damage in mended)
        self.answer({"table": table, "damaged": [damage.what for damage in mended], "rows": rows})
        if not mended:
            console.log("Results", f"nothing is damaged in {table}")
            return
        for damage in mended:
            console.log("Damaged", damage.what)
        console.log("Repaired", f"{table}; the next `digitflow predict` reads those files again")
        console.log("", f"what was damaged is kept in {Path(table) / ASIDE}")


class Up(Command):
    """Start a Prefect server with UI, a worker, and every deployment with its schedule."""

    port: int = Field(4200, ge=1, le=65535, description="Port of the server, on this machine only.")
    no_auth: bool = Field(
        False,
        alias="no-auth",  # no variable can have this name: it is said each time or not at all
        description="Ask for no login: any user of this machine can then run commands as you.",
    )

    def cli_cmd(self) -> None:
        """Run until Ctrl-C."""
        from flows.orchestration.up import up

        up(self.port, self.console().log, no_auth=self.no_auth)


class Credentials(Command):
    """Print address and login of the server of `digitflow up`, as variables for Prefect."""

    def cli_cmd(self) -> None:
        """Print them, for `export $(digitflow credentials)`; without such a server fail."""
        from flows.orchestration.server_process import running_server

        server = running_server()
        if server is None:
            raise DigitflowError(f"no server runs for {home()}: start `digitflow up`")
        variables = server.client_environment()
        self.answer(variables)
        for name, value in variables.items():
            if not self.as_json:
                print(f"{name}={value}")  # noqa: T201 - the answer itself


class Doctor(Command):
    """Show what this machine has: versions, devices, providers, paths, what is missing."""

    def cli_cmd(self) -> None:
        """Print what was found, and what to do about what is missing."""
        from dataclasses import asdict

        from flows.cli.doctor import examine

        findings = examine()
        self.answer([asdict(finding) for finding in findings])
        rows = [(finding.name, finding.found, finding.advice) for finding in findings]
        styles = ["" if finding.good else "yellow" for finding in findings]
        self.console().table(("", "found", ""), rows, styles)


class Digitflow(WithVariables):
    """Read handwritten digits from folders of pictures, in batch, and prove how well."""

    model_config = SettingsConfigDict(
        cli_prog_name="digitflow",
        cli_kebab_case=True,
        cli_implicit_flags="toggle",
        cli_hide_none_type=True,
        cli_use_class_docs_for_groups=True,
        cli_enforce_required=True,
        cli_exit_on_error=False,  # its error would be printed raw, below its usage
    )

    demo: CliSubCommand[Demo]
    train: CliSubCommand[Train]
    predict: CliSubCommand[Predict]
    preview: CliSubCommand[Preview]
    results: CliSubCommand[Results]
    models: CliSubCommand[Models]
    acceptance: CliSubCommand[Acceptance]
    repair: CliSubCommand[Repair]
    up: CliSubCommand[Up]
    credentials: CliSubCommand[Credentials]
    doctor: CliSubCommand[Doctor]

    def cli_cmd(self) -> None:
        """Run the sub-command."""
        CliApp.run_subcommand(self, cli_exit_on_error=False)  # ends with 1, not 2


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
    try:
        try:
            CliApp.run(Digitflow, cli_args=_with_all(words))
        finally:
            sys.stdout.flush()
    except SystemExit as end:  # of --help
        return int(end.code or 0), ""
    except KeyboardInterrupt:
        return INTERRUPTED, "interrupted"
    except Exception as error:  # whatever it is, it is told in one line
        return _told(error)
    return 0, ""


def _told(error: Exception) -> tuple[int, str]:
    if isinstance(error, ValidationError):
        return InputError.exit_code, _in_words(error)
    if isinstance(error, SettingsError):
        return InputError.exit_code, str(error).partition("\n")[0]  # the usage follows
    if isinstance(error, DigitflowError):
        return error.exit_code, str(error)
    if isinstance(error, BrokenPipeError) and nobody_reads_output():
        return OUTPUT_CLOSED, ""
    return DigitflowError.exit_code, in_a_line(error)


def _with_all(words: list[str]) -> list[str]:
    """Give `--retry-rejected` its value where it stands without a reason."""
    if RETRY not in words:
        return words
    after = words.index(RETRY) + 1
    # a word that could be a reason and names no file is one, if only a mistyped one
    named = any(REASON.fullmatch(word) and not Path(word).exists() for word in words[after:][:1])
    return words if named else [*words[:after], ALL, *words[after:]]


def _in_words(error: ValidationError) -> str:
    faults: dict[str, list[str]] = {}
    for detail in error.errors():
        # where a field may be of several types, the name of each follows that of the field
        name = [str(part) for part in detail["loc"] if str(part).isidentifier()][-1]
        option = f"--{name.replace('_', '-')}"
        given = detail["input"]
        if not isinstance(given, dict) and not has_secret(str(given)):
            option = f"{option} {given}"
        faults.setdefault(option, []).append(detail["msg"].removeprefix("Value error, "))
    return "; ".join(f"{option}: {' or '.join(said)}" for option, said in faults.items())


if __name__ == "__main__":
    main()
