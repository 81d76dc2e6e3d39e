"""`digitflow held ...`: batches that wait for a person, and what a person decides about them."""

from typing import Any

from pydantic import Field

from flows.cli.base import Command
from tasks.settings.base import Once

Reason = Field(min_length=1, description="Why; it is kept with the batch.")
Run = Field(alias="run", description="The run that read it, from `digitflow held`.")


class ListHeld(Command):
    """List the batches that are held, and why."""

    def run(self) -> None:
        """Print them, the oldest first."""
        from flows.holding.decisions import held_batches

        rows = [_row(entry) for entry in held_batches()]
        self.table(rows, "no batch is held")


class ShowHeld(Command):
    """Show what is odd about a batch, and what became of it."""

    arguments = ("run_id",)

    run_id: Once[str] = Run

    def run(self) -> None:
        """Print its counts, what is odd, what was decided, and where its pictures are."""
        from flows.holding.decisions import report_of, shown
        from tasks.results.summary import in_words

        entries = shown(self.run_id)
        batch, console = entries[-1].batch, self.console()
        report = report_of(batch)
        told = [_told(entry) for entry in entries]
        self.answer(batch.to_dict() | {"history": told, "report": report and str(report)})
        console.log("Batch", f"{batch.run_id}: {batch.source}")
        counts = in_words(batch.read, batch.review, batch.rejected)
        console.log("Found", f"{batch.pictures:,} pictures in {batch.files:,} files: {counts}")
        console.log("Model", batch.model_version)
        for each in batch.findings:
            console.log("Odd", f"{each.reason}: {each.sentence}")
        for entry in told:
            console.log(entry["action"], f"{entry['at']} {entry['by']}: {entry['reason']}")
        console.log("Report", str(report) if report else "on the machine that read it")


class ReleaseHeld(Command):
    """Let a batch that is held count: its rows become results, all at once."""

    arguments = ("run_id",)

    run_id: Once[str] = Run
    reason: Once[str] = Reason

    def run(self) -> None:
        """Release it; one that was decided before is exit code 2."""
        _decide(self, "released", self.run_id, self.reason)


class DropHeld(Command):
    """Let a batch that is held never count; its files stay, and are not read again as they are."""

    arguments = ("run_id",)

    run_id: Once[str] = Run
    reason: Once[str] = Reason

    def run(self) -> None:
        """Drop it; one that was decided before is exit code 2."""
        _decide(self, "dropped", self.run_id, self.reason)


def _decide(command: Command, action: str, run: str, reason: str) -> None:
    from flows.alerting.known_server import tell_decision
    from flows.holding.decisions import decide, decision_about
    from tasks.holding.batches import Action

    done = decide(run, Action(action), reason)
    command.answer(done.to_dict())
    command.console().log(action.capitalize(), done.sentence())
    tell_decision(decision_about(run), command.console())


def _told(entry: Any) -> dict[str, str]:
    at = entry.at.isoformat(timespec="seconds")
    return {"action": entry.action.value, "at": at, "by": entry.by, "reason": entry.reason}


def _row(entry: Any) -> dict[str, Any]:
    batch = entry.batch
    return {
        "run": batch.run_id,
        "held_at": entry.at.isoformat(timespec="seconds"),
        "source": batch.source,
        "pictures": batch.pictures,
        "reasons": entry.reason,
    }


HELD: dict[str, type[Command]] = {
    "list": ListHeld,
    "show": ShowHeld,
    "release": ReleaseHeld,
    "drop": DropHeld,
}
