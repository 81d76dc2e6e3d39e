"""The recipe of a card in the names that recipes have, whichever version wrote the card."""

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "turn": "rotation_degrees",
    "stretch": "zoom",
    "units": "dense_units",
    "average": "ema_momentum",
    "bent": "elastic_copies",
}
UNNAMED_OPTIMIZER = "TensorFlow's raw operations for Adam"  # of every card that names none


def recipe_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's recipe as `Recipe.to_dict` names its fields; nothing for a card without."""
    return {"optimizer": UNNAMED_OPTIMIZER, **_renamed(recipe)} if recipe else {}


def _renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        RENAMED.get(name, name): _renamed(value) if isinstance(value, Mapping) else value
        for name, value in fields.items()
    }
