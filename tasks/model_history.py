"""What a history of models says: who serves, what was deleted, what the gate did not want."""

from collections.abc import Iterable
from typing import Any

from tasks.history import Entry


def entry_of(action: str, version: str, reason: str, **facts: Any) -> Entry:
    """Return what is to be appended about a version."""
    return {"action": action, "version": version, "reason": reason, **facts}


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
