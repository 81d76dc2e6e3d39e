"""What a flow shows in the Prefect UI: reports and tables as artifacts of its run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.contracts.verdict import Verdict
from tasks.registry.card import Card
from tasks.registry.registry import Registry
from tasks.reporting.document import Report, as_markdown, to_markdown
from tasks.reporting.training_report import verdict_report
from tasks.settings import FlowSettings
from tasks.task import in_flow_run
from tasks.visible import visible

if TYPE_CHECKING:  # a reading publishes its report, and judges nothing
    from flows.judge import Judgement

S = TypeVar("S", bound=FlowSettings)

NEWEST = 100  # entries of the history in its artifact


def publish_report(key: str, report: Report) -> None:
    """Make a report a markdown artifact of the flow run, if this is one."""
    if not in_flow_run():
        return
    from prefect.artifacts import create_markdown_artifact

    create_markdown_artifact(to_markdown(report), key=key, description=as_markdown(report.lead))


def publish_table(key: str, rows: Sequence[Mapping[str, str | int | None]], lead: str) -> None:
    """Make rows a table artifact of the flow run under a plain sentence, if this is one."""
    if not in_flow_run():
        return
    from prefect.artifacts import create_table_artifact

    cells = [{name: _shown(value) for name, value in row.items()} for row in rows]
    create_table_artifact(cells, key=key, description=as_markdown(lead))


def _shown(value: str | int | None) -> str | int | None:
    return visible(value) if isinstance(value, str) else value


def publish_verdict(judgement: "Judgement", version: str) -> None:
    """Show the verdict with every check, and what real pictures would change."""
    publish_report("verdict", verdict_report(judgement.verdict, version))
    publish_report("flips", judgement.changes_report)


def publish_history(registry: Registry) -> None:
    """Show who let which version serve, and why, the newest first."""
    entries = registry.history()[::-1][:NEWEST]
    rows = [
        {
            name: str(entry.get(name) or "")
            for name in ("time", "actor", "action", "version", "reason", "replaced")
        }
        | {"override": "yes" if entry.get("override") else ""}
        for entry in entries
    ]
    champion = registry.serving_name()
    sentence = f"{champion} serves" if champion else "No version was promoted yet"
    publish_table("model-history", rows, sentence)


def evidence_of(verdict: Verdict) -> dict[str, Any]:
    """Return the figures of a verdict that a history entry holds."""
    return {
        "accepted": verdict.accepted,
        "sentence": verdict.sentence,
        "checks": len(verdict.checks),
        "failed": [check.name for check in verdict.checks if not check.passed],
        "against": verdict.against,
    }


def known_settings(kind: type[S], card: Card) -> dict[str, Any]:
    """Return those settings of a card that this digitflow still has."""
    return {name: card.settings[name] for name in kind.model_fields if name in card.settings}
