"""`digitflow models ...` and `digitflow acceptance ...`: options in, views out."""

from pathlib import Path
from typing import Any

from pydantic import Field

from flows.cli.base import Command, print_table
from flows.cli.commands import GATE_HEADINGS, Flow
from tasks.errors import GateRefused
from tasks.settings.base import DeviceChoice, Once
from tasks.settings.reading import CHAMPION
from tasks.settings.training import GateSettings

Reason = Field(min_length=1, description="Why; it is written into the history.")


class ListModels(Command):
    """List the versions with their verdicts; the champion reads."""

    def run(self) -> None:
        """Print the versions, the newest last."""
        from tasks.registry import catalog

        rows = catalog.listed()
        columns = [name for row in rows[:1] for name in row if name != "trouble"]
        self.table(rows, "no version yet: run `digitflow train`", columns)
        for row in rows:
            if row["trouble"]:
                self.console().log("Unusable", row["trouble"])


class ShowModel(Command):
    """Show one version: where it is from, its verdict, its history."""

    arguments = ("version",)

    version: Once[str] = Field(description="A version from `digitflow models`.")

    def run(self) -> None:
        """Print the card in short."""
        from tasks.registry import catalog

        found = catalog.shown(self.version)
        self.answer(found.to_dict())
        card, console = found.card, self.console()
        console.log("Version", f"{self.version}{' (it serves)' if found.champion else ''}")
        if found.override:
            console.log("Override", f"promoted against the gate: {found.override}")
        console.log("Made", f"{card.created_at} by {card.actor or 'unknown'}")
        console.log("Code", str(card.git_commit))
        name, digest = (getattr(card.dataset, key, None) for key in ("name", "digest"))
        console.log("Data", f"{name}, snapshot {digest}")
        console.log("Settings", ", ".join(f"{k} {v}" for k, v in card.settings.items()))
        console.log("Verdict", card.verdict.sentence or str(card.verdict.accepted))
        checks = [check.to_dict() for check in card.verdict.checks]
        print_table(console, ["name", "requirement", "measured", "passed"], checks)
        for entry in found.history:
            console.log(entry["action"], f"{entry['time']} {entry['actor']}: {entry['reason']}")
        console.log("Folder", found.folder)


class PromoteModel(Command):
    """Let a version serve that the gate accepts against what serves."""

    arguments = ("version",)

    version: Once[str] = Field(description="A version from `digitflow models`.")
    reason: Once[str] = Reason
    override: Once[bool] = Field(
        False, description="Promote it whatever the gate says; the history shows that for ever."
    )

    def run(self) -> None:
        """Promote it, or say why not (exit code 3)."""
        from flows import promote
        from flows.alerting.known_server import telling

        console = self.console()
        with telling(console, self.version):
            version = promote.promote(
                self.version, self.reason, override=self.override, console=console
            )
        self.answer({"champion": version.name, "override": self.override})
        console.log("Champion", version.name)


class RollbackModel(Command):
    """Let the version serve again that the champion replaced, once it is checked."""

    reason: Once[str] = Reason

    def run(self) -> None:
        """Go back by one."""
        from flows import promote
        from flows.alerting.known_server import telling

        with telling(self.console()):
            version = promote.rollback(self.reason)
        self.answer({"champion": version.name})
        self.console().log("Champion", version.name)


class DiffModels(Command):
    """Show what differs between two versions: settings, data, code, metrics, checks."""

    arguments = (
        "first",
        "second",
    )

    first: Once[str] = Field(description="A version.")
    second: Once[str] = Field(description="Another version.")

    def run(self) -> None:
        """Print the differences side by side."""
        from tasks.registry import catalog

        self.table(catalog.differences(self.first, self.second), "no difference")


class UpgradeModel(Flow):
    """Train a version of an earlier digitflow again from its card; the gate decides if it serves.

    The same data, recipe and settings, as far as this digitflow knows them; what it does not know
    is said. What reads as it is stays as it is.
    """

    arguments = ("version",)

    version: Once[str] = Field(
        CHAMPION, description="A version from `digitflow models`; the champion, if not given."
    )
    data_at: Once[str | None] = Field(
        None, description="Where its data is by now, if not where its card says."
    )
    device: DeviceChoice | None = Field(
        None, description="Where the network is trained; as in its card, if not given."
    )

    def run(self) -> None:
        """Train it again; a refusal is exit code 3."""
        from flows.maintenance.upgrade import upgrade_of

        given = {"device": self.device} if self.device else {}
        console, upgrade = self.console(), upgrade_of(self.version, self.data_at, given)
        if upgrade.why is None:
            self.answer({"version": upgrade.version, "upgraded": False})
            console.log("Upgrade", f"{upgrade.version} reads with this digitflow: it needs none")
            return
        upgrade.log(console)
        outcome = self.train(upgrade.settings)
        upgrade.log_data(Path(outcome.dataset), console)
        self.answer(outcome.to_dict() | {"upgraded": outcome.promoted, "instead_of": self.version})
        if not outcome.accepted:
            raise GateRefused(outcome.sentence)


class JudgeModel(GateSettings, Command):
    """Judge a version again, as it is, against what serves; it changes nothing else."""

    arguments = ("version",)
    headings = GATE_HEADINGS

    version: Once[str] = Field(description="A version from `digitflow models`.")

    def run(self) -> None:
        """Judge it; a refusal is exit code 3."""
        from flows import promote
        from tasks.registry import catalog

        settings = self.settings(GateSettings)
        version = catalog.registry().load(self.version)
        judgement, _ = promote.judge_version(version, settings, self.console())
        self.answer(judgement.verdict.to_dict())
        if not judgement.verdict.accepted:
            raise GateRefused(f"{self.version}: {judgement.verdict.failures()}")


