"""Who serves: promoted, judged again, rolled back; and which versions are still needed."""

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc

from flows.artifacts import evidence_of, known_settings
from flows.judge import Candidate, Judgement, judge
from flows.terminal.console import Console
from flows.terminal.training_log import log_verdict
from tasks.atomic import absolute, write_text
from tasks.contracts.verdict import Verdict
from tasks.data.snapshot import Snapshot, load
from tasks.errors import GateRefused, InputError, ModelError
from tasks.gate.acceptance_sets import acceptance_sets, digests
from tasks.holding.held_rows import held_table
from tasks.inference.model_file import ONNX_FILE
from tasks.not_measured import NotMeasured
from tasks.registry.catalog import Row, answers_as_before, registry
from tasks.registry.events import asked
from tasks.registry.registry import READY, Registry
from tasks.registry.serving_rules import require_as_much_evidence
from tasks.registry.version import Version
from tasks.registry.version_lock import in_use
from tasks.reporting.document import plural, to_html
from tasks.results import table
from tasks.runs import open_run
from tasks.settings.base import home, results_table
from tasks.settings.training import GateSettings
from tasks.storage.journal import Entry

VERDICT_FILE, FLIPS_FILE = "verdict.json", "flips.html"


def promote(name: str, reason: str, *, override: bool, console: Console) -> Version:
    """Let a version serve; one that was judged against another champion is judged again first.

    Args:
        name: the version.
        reason: why, for the history.
        override: promote it whatever the gate says.
        console: shows what is done.

    Raises:
        GateRefused: the gate does not accept it, or judged it on fewer slices than what serves.
        InputError: it serves already, or ships with the package.
        ModelError: there is no such version, or it is not what it was.
    """
    known = registry()
    version, champion = known.load(name), known.serving_name()
    if name == champion:
        raise InputError(f"{name} serves already")
    if version.folder == READY:
        raise InputError(f"{name} ships with the package: `digitflow models rollback` leads to it")
    answers_as_before(version)
    verdict = version.card.verdict
    evidence, against = evidence_of(verdict), verdict.against
    if not override and version.accepted and (serves := known.serving_card()):
        require_as_much_evidence(version, serves)  # before it is perhaps judged again
    stale = _stale(verdict, champion)
    if not override and version.accepted and stale:
        console.log("Gate", f"{name} was judged {stale}: judging it again")
        settings = GateSettings(**known_settings(GateSettings, version.card))
        judgement, evidence = judge_version(version, settings, console)
        if not judgement.verdict.accepted:
            known.record("refuse", name, judgement.verdict.failures(), evidence=evidence)
            raise GateRefused(f"{name} is not promoted: {judgement.verdict.failures()}")
        against = judgement.verdict.against
    known.promote(version, reason, against=against, override=override, evidence=evidence)
    return version


@dataclass(frozen=True)
class Answer:
    """What a person said who was asked whether a version may serve."""

    approve: bool
    reason: str
    by: str

    def sentence(self) -> str:
        """Return it in words, for the history."""
        return f"{'approved' if self.approve else 'rejected'} by {self.by}: {self.reason}"


def follow_answer(name: str, answer: Answer, console: Console) -> str | None:
    """Let a version serve that a person has approved, or record that it was rejected.

    Returns:
        Why it does not serve; None: it does.
    """
    known = registry()
    if name == known.serving_name():  # promoted by a command in the meantime
        back = "it serves already: `digitflow models rollback` leads back"
        return None if answer.approve else f"{answer.sentence()}, but {back}"
    if not answer.approve:
        known.record("refuse", name, answer.sentence(), evidence={"answer": asdict(answer)})
        return answer.sentence()
    try:
        promote(name, answer.sentence(), override=False, console=console)
    except GateRefused as refusal:  # another version serves by now, and it is not good enough
        return str(refusal)
    return None


def refuse_unanswered() -> list[Entry]:
    """Refuse the versions that nobody has approved in time, and return the entries of that."""
    return registry().refuse_unanswered(datetime.now(UTC), "nobody approved it in time")


def _stale(verdict: Verdict, champion: str | None) -> str | None:
    """Return what has changed since a verdict, in words, or None."""
    if verdict.against != champion:
        return f"against {verdict.against or 'nothing'}"
    if verdict.acceptance != digests(acceptance_sets().current()):
        return "on other acceptance sets"
    return None


