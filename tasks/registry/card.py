"""Model cards: what is known of a version, with the SHA-256 of all of it, so that a change shows.

This file alone knows how a card is written; it reads those of earlier versions, which have fewer
keys, and gives them back byte for byte.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from tasks.contracts.base import Contract
from tasks.contracts.training import Answer, Epoch, Layer
from tasks.contracts.verdict import Digest, Verdict
from tasks.errors import ModelError
from tasks.registry.card_parts import (
    CardCalibration,
    CardChanges,
    CardDataset,
    CardDevice,
    CardMetrics,
    CardParity,
    CardUnknown,
    Golden,
    Values,
)

CARD_DIGEST = "card_sha256"  # key of the card that holds the SHA-256 of all the others


class CardContent(Contract):
    """What a training knows of its model: all that an auditor or a later training needs."""

    version: Annotated[str, Field(min_length=1)]
    created_at: str | None = None
    actor: str | None = None
    git_commit: str | None = None
    packages: dict[str, str] = Field({})
    device: CardDevice | None = None
    dataset: CardDataset | None = None
    settings: Values = Field({})
    recipe: Values = Field({})
    layers: list[Layer] = Field([])
    history: list[Epoch] = Field([])
    weights_of: str | None = None  # the version whose weights these are, if not of this training
    calibration: CardCalibration | None = None
    metrics: CardMetrics | None = None  # None: the test part could not be answered
    sample: Answer | None = None
    golden: Golden | None = None
    parity: CardParity | None = None
    verdict: Verdict
    flips: CardChanges | CardUnknown | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows; a key that was not given is left out."""
        return self.model_dump(exclude_unset=True)


class Card(CardContent):
    """The card of a version that is kept: its files, and the seal on all of it."""

    files: dict[str, Digest]  # beside the card, by name
    card_sha256: str  # see `seal`

    def to_json(self) -> str:
        """Return the text of its file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def sealed(content: CardContent, files: Mapping[str, str]) -> Card:
    """Return the card of a version.

    Args:
        content: what is known of it.
        files: the SHA-256 of each file beside the card.
    """
    values = {**content.to_dict(), "files": dict(files)}
    return Card.from_dict({**values, CARD_DIGEST: seal(values)})


def seal(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a card says, as JSON, its seal aside."""
    content = {key: value for key, value in values.items() if key != CARD_DIGEST}
    # as it will be read: integer keys do not survive JSON as they are
    content = json.loads(json.dumps(content))
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_card(path: Path, place: str | None = None) -> Card:
    """Return a card as it was written.

    Args:
        path: of the file.
        place: where it is from, for errors; the path itself, if not given.

    Raises:
        ModelError: it is no card, or its content was changed.
    """
    try:
        return card_of(path.read_bytes(), place or str(path))
    except OSError as error:
        raise ModelError(f"{place or path} cannot be read: {error.strerror}") from error


def card_of(text: bytes, place: str) -> Card:
    """Return the card of a file that was read; see `read_card`."""
    try:
        values = json.loads(text)
        card = Card.from_dict(values)
        digest = seal(values)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{place} is damaged ({error}): restore it, or train and promote another version"
        ) from error
    if digest != card.card_sha256:
        raise ModelError(
            f"{place} is not the card that was registered (its content has another SHA-256 than "
            f"{card.card_sha256}): restore it, or train and promote another version"
        )
    return card
