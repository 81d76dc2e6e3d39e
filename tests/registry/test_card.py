"""A card is read as it was written, by whichever version, and refused if anything is wrong."""

import json
from copy import deepcopy
from typing import Any

import pytest

from tasks.contracts.verdict import Verdict
from tasks.errors import ModelError
from tasks.registry.card import Card, CardContent, card_of, seal, sealed
from tests.registry.test_bundled_model import SHIPPED

TEXT = (SHIPPED / "card.json").read_bytes()
FULL = json.loads(TEXT)
DIGEST = "0" * 64


def refusal_of(values: Any) -> str:
    """Return why a card with the right seal is none."""
    values = {**values, "card_sha256": seal(values)} if isinstance(values, dict) else values
    with pytest.raises(ModelError) as refused:
        card_of(json.dumps(values).encode(), "v1/card.json")
    return str(refused.value)


def places(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value that is typed: the first of a list stands for all."""
    found = [path] if path else []
    if path in (("settings",), ("recipe",)):  # whose names are those of a version
        return found
    if isinstance(values, dict):
        found += [place for key, value in values.items() for place in places(value, (*path, key))]
    if isinstance(values, list) and values:
        found += places(values[0], (*path, 0))
    return found


def with_value(values: Any, path: tuple[Any, ...], value: object) -> Any:
    """Return a copy with another value at one place."""
    copy = deepcopy(values)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


def test_the_shipped_card_is_given_back_byte_for_byte_under_the_same_seal() -> None:
    card = card_of(TEXT, "card.json")
    assert card.to_json().encode() == TEXT
    assert card.card_sha256 == seal(FULL) == FULL["card_sha256"]
    assert sealed(card, card.files) == card


def test_the_least_that_an_earlier_version_has_written_is_a_card() -> None:
    values = {
        "version": "v1",
        "verdict": {"accepted": True, "checks": []},
        "files": {"model.onnx": DIGEST},
    }
    values |= {"card_sha256": seal(values)}
    card = card_of(json.dumps(values).encode(), "card.json")
    assert card.to_dict() == values
    assert (card.metrics, card.dataset, card.verdict.against) == (None, None, None)


def test_a_card_without_the_keys_that_came_later_is_given_back_without_them() -> None:
    later = ("actor", "weights_of", "golden", "flips")
    earlier = {key: value for key, value in deepcopy(FULL).items() if key not in later}
    for key in ("sha256", "compared", "comparison"):
        earlier["verdict"].pop(key, None)
    earlier["card_sha256"] = seal(earlier)
    card = card_of(json.dumps(earlier).encode(), "card.json")
    assert card.to_dict() == earlier


def test_a_card_keeps_what_a_later_version_has_added() -> None:
    later = {**FULL, "colour": {"of": "ink"}}
    later["card_sha256"] = seal(later)
    assert card_of(json.dumps(later).encode(), "card.json").to_dict() == later


def test_what_is_sealed_is_read_as_it_was_written() -> None:
    content = CardContent(
        version="v1",
        verdict=Verdict(accepted=False, checks=[]),
        settings={"data": "caf\udce9", "max_error": 1},  # a folder whose name is no UTF-8
    )
    card = sealed(content, {"model.onnx": DIGEST})
    assert card_of(card.to_json().encode(), "card.json") == card
    assert card.settings == content.settings


TYPED = [path for path in places(FULL) if path != ("card_sha256",)]  # which would be made anew


@pytest.mark.parametrize("path", TYPED, ids=lambda path: ".".join(map(str, path)))
def test_a_wrong_type_anywhere_is_refused_in_one_line_that_names_the_key(
    path: tuple[Any, ...],
) -> None:
    refusal = refusal_of(with_value(FULL, path, [{}]))
    assert refusal.startswith(f"v1/card.json is damaged ({'.'.join(map(str, path[:1]))}")
    assert refusal.endswith(": restore it, or train and promote another version")
    assert "\n" not in refusal


@pytest.mark.parametrize("key", ["version", "verdict", "files"])
def test_a_card_needs_its_name_its_verdict_and_its_files(key: str) -> None:
    refusal = refusal_of({name: value for name, value in FULL.items() if name != key})
    assert f"({key}: Field required)" in refusal


@pytest.mark.parametrize("values", [[], 7, None, "card"])
def test_what_is_no_object_is_no_card(values: Any) -> None:
    assert refusal_of(values).startswith("v1/card.json is damaged (Input should be")


def test_a_changed_value_breaks_the_seal() -> None:
    values = with_value(FULL, ("metrics", "accuracy"), 1.0)
    with pytest.raises(ModelError, match="is not the card that was registered"):
        card_of(json.dumps(values).encode(), "card.json")
    unsealed = {key: value for key, value in FULL.items() if key != "card_sha256"}
    with pytest.raises(ModelError, match=r"is damaged \(card_sha256: Field required\)"):
        card_of(json.dumps(unsealed).encode(), "card.json")


def test_a_card_never_changes() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Card.from_dict(FULL).version = "v2"  # type: ignore[misc]
