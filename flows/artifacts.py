"""What a verdict and a history look like outside: artifacts, evidence of history entries."""

from collections.abc import Mapping
from typing import Any, TypeVar

from flows.engine import Engine
from flows.judge import Judgement
from tasks.registry.registry import Registry
from tasks.settings import FlowSettings

S = TypeVar("S", bound=FlowSettings)

NEWEST = 100  # entries of the history in its artifact


def publish_verdict(judgement: Judgement, engine: Engine) -> None:
    """Show every check as a table under one plain sentence, and what real pictures would change."""
    rows = [
        {
            "check": check.name,
            "required": check.requirement,
            "measured": check.measured,
            "pictures": check.count,
            "verdict": "passed" if check.passed else "FAILED",
            "what it is": check.explanation,
        }
        for check in sorted(judgement.verdict.checks, key=lambda check: check.passed)
    ]
    engine.publish_table("verdict", rows, judgement.verdict.sentence)
    engine.publish("flips", judgement.flips)


def publish_history(registry: Registry, engine: Engine) -> None:
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
    champion = next((e["version"] for e in entries if e["action"] in ("promote", "rollback")), None)
    sentence = f"{champion} serves" if champion else "No version was promoted yet"
    engine.publish_table("model-history", rows, sentence)


def evidence_of(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a verdict that a history entry holds."""
    failed = [check["name"] for check in verdict["checks"] if not check["passed"]]
    return {
        "accepted": verdict["accepted"],
        "sentence": verdict.get("sentence", ""),
        "checks": len(verdict["checks"]),
        "failed": failed,
        "against": verdict.get("against"),
    }


def known_settings(kind: type[S], card: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings of a card that this digitflow still has."""
    return {name: card["settings"][name] for name in kind.model_fields if name in card["settings"]}
