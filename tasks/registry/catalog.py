"""The versions of a home side by side: what is there, how two differ, what is wrong with one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.errors import DigitflowError, ModelError
from tasks.registry.card import Card
from tasks.registry.golden import check_golden
from tasks.registry.recipe_names import recipe_of
from tasks.registry.registry import Registry, bundled_model
from tasks.registry.version import Known, Unusable, Version
from tasks.settings.base import models_place
from tasks.storage.journal import Entry

Row = dict[str, Any]
"""A row of a table that is shown, or written as JSON."""


def registry() -> Registry:
    """Return the versions of this home, or of the place that it shares."""
    return Registry(models_place())


def listed() -> list[Row]:
    """Return every version with its verdict: what ships first, then the oldest first.

    What lies among them and cannot be used is at the end, with the reason.
    """
    known, ready = registry(), bundled_model()
    champion, overridden = known.serving_name(), known.overridden()
    return [
        {
            "version": version.name,
            "champion": version.name == champion,
            "shipped": version is ready,
            **_summary(version, overridden.get(version.name)),
        }
        for version in ([ready] if ready else []) + known.versions()
    ]


def _summary(version: Known | Unusable, override: str | None) -> Row:
    columns = ("accepted", "override", "accuracy", "data", "recipe", "created_at")
    if isinstance(version, Unusable):
        return dict.fromkeys(columns) | {"trouble": version.trouble}
    card = version.card
    data, recipe = card.dataset.name if card.dataset else None, card.settings.get("recipe")
    facts = (version.accepted, override, version.accuracy, data, recipe, card.created_at)
    return {**dict(zip(columns, facts, strict=True)), "trouble": None}


@dataclass(frozen=True)
class Shown:
    """All that is known of a version."""

    version: str
    folder: str  # or URL
    champion: bool  # it serves
    override: str | None  # why it was promoted against the gate, if it was
    history: list[Entry]  # of this version, the oldest first
    card: Card

    def to_dict(self) -> Row:
        """Return the same as values that JSON knows."""
        return vars(self) | {"card": self.card.to_dict()}


def shown(name: str) -> Shown:
    """Return all that is known of a version: its card, its history, whether it serves.

    Raises:
        ModelError: there is no such version, or a file was changed.
    """
    known = registry()
    version = known.load(name)
    return Shown(
        version=name,
        folder=known.where(version),
        champion=name == known.serving_name(),
        override=known.overridden().get(name),
        history=[entry for entry in known.history() if entry["version"] == name],
        card=version.card,
    )


def differences(first: str, second: str) -> list[Row]:
    """Return what differs between two versions: settings, data, code, metrics and checks.

    Raises:
        ModelError: there is no such version, or a file was changed.
    """
    known = registry()
    left, right = (_compared(known.load(name).card) for name in (first, second))
    return [
        {"fact": key, first: left.get(key), second: right.get(key)}
        for key in dict.fromkeys([*left, *right])
        if left.get(key) != right.get(key)
    ]


def _compared(card: Card) -> Row:
    """Return what two versions are compared by: the figures and names of a card, no tables."""
    data, metrics = card.dataset, card.metrics
    nested: dict[str, Mapping[str, Any]] = {
        "settings": card.settings,
        "recipe": recipe_of(card.recipe),
        "data": {key: getattr(data, key, None) for key in ("name", "digest", "source")},
        "packages": card.packages,
        "metrics": metrics.model_dump(exclude={"confusion", "mistakes"}) if metrics else {},
        "check": {check.name: check.measured for check in card.verdict.checks},
    }
    rows = {
        f"{title}: {key}": value for title, some in nested.items() for key, value in some.items()
    }
    plain = ("created_at", "actor", "git_commit", "weights_of")
    return {key: getattr(card, key) for key in plain} | {"accepted": card.verdict.accepted} | rows


def verified() -> list[Row]:
    """Return what is wrong with each version: its files, its card, its answers; None: nothing."""
    known, ready = registry(), bundled_model()
    names = ([ready.name] if ready else []) + [version.name for version in known.versions()]
    return [{"version": name, "trouble": _trouble(known, name)} for name in names]


def _trouble(known: Registry, name: str) -> str | None:
    try:
        version = known.load(name, anew=True)
        answers_as_before(version)
    except DigitflowError as error:
        return str(error)
    return None


def require_sound(rows: list[Row]) -> None:
    """Refuse what `verified` found.

    Raises:
        ModelError: something is wrong with a version.
    """
    if bad := [row for row in rows if row["trouble"]]:
        raise ModelError(f"{len(bad)} of {len(rows)} versions: {bad[0]['trouble']}")


def answers_as_before(version: Version) -> None:
    """Refuse a version that does not answer as its card says."""
    check_golden(version.model(), version.card.golden)