def judge_version(
    version: Version, settings: GateSettings, console: Console
) -> tuple[Judgement, Row]:
    """Judge a version as it is against what serves; the verdict is a file of a run of its own.

    Its parity is that of its card, since neither of the two files can have changed.

    Raises:
        InputError: the data of the version is not there any more.
        ModelError: its file was changed in the meantime.
    """
    run, compared = open_run("judge", home()), version.card.parity
    parity = compared.parity() if compared else NotMeasured("its card holds none")
    snapshot = snapshot_of(version)
    with in_use(version.onnx):
        judgement = judge(
            Candidate(version.name, version.onnx, snapshot, parity), settings, run, console
        )
    if judgement.verdict.sha256 != version.card.files[ONNX_FILE]:
        raise ModelError(f"{version.name}: its file was changed before it was judged: try again")
    log_verdict(judgement.verdict, console)
    verdict = judgement.verdict
    write_text(run / VERDICT_FILE, json.dumps(verdict.to_dict(), indent=2) + "\n")
    write_text(run / FLIPS_FILE, to_html(judgement.changes_report))
    console.log("Verdict", f"{run / VERDICT_FILE}, {run / FLIPS_FILE}")
    evidence = evidence_of(verdict) | {"run": run.name}
    registry().record("judge", version.name, verdict.sentence, evidence=evidence)
    return judgement, evidence


def snapshot_of(version: Version) -> Snapshot:
    """Return the data that a version was made from.

    Raises:
        InputError: it is not there any more.
    """
    datasets, data = home() / "datasets", version.card.dataset
    if data is None:
        raise InputError(f"the card of {version.name} does not say on what data it was fitted")
    folder = next(datasets.glob(f"*/{data.digest}"), None)
    if folder is None:
        raise InputError(
            f"the data of {version.name} (snapshot {data.digest[:12]}) is not in {datasets}: "
            "train on it again, or restore the folder"
        )
    return load(folder)


def rollback(reason: str) -> Version:
    """Let the version serve again that the champion replaced, once it answers as its card says.

    Raises:
        ModelError: there is none, or it is not what it was.
    """
    return registry().rollback(reason, answers_as_before)


def accept_history(reason: str) -> Row:
    """Go on with a history of models that was shortened or changed; say what serves by it.

    Raises:
        InputError: it is what it was, or a line is damaged.
    """
    known = registry()
    entry = known.accept_history(reason)
    return {"change": entry["change"], "champion": known.serving_name()}


@dataclass(frozen=True)
class Cleaned:
    """What was deleted, and why others stayed."""

    removed: list[str]
    kept: dict[str, str]  # old versions that had to stay, with the reason


def clean(keep: int, reason: str, *, referenced: bool, dry_run: bool = False) -> Cleaned:
    """Delete all but the newest versions, none that serves, would serve, reads or has read.

    Args:
        keep: how many of the newest stay.
        reason: why, for the history.
        referenced: also delete what rows of the results table refer to.
        dry_run: delete nothing, and return what would be.
    """
    known = registry()
    with ExitStack() as held:
        # locked before the rows are counted: a run that ends in between has committed its rows
        old = {name: held.enter_context(known.unused(name)) for name in known.names()[:-keep]}
        rows, needed = row_counts(), _needed(known)
        kept = {name: needed[name] for name in old if name in needed}
        for name, free in old.items():
            if not free:
                kept.setdefault(name, "a run reads with it")
            elif rows.get(name) and not referenced:
                kept.setdefault(name, f"it read {plural(rows[name], 'row')} of the results")
        removed = [name for name in old if name not in kept]
        for name in removed if not dry_run else ():
            known.remove([name], reason, {"rows": rows.get(name, 0)})
    if not dry_run:
        known.sweep()
    return Cleaned(removed, {name: kept[name] for name in old if name in kept})


def _needed(known: Registry) -> dict[str, str]:
    """Return the versions that serve or may have to, each with the reason."""
    lately = "it was in use lately, and another machine may be reading with it"
    needed = dict.fromkeys(known.maybe_used_elsewhere(), lately)
    needed |= {each.version: "a person is asked to approve it" for each in asked(known.history())}
    for name, why in (
        (known.predecessor(), "a rollback leads to it"),
        (known.serving_name(), "it serves"),
    ):
        needed |= {name: why} if name else {}
    return needed


def row_counts() -> dict[str, int]:
    """Return how many rows of the results, and of what is held, each version has read."""
    counts: Counter[str] = Counter()
    for place in filter(table.is_table, (results_table(), held_table(results_table()))):
        for batch in table.scan(place, ["model_version"], lambda _: pc.scalar(True)):
            pairs = pc.value_counts(batch["model_version"]).to_pylist()
            counts.update({pair["values"]: pair["counts"] for pair in pairs})
    return counts


def label_of(folder: Path) -> str:
    """Return a name for a labelled folder: its own, as far as names may go."""
    return absolute(folder).name.lower()
