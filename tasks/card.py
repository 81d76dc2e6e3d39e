"""Model cards: JSON with the SHA-256 of its own content, so that a changed byte is noticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.errors import ModelError

CARD_DIGEST = "card_sha256"  # key of the card that holds the SHA-256 of all the others


def sealed(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card with the SHA-256 of its content, so that a changed byte is noticed."""
    content = {key: value for key, value in card.items() if key != CARD_DIGEST}
    # as it will be read: NaN, tuples and integer keys do not survive JSON as they are
    content = json.loads(json.dumps(content))
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**content, CARD_DIGEST: hashlib.sha256(text.encode()).hexdigest()}


def read_card(path: Path) -> dict[str, Any]:
    """Return a card as it was written.

    Raises:
        ModelError: it is no JSON.
    """
    return card_of(path.read_bytes(), str(path))


def card_of(text: bytes, place: str) -> dict[str, Any]:
    """Return the card of a file that was read; see `read_card`."""
    try:
        card: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{place} is damaged ({error}): restore it") from error
    return card
