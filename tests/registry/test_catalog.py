"""Versions are shown side by side with all that matters to who chooses one, damaged ones too."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ModelError
from tasks.registry.catalog import (
    Row,
    differences,
    listed,
    registry,
    require_sound,
    shown,
    verified,
)
from tasks.registry.registry import ship
from tests.bars import save_bar_model
from tests.helpers import register_champion
from tests.registry.test_registry import card


@pytest.fixture
def versions(home: Path, model_file: Path) -> None:
    """Let a serve, then b, and refuse c."""
    register_champion(home, model_file, "a")
    register_champion(home, model_file, "b")
    registry().register(card("c", accepted=False), model_file, model_file)


def by_name(rows: list[Row]) -> dict[str, Row]:
    """Return rows by their version."""
    return {row["version"]: row for row in rows}


def test_a_home_without_models_has_an_empty_list_and_nothing_is_wrong_with_it(home: Path) -> None:
    assert listed() == verified() == []
    require_sound([])
    assert not home.exists()


@pytest.mark.usefixtures("versions")
def test_versions_come_oldest_first_with_one_champion_and_the_verdict_on_each() -> None:
    rows = listed()
    assert [(row["version"], row["champion"], row["accepted"]) for row in rows] == [
        ("a", False, True),
        ("b", True, True),
        ("c", False, False),
    ]
    assert not [row for row in rows if row["trouble"] or row["override"] or row["shipped"]]


def test_what_ships_is_listed_first_and_is_champion_until_another_serves(
    home: Path, tmp_path: Path, model_file: Path
) -> None:
    ship(register_champion(tmp_path / "maker", model_file, "shipped"))
    assert [(row["version"], row["shipped"], row["champion"]) for row in listed()] == [
        ("shipped", True, True)
    ]
    register_champion(home, model_file, "a")
    assert [(row["version"], row["shipped"], row["champion"]) for row in listed()] == [
        ("shipped", True, False),
        ("a", False, True),
    ]
    assert [row["version"] for row in verified()] == ["shipped", "a"]


@pytest.mark.usefixtures("versions")
def test_what_cannot_be_used_is_at_the_end_with_the_reason_and_the_columns_of_all(
    home: Path,
) -> None:
    (home / "models" / "a" / "card.json").write_text("{")
    (home / "models" / "odd\x1b[2J").mkdir()
    (home / "models" / "odd\x1b[2J" / "card.json").write_text("[]")
    rows = listed()
    assert [row["version"] for row in rows][:2] == ["b", "c"]
    assert {row["version"] for row in rows[2:]} == {"a", "odd\x1b[2J"}
    assert len({tuple(row) for row in rows}) == 1  # of the names of columns
    assert all(row["trouble"].isprintable() for row in rows[2:])
    json.dumps(rows)


@pytest.mark.usefixtures("versions")
def test_a_version_is_shown_with_its_own_history_and_an_override() -> None:
    known = registry()
    known.promote(known.load("c"), "b is broken", against="b", override=True)
    found = shown("c")
    assert (found.champion, found.override) == (True, "b is broken")
    assert [entry["action"] for entry in found.history] == ["register", "promote"]
    assert found.folder == f"{known.place}/c"
    assert (shown("b").champion, shown("b").override) == (False, None)
    values = json.loads(json.dumps(found.to_dict()))
    assert values["card"]["version"] == "c"
    with pytest.raises(ModelError, match="no model version 'd'"):
        shown("d")


@pytest.mark.usefixtures("versions")
def test_only_what_differs_is_named_and_both_ways_round_are_the_same() -> None:
    assert differences("a", "a") == []
    rows = differences("a", "c")
    facts = {row["fact"]: (row["a"], row["c"]) for row in rows}
    assert facts["accepted"] == (True, False)
    assert facts["data: name"] == ("made", None)
    assert facts["settings: recipe"] == ("quick", None)
    assert all(left != right for left, right in facts.values())
    back = {row["fact"]: (row["a"], row["c"]) for row in differences("c", "a")}
    assert back == facts


@pytest.mark.usefixtures("versions")
def test_what_is_wrong_with_a_version_is_found_by_trying_each(home: Path, tmp_path: Path) -> None:
    (home / "models" / "a" / "model.keras").write_bytes(b"other")
    rows = by_name(verified())
    assert "a/model.keras is not the file that was registered" in rows["a"]["trouble"]
    assert rows["b"]["trouble"] is None
    assert "holds no answers to check it with" in rows["c"]["trouble"]
    with pytest.raises(ModelError, match=r"^2 of 3 versions: .*a/model.keras is not the file"):
        require_sound(verified())


def test_a_version_that_answers_otherwise_is_found_though_its_files_are_as_registered(
    home: Path, tmp_path: Path, model_file: Path
) -> None:
    values: dict[str, Any] = register_champion(home, model_file, "a").card.to_dict()
    values["golden"]["probabilities"].reverse()
    values["version"], values["verdict"]["sha256"] = "b", None
    other = save_bar_model(tmp_path / "b.onnx", version="b")
    registry().register(type(card("b")).from_dict(values), other, other)
    [troubled] = [row for row in verified() if row["trouble"]]
    assert troubled["version"] == "b"
    assert "does not answer as its card says" in troubled["trouble"]
