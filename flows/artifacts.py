"""What a flow shows in the Prefect UI: reports and tables as artifacts of its run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flows.patience import patiently
from flows.status.address import STATUS_LINK
from tasks.contracts.verdict import Verdict
from tasks.registry.card import Card
from tasks.registry.registry import Registry
from tasks.reporting.document import Report, as_markdown, to_markdown
from tasks.reporting.training_report import verdict_report
from tasks.runs import REPORTS_PATH
from tasks.settings.base import FlowSettings
from tasks.task import in_flow_run
from tasks.visible import visible

if TYPE_CHECKING:  # a reading publishes its report, and judges nothing
    from flows.judge import Judgement

S = TypeVar("S", bound=FlowSettings)

LOOK_S = 5.0  # seconds until the server has to show a report
NEWEST = 100  # entries of the history in its artifact


def publish_report(key: str, report: Report, file: Path | None = None) -> None:
    """Make a report a markdown artifact of the flow run, if this is one.

    Args:
        key: of the artifact.
        report: what it shows.
        file: the same as HTML, to which it links where the server shows that file.
    """
    if not in_flow_run():
        return
    from prefect.artifacts import create_markdown_artifact

    text = to_markdown(report, link_to(file) if file else "")
    lead = f"{as_markdown(report.lead)} {STATUS_LINK}"
    patiently(lambda: create_markdown_artifact(text, key=key, description=lead))


def link_to(file: Path) -> str:
    """Return where the server of this run shows this very report, or nothing where it does not.

    Servers that digitflow starts do so, and those behind its guard that have the same home.
    """
    import httpx
    from prefect.settings import get_current_settings

    api = get_current_settings().api
    if api.url is None or not api.url.endswith("/api"):
        return ""
    path = REPORTS_PATH + file.parent.name
    login = api.auth_string.get_secret_value() if api.auth_string else ""
    user, _, password = login.partition(":")
    auth = httpx.BasicAuth(user, password) if login else None
    try:
        shown = httpx.get(api.url.removesuffix("/api") + path, auth=auth, timeout=LOOK_S)
    except httpx.HTTPError:
        return ""
    return path if shown.content == file.read_bytes() else ""


def publish_table(key: str, rows: Sequence[Mapping[str, str | int | None]], lead: str) -> None:
    """Make rows a table artifact of the flow run under a plain sentence, if this is one."""
    if not in_flow_run():
        return
    from prefect.artifacts import create_table_artifact

    cells = [{name: _shown(value) for name, value in row.items()} for row in rows]
    patiently(lambda: create_table_artifact(cells, key=key, description=as_markdown(lead)))


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