class VerifyModels(Command):
    """Check every version: its files, its card, its answers."""

    def run(self) -> None:
        """Print what is wrong (exit code 2)."""
        from tasks.registry import catalog

        rows = catalog.verified()
        self.table(rows, "no version yet")
        catalog.require_sound(rows)


class CleanModels(Command):
    """Delete old versions; never the champion, its predecessor, or what rows refer to."""

    keep: Once[int] = Field(ge=1, description="So many of the newest stay.")
    reason: Once[str] = Field("cleaned up", description="Why; it is written into the history.")
    even_referenced: Once[bool] = Field(
        False, description="Also delete versions that rows of the results table refer to."
    )

    def run(self) -> None:
        """Delete, and say what stays and why."""
        from dataclasses import asdict

        from flows import promote

        done = promote.clean(self.keep, self.reason, referenced=self.even_referenced)
        self.answer(asdict(done))
        console = self.console()
        console.log("Removed", ", ".join(done.removed) or "nothing")
        for name, why in done.kept.items():
            console.log("Kept", f"{name}: {why}")


class ReproduceModel(Command):
    """Train a version again from its card and compare weights, or accuracy within bounds."""

    arguments = ("version",)

    version: Once[str] = Field(description="A version from `digitflow models`.")

    def run(self) -> None:
        """Train it again, which takes as long as it took."""
        from flows.reproduce import reproduce

        self.answer(reproduce(self.version, self.console()).to_dict())


class HistoryOfModels(Command):
    """Show who did what to which version, when and why."""

    def run(self) -> None:
        """Print the history, the newest last, also of one that is not what it was (exit code 2)."""
        from tasks.registry import catalog

        columns = ["time", "actor", "action", "version", "replaced", "override", "reason"]
        known = catalog.registry()
        rows = [dict.fromkeys(columns) | entry for entry in known.history(checked=False)]
        self.table(rows, "nothing happened yet", columns)
        known.history()


class AcceptHistory(Command):
    """Go on with a history that was shortened or changed, after a restored backup for example."""

    reason: Once[str] = Reason

    def run(self) -> None:
        """Accept it as it is, and say what serves by it."""
        from flows import promote
        from flows.alerting.known_server import telling

        with telling(self.console()):
            done = promote.accept_history(self.reason)
        self.answer(done)
        self.console().log("Accepted", done["change"])
        self.console().log("Champion", done["champion"] or "none")


MODELS: dict[str, type[Command]] = {
    "list": ListModels,
    "show": ShowModel,
    "history": HistoryOfModels,
    "promote": PromoteModel,
    "rollback": RollbackModel,
    "diff": DiffModels,
    "judge": JudgeModel,
    "upgrade": UpgradeModel,
    "verify": VerifyModels,
    "gc": CleanModels,
    "reproduce": ReproduceModel,
    "accept-history": AcceptHistory,
}


class AddAcceptance(Command):
    """Register a labelled folder: from now on no model passes the gate without it."""

    arguments = ("folder",)

    folder: Once[Path] = Field(description="Folder with one sub-folder per digit.")
    name: Once[str | None] = Field(None, description="Its name; the folder's, if not given.")
    floor: Once[float] = Field(
        0.8, ge=0, le=1, description="Lowest accuracy on it that passes (lower bound)."
    )
    reason: Once[str] = Field("added", description="Why; it is written into the history.")

    def run(self) -> None:
        """Copy the folder and register its content."""
        from flows.promote import label_of

        name = self.name or label_of(self.folder)
        added = _sets().add(self.folder, name, self.floor, self.reason)
        self.answer(_row(added))
        ignored = f", {added.ignored:,} ignored" if added.ignored else ""
        files = f"{added.pictures:,} files{ignored}"
        self.console().log("Acceptance", f"{name}: {files}, {added.digest[:16]}")


class ListAcceptance(Command):
    """List the registered folders that every model is judged on."""

    def run(self) -> None:
        """Print them."""
        self.table([_row(one) for one in _sets().current()], "no folder is registered")


class RemoveAcceptance(Command):
    """Judge without a registered folder from now on; its files and history stay."""

    arguments = ("name",)

    name: Once[str] = Field(description="Its name.")
    reason: Once[str] = Reason

    def run(self) -> None:
        """Remove it."""
        _sets().remove(self.name, self.reason)
        self.answer({"removed": self.name})
        self.console().log("Acceptance", f"{self.name} is not judged on any more")


class AcceptAcceptanceHistory(Command):
    """Go on with a history of these folders that was shortened or changed."""

    reason: Once[str] = Reason

    def run(self) -> None:
        """Accept it as it is, and say what models are judged on by it."""
        sets = _sets()
        change = sets.accept_history(self.reason)
        rows = [_row(one) for one in sets.current()]
        self.answer({"change": change, "sets": rows})
        self.console().log("Accepted", change)
        self.console().log("Judged on", ", ".join(row["name"] for row in rows) or "no folder")


ACCEPTANCE: dict[str, type[Command]] = {
    "add": AddAcceptance,
    "list": ListAcceptance,
    "remove": RemoveAcceptance,
    "accept-history": AcceptAcceptanceHistory,
}


def _sets() -> Any:
    from tasks.gate.acceptance_sets import acceptance_sets

    return acceptance_sets()


def _row(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "pictures": one.pictures,
        "ignored": one.ignored,
        "floor": one.floor,
        "digest": one.digest,
        "folder": str(one.folder),
    }
