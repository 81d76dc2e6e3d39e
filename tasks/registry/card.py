"""Model cards: JSON with the SHA-256 of its own content, so that a changed byte is noticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import ModelError

CARD_DIGEST = "card_sha256"  # key of the card that holds the SHA-256 of all the others

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    """A part of a card; there may be more in it, and nothing is taken for something else."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Check(_Part):
    name: str
    requirement: str
    measured: str
    passed: bool


class _Verdict(_Part):
    accepted: bool
    checks: list[_Check]
    sentence: str = ""
    against: str | None = None
    acceptance: dict[str, str] = {}
    sha256: Digest | None = None  # of the file that was judged


class _Dataset(_Part):
    name: str
    digest: Digest


class _Metrics(_Part):
    accuracy: float


class _Card(_Part):
    """What is needed of a card to list, load, judge and promote its version."""

    version: Annotated[str, Field(min_length=1)]
    files: dict[str, Digest]
    verdict: _Verdict
    dataset: _Dataset | None = None
    settings: dict[str, Any] = {}
    metrics: _Metrics | None = None
    parity: dict[str, Any] | None = None
    created_at: str | None = None
    actor: str | None = None


def sealed(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card with the SHA-256 of its content, so that a changed byte is noticed."""
    content = {key: value for key, value in card.items() if key != CARD_DIGEST}
    # as it will be read: NaN, tuples and integer keys do not survive JSON as they are
    content = json.loads(json.dumps(content))
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**content, CARD_DIGEST: hashlib.sha256(text.encode()).hexdigest()}


def read_card(path: Path, place: str | None = None) -> dict[str, Any]:
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


def card_of(text: bytes, place: str) -> dict[str, Any]:
    """Return the card of a file that was read; see `read_card`."""
    try:
        card: dict[str, Any] = json.loads(text)
        _Card.model_validate(card)
        digest = sealed(card)[CARD_DIGEST]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _damaged(place, f"{where}: {first['msg']}" if where else first["msg"]) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(place, str(error)) from error
    if digest != card.get(CARD_DIGEST):
        raise ModelError(
            f"{place} is not the card that was registered (its content has another SHA-256 than "
            f"{card.get(CARD_DIGEST)}): restore it, or train and promote another version"
        )
    return card


def _damaged(place: str, what: str) -> ModelError:
    return ModelError(
        f"{place} is damaged ({what}): restore it, or train and promote another version"
    )
