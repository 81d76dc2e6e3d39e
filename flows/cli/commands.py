"""The commands that read, train, show results and serve: options in, one flow or view out.

TensorFlow and Prefect are imported by the commands that need them, when they run.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from flows.cli.base import Command, print_table
from tasks.errors import DigitflowError, GateRefused, InputError
from tasks.outcomes import ALL, Reason
from tasks.settings.base import MaintainSettings, Once, home, results_table
from tasks.settings.reading import PredictSettings, PreviewSettings
from tasks.settings.training import TrainSettings

if TYPE_CHECKING:
    from flows.train import Outcome
    from tasks.results.summary import Summary

MOST_PARAMETERS = 500_000  # characters; of 524,288 that Prefect takes by default
GATE_HEADINGS = (
    ("Gate", ("judge_on", "slices", "min_accuracy", "min_recall", "max_error")),
    (
        "Gate, in detail",
        (
            *("floors", "recall_floors", "coverage_floors", "slice_pictures", "min_slice_pictures"),
            *("max_calibration_error", "min_coverage", "min_refused"),
            *("require", "max_drop", "max_overall_drop", "max_slice_drop"),
            *("max_disagreement", "max_flips"),
            *("max_file_mib", "max_memory_mib", "min_speed"),
        ),
    ),
)


class Flow(Command):
    """What every sub-command that runs flows has."""

    no_prefect: bool = Field(False, description="Run the same stages without the orchestrator.")

    def train(self, settings: TrainSettings) -> "Outcome":
        """Run the train flow, orchestrated or plainly."""
        if self.no_prefect:
            from flows.alerting.known_server import telling
            from flows.train import train

            with telling(self.console()):
                return train(settings, self.console())
        from flows.orchestration.launch import run_train

        return run_train(settings, quiet=self.as_json)

    def predict(self, settings: PredictSettings) -> "Summary":
        """Run the predict flow, orchestrated or plainly."""
        if self.no_prefect:
            from flows.predict import predict

            return predict(settings, self.console())
        several = isinstance(settings.source, list)
        if several and len(settings.model_dump_json()) > MOST_PARAMETERS:
            raise InputError(
                f"{len(settings.source):,} sources are more than Prefect stores for a run: quote "
                "the glob, give the folder or a list (@files.txt), or add --no-prefect"
            )
        from flows.orchestration.launch import run_predict

        return run_predict(settings, quiet=self.as_json)


class Maintain(MaintainSettings, Flow):
    """Remove old runs, files of the results that nothing needs any more, and old models."""

    def run(self) -> None:
        """Run the maintain flow; what could not be done is said, and is exit code 1."""
        from flows.maintenance.maintain import Unmaintained, maintain

        settings = self.settings(MaintainSettings)
        try:
            if self.no_prefect:
                done = maintain(settings, self.console())
            else:
                from flows.orchestration.launch import run_maintain

                done = run_maintain(settings, quiet=self.as_json)
        except Unmaintained as error:
            self.answer(error.maintained.to_dict())
            raise
        self.answer(done.to_dict())


class Demo(Flow):
    """Train quickly, judge, export, read a sample folder, and show what came out."""

    def run(self) -> None:
        """Run the demo."""
        from flows.demo import demo

        made = demo(self.train, self.predict, self.console())
        if not self.no_prefect:
            from flows.orchestration.launch import where_runs_are_listed

            self.console().log("In the UI", f"both flow runs: {where_runs_are_listed()}")
        self.answer(made.to_dict())


class Train(TrainSettings, Flow):
    """Train a network; if the gate accepts it, it reads from now on."""

    headings = (
        (
            "Training",
            ("data", "orientation", "recipe", "seed", "with_corrections", "device"),
        ),
        ("What then serves", ("promote", "approve", "approve_within_hours")),
        *GATE_HEADINGS,
    )
    examples = (
        ("digitflow train", "MNIST, simulated scans and photos"),
        ("digitflow train --recipe quick", "MNIST alone, half a minute"),
        ("digitflow train --data digits/", "one sub-folder for each digit"),
    )

    def run(self) -> None:
        """Run the train flow; a refusal is exit code 3."""
        outcome = self.train(self.settings(TrainSettings))
        self.answer(outcome.to_dict())
        if not outcome.accepted:
            raise GateRefused(outcome.sentence)


class Predict(PredictSettings, Flow):
    """Read pictures into the results table, each once: a row for every page of every file."""

    arguments = ("source",)
    alone = (("retry_rejected", ALL),)
    headings = (
        ("Reading", ("model", "max_error", "device", "include", "exclude", "allow_empty")),
        ("What is read again", ("again", "retry_rejected", "retry_review", "by_content")),
        ("Output", ("out", "strict", "as_json")),
        ("What a person looks at", ("hold", "audit", "tighten")),
        ("Processes", ("workers", "decode_timeout", "runner", "address", "no_prefect")),
    )
    examples = (
        ("digitflow predict scans/", "what is new or changed"),
        ("digitflow predict scans/*.png a.jpg more/", "several at once"),
        ("digitflow predict scans/ --out read.csv", "and a file of all rows"),
        ("digitflow predict a.zip --max-error 0.01", "accept one error in a hundred"),
    )

    def run(self) -> None:
        """Run the predict flow; with --strict, rejected pictures are exit code 4."""
        summary = self.predict(self.settings(PredictSettings))
        self.answer(summary.to_dict())
        from flows.predict import require_none_rejected

        require_none_rejected(summary)


class Preview(PreviewSettings, Command):
    """Show what would be read, on one page: originals, canonical forms, decisions; no results."""

    arguments = ("source",)
    headings = (
        ("Reading", ("model", "max_error", "device", "include", "exclude", "decode_timeout")),
    )

    def run(self) -> None:
        """Run the preview flow."""
        from flows.preview import preview

        self.answer(preview(self.settings(PreviewSettings), self.console()).to_dict())


class Results(Command):
    """Print rows of the results table, or write them to a file."""

    run_id: Once[str | None] = Field(None, alias="run", description="Only this run.")
    status: Once[Literal["read", "review", "rejected"] | None] = Field(
        None, description="Only this status."
    )
    reason: Once[Reason | None] = Field(None, description="Only this reason code.")
    path: Once[str | None] = Field(None, description="Only paths that contain this.")
    history: Once[str | None] = Field(
        None, description="Every reading of paths that contain this, superseded ones included."
    )
    out: Once[Path | None] = Field(
        None, description="Write them to a .csv, .parquet or .jsonl file."
    )
    limit: Once[int] = Field(50, ge=1, description="Print at most so many rows.")

    def run(self) -> None:
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


class Drift(Command):
    """Show on one page what was read of each source over time, and which error people found."""

    source: Once[str | None] = Field(None, description="Only sources whose name contains this.")
    by: Once[Literal["day", "week", "month"]] = Field(
        "week", description="The periods that are told apart."
    )

    def run(self) -> None:
        """Write the page."""
        from flows.drift import show_drift
        from tasks.results.repair import require_sound
        from tasks.visible import encodable

        require_sound(results_table())
        self.answer(show_drift(encodable(self.source or ""), self.by, self.console()).to_dict())


class TakeBack(Command):
    """Take back what a run read, such as a wrong folder: its rows stay, and count no more.

    Earlier readings of its files count again; the next run reads the files that have none.
    """

    arguments = ("run_id",)

    run_id: Once[str] = Field(alias="run", description="The run: each row says of which it is.")
    reason: Once[str] = Field(min_length=1, description="Why; it is written into the rows.")

    def run(self) -> None:
        """Take it back, and say what became of its pictures."""
        from flows.holding.decisions import require_released
        from tasks.results.repair import require_sound
        from tasks.results.take_back import take_back

        table, console = results_table(), self.console()
        require_sound(table)
        require_released(self.run_id)
        done = take_back(table, home() / "runs", self.run_id, self.reason)
        self.answer(done.to_dict())
        console.log("Taken back", f"{done.rows:,} rows of {done.files:,} files of run {done.run}")
        console.log("", f"{done.current_again:,} files: their earlier reading counts again")
        console.log("", f"{done.unread:,} files: the next run reads them")
        for run, files in done.later.items():
            console.log("", f"{files:,} files stay as run {run} has read or decided them since")
        if done.gone:
            console.log("", f"{done.gone:,} files were moved or deleted after that, and stay so")


class Repair(Command):
    """Step back from what a lost machine has left damaged of the results table."""

    def run(self) -> None:
        """Mend it and say what was damaged."""
        from tasks.holding.batches import BatchLog
        from tasks.holding.held_rows import held_table
        from tasks.results.repair import ASIDE, repair

        table, console = results_table(), self.console()
        tables = (table, held_table(table), BatchLog(table).table)
        mended = [damage for each in tables for damage in repair(each)]
        rows = sum(damage.rows for damage in mended)
        self.answer({"table": table, "damaged": [damage.what for damage in mended], "rows": rows})
        if not mended:
            console.log("Results", f"nothing is damaged in {table}")
            return
        for damage in mended:
            console.log("Damaged", damage.what)
        console.log("Repaired", f"{table}; the next `digitflow predict` reads those files again")
        for folder in sorted({_table_of(damage.path) for damage in mended}):
            console.log("", f"what was damaged is kept in {folder / ASIDE}")


def _table_of(damaged: Path) -> Path:
    from tasks.results.table_files import LOG

    return damaged.parent.parent if damaged.parent.name == LOG else damaged.parent


class Status(Command):
    """Show what serves and since when, the last batches, what waits for review, what comes next."""

    def run(self) -> None:
        """Print it, as it is on the page `status` of the Prefect UI."""
        from flows.alerting.known_server import asked_server
        from flows.status.facts import facts
        from flows.status.words import lines

        found = facts(asked_server())
        self.answer(found.to_dict())
        for label, text in lines(found):
            self.console().log(label, text)


class Up(Command):
    """Start a Prefect server with UI, a worker, and every deployment with its schedule."""

    port: int = Field(4200, ge=1, le=65535, description="Port of the server, on this machine only.")
    no_auth: Once[bool] = Field(
        False,
        description="Ask for no login: any user of this machine can then run commands as you.",
    )

    def run(self) -> None:
        """Run until Ctrl-C."""
        from flows.orchestration.up import up

        up(self.port, self.console().log, no_auth=self.no_auth)


class Deploy(Command):
    """Apply work pool, deployments and schedules to a Prefect server, as often as you like.

    What people have changed on the server stays, and is named.
    """

    dry_run: Once[bool] = Field(False, description="Only say what would be done.")
    force: Once[bool] = Field(
        False, description="Take what is declared also where somebody has changed or removed it."
    )
    prune: Once[bool] = Field(
        False, description="Remove deployments of an earlier deploy that are declared no more."
    )

    def run(self) -> None:
        """Apply them, and print a line for each difference."""
        from dataclasses import asdict

        from flows.deploying.declared import declaration
        from flows.deploying.settings_file import notify_settings, read_settings_file
        from flows.orchestration.launch import lasting_server

        said = read_settings_file()
        declared, _ = declaration(said), notify_settings(said)
        with lasting_server():
            from flows.alerting.announce import automations
            from flows.deploying.deploy import apply

            applied = apply(declared, force=self.force, prune=self.prune, dry_run=self.dry_run)
            told = automations(declared, applied.notes, force=self.force, dry_run=self.dry_run)
            applied.notes.extend(told)
        self.answer(asdict(applied))
        for note in applied.notes:
            self.console().log(note.kind.capitalize(), note.line)
        if self.dry_run:
            self.console().log("", "nothing was changed (--dry-run)")


class Credentials(Command):
    """Print address and login of the server of `digitflow up`, as variables for Prefect."""

    def run(self) -> None:
        """Print them, for `export $(digitflow credentials)`; without such a server fail."""
        from flows.server.server_process import running_server

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

    def run(self) -> None:
        """Print what was found, and what to do about what is missing."""
        from dataclasses import asdict

        from flows.cli.doctor import examine

        findings = examine()
        self.answer([asdict(finding) for finding in findings])
        rows = [(finding.name, finding.found, finding.advice) for finding in findings]
        styles = ["" if finding.good else "yellow" for finding in findings]
        self.console().table(("", "found", ""), rows, styles)
