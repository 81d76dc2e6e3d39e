"""A champion that an earlier digitflow trained: for another canonical form."""

from pathlib import Path
from typing import Any

from tasks.registry.card import CardContent
from tasks.registry.registry import Registry, ship
from tasks.registry.version import Version
from tests.bars import save_bar_model

EARLIER_FORM = "3"
QUICK = {"recipe": "quick", "data": "mnist"}


def make_version(home: Path, name: str, form: str | None = None, **card: Any) -> Version:
    """Register a model of bars with a card that says the gate accepted it.

    Args:
        home: its models get it.
        name: of the version.
        form: canonical form that it was made for; None: that of today.
        card: of its card, beside what every card has.
    """
    home.mkdir(parents=True, exist_ok=True)
    forms = {"form": form} if form else {}
    onnx = save_bar_model(home / "model.onnx", version=name, **forms)
    (home / "model.keras").write_bytes(b"weights")
    facts = {
        "version": name,
        "dataset": {"name": "mnist", "digest": "d" * 64},
        "settings": QUICK,
        "verdict": {"accepted": True, "checks": [], "sentence": "Accepted: made"},
    }
    content = CardContent.from_dict(facts | card)
    return Registry(home / "models").register(content, onnx, home / "model.keras")


def outdated_champion(home: Path, name: str = "earlier", **card: Any) -> Version:
    """Let a version of an earlier digitflow serve."""
    registry, version = Registry(home / "models"), make_version(home, name, EARLIER_FORM, **card)
    registry.promote(version, "made for a test", against=registry.serving_name(), override=True)
    return version


def ship_one(home: Path, name: str = "shipped") -> None:
    """Let a model ship that reads with this digitflow."""
    ship(make_version(home / "factory", name))
