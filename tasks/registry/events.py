"""What a history of models says: what is there, who serves, what the gate did not want."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tasks.registry.card import CARD_DIGEST
from tasks.storage.journal import Entry, Kind

MODELS = Kind(
    keys=("time", "actor", "action", "version", "reason"),
    risk="another version could serve than the one that should",
    command="digitflow models accept-history",
)


def entry_of(action: str, version: str, reason: str, **facts: Any) -> Entry:
    """Return what is to be appended about a version."""
    return {"action": action, "version": version, "reason": reason, **facts}


def registered(entries: Iterable[Entry]) -> dict[str, str | None]:
    """Return the SHA-256 of each registered version's card, the version registered last at the end.

    A version that was deleted is not among them, unless it was registered again.
    """
    cards: dict[str, str | None] = {}
    for entry in entries:
        if entry["action"] in ("register", "remove"):
            cards.pop(entry["version"], None)
        if entry["action"] == "register":
            evidence = entry.get("evidence")
            digest = evidence.get(CARD_DIGEST) if isinstance(evidence, dict) else None
            cards[entry["version"]] = digest if isinstance(digest, str) else None
    return cards


def removed(entries: Iterable[Entry]) -> set[str]:
    """Return the versions that were deleted and not registered again."""
    last = {
        entry["version"]: entry["action"]
        for entry in entries
        if entry["action"] in ("register", "remove")
    }
    return {name for name, action in last.items() if action == "remove"}


def served(entries: Iterable[Entry], first: str | None) -> list[str]:
    """Return the versions that serve one after the other, without those that were rolled back."""
    names = [first] if first else []
    for entry in entries:
        if entry["action"] == "promote":
            names.append(entry["version"])
        elif entry["action"] == "rollback" and entry.get("shipped"):
            names = [first] if first else []
        elif entry["action"] == "rollback":
            while names and names[-1] != entry["version"]:
                names.pop()
    return names


def overridden(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the versions that were promoted against the gate, each with the reason given."""
    return {
        entry["version"]: entry["reason"]
        for entry in entries
        if entry["action"] == "promote" and entry.get("override")
    }


def named_within(entries: Iterable[Entry], time: timedelta, now: datetime) -> set[str]:
    """Return the versions that something was done to lately, or that were replaced then.

    A time that cannot be read, or lies ahead of this machine's clock, counts as just now.
    """
    names: set[str] = set()
    for entry in entries:
        if _age(entry, now) < time:
            replaced = entry.get("replaced")
            names |= {entry["version"], *([replaced] if isinstance(replaced, str) else [])}
    return names


def _age(entry: Entry, now: datetime) -> timedelta:
    try:
        return now - datetime.fromisoformat(entry["time"])
    except (ValueError, TypeError):  # TypeError: without a time zone
        return timedelta(0)
