"""What a history of models says: what is there, who serves, what waits, what was not wanted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tasks.registry.card import CARD_DIGEST
from tasks.storage.journal import Entry, Kind

MODELS = Kind(
    keys=("time", "actor", "action", "version", "reason"),
    risk="another version could serve than the one that should",
    command="digitflow models accept-history",
)


ASK = "ask"  # action: a version that the gate accepted waits for a person's approval


@dataclass(frozen=True)
class Asked:
    """A version that a person has to approve before it serves."""

    version: str
    at: str  # ISO time
    until: datetime | None  # when it is refused; None: it waits until another version serves
    flow_run: str | None  # that is suspended until then
    run: str  # its folder's name
    dataset: str  # folder of its snapshot

    def is_over(self, now: datetime) -> bool:
        """Tell whether nobody can approve it any more."""
        return self.until is not None and self.until < now


def asked(entries: Iterable[Entry]) -> list[Asked]:
    """Return the versions that wait for an answer, the oldest first, also where it is too late."""
    waiting: dict[str, Asked] = {}
    for entry in entries:
        action, version = entry["action"], entry["version"]
        if action == ASK:
            waiting[version] = _asked(entry)
        elif action in ("promote", "rollback", "refuse", "remove"):
            waiting.pop(version, None)
        if action in ("promote", "rollback"):
            waiting = {name: each for name, each in waiting.items() if each.until}
    return list(waiting.values())


def asked_by(entries: Iterable[Entry], flow_run: str) -> Asked | None:
    """Return what a flow run has asked, whether or not that was answered."""
    found = [_asked(entry) for entry in entries if entry["action"] == ASK]
    return next((each for each in found if each.flow_run == flow_run), None)


def _asked(entry: Entry) -> Asked:
    evidence = entry.get("evidence") or {}
    until, flow_run = evidence.get("until"), evidence.get("flow_run")
    return Asked(
        version=entry["version"],
        at=entry["time"],
        until=datetime.fromisoformat(until) if until else None,
        flow_run=flow_run,
        run=str(evidence.get("run", "")),
        dataset=str(evidence.get("dataset", "")),
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
