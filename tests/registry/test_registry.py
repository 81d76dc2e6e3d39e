"""Versions are whole and unchanged, and the champion is the last promotion in the history."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.atomic import sha256
from tasks.contracts.verdict import Verdict
from tasks.errors import DigitflowError, GateRefused, InputError, ModelError
from tasks.registry import registry as registry_file
from tasks.registry.card import CardContent, sealed
from tasks.registry.registry import Registry, bundled_model, find_model, serving, ship
from tasks.registry.version import Version
from tests.bars import save_bar_model
from tests.places import Place

ROOT = Path(__file__).parents[2]


def card(name: str, accepted: bool = True) -> CardContent:
    """Return the least that is known of a version."""
    return CardContent(version=name, verdict=Verdict(accepted=accepted, checks=[], against=None))


def promote(registry: Registry, version: Version, reason: str = "good") -> None:
    """Promote a version that was judged against what serves."""
    champion = serving(registry)
    registry.promote(version, reason, against=champion.name if champion else None)


def actions(registry: Registry) -> list[tuple[str, str]]:
    """Return what was done to whom."""
    return [(entry["action"], entry["version"]) for entry in registry.history()]


@pytest.fixture
def registry(place: Place) -> Registry:
    """Return a registry without versions, in a folder and in a bucket."""
    return Registry(place.url)


@pytest.fixture
def add(registry: Registry, model_file: Path) -> Any:
    """Return what registers a version."""

    def register(name: str, accepted: bool = True) -> Version:
        return registry.register(card(name, accepted), model_file, model_file)

    return register


def test_a_registered_version_is_loaded_with_its_files_and_their_hashes(
    registry: Registry, add: Any, model_file: Path
) -> None:
    registered = add("v1")
    loaded = registry.load("v1")
    assert loaded == registered
    assert loaded.card.card_sha256
    assert loaded.onnx.read_bytes() == model_file.read_bytes()
    assert loaded.card.files == dict.fromkeys(("model.onnx", "model.keras"), sha256(model_file))
    assert [version.name for version in registry.versions()] == ["v1"]


def test_a_version_is_written_once(registry: Registry, add: Any) -> None:
    first = add("v1")
    with pytest.raises(DigitflowError, match="v1 is already registered"):
        add("v1", accepted=False)
    assert registry.load("v1") == first


def test_a_registration_that_fails_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        registry.register(card("v1"), tmp_path / "missing", tmp_path / "missing")
    assert not list(Path(registry.place).glob("*"))


@pytest.mark.parametrize("file", ["model.onnx", "model.keras"])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_version_whose_file_was_changed_is_refused(
    registry: Registry, place: Place, add: Any, file: str, deleted: bool
) -> None:
    promote(registry, add("v1"))
    if deleted:
        place.delete(f"v1/{file}")
    else:
        place.write(f"v1/{file}", b"other")
    for load in (lambda: registry.load("v1"), registry.champion):
        with pytest.raises(ModelError, match=f"{place.url}/v1/{file} is not the file that was reg"):
            load()


@pytest.mark.parametrize("name", ["v3", "", ".", "..", "../models/v1", "v1/", "/"])
def test_an_unknown_version_is_an_error_that_names_the_known_ones(
    registry: Registry, add: Any, name: str
) -> None:
    add("v2")
    add("v1")
    with pytest.raises(ModelError, match=re.escape(f"{name!r}") + ".*there is: v1, v2"):
        registry.load(name)


@pytest.mark.parametrize("changed", ['"accepted": false', '"card_sha256"', '"checks"'])
def test_a_card_of_which_a_byte_was_changed_is_refused(
    registry: Registry, place: Place, add: Any, changed: str
) -> None:
    add("v1", accepted=False)
    text = place.read("v1/card.json").decode()
    assert changed in text
    damaged = text.replace(changed, changed.replace("a", "b").replace("k", "b"))
    place.write("v1/card.json", damaged.encode())
    with pytest.raises(ModelError, match=r"card.json is (not the card that|damaged)"):
        registry.load("v1")


def test_a_card_that_was_sealed_again_is_not_the_one_that_was_registered(
    registry: Registry, place: Place, add: Any
) -> None:
    refused = add("v1", accepted=False)
    forged = sealed(card("v1"), refused.card.files)
    place.write("v1/card.json", forged.to_json().encode())
    with pytest.raises(ModelError, match=r"card.json is not the card that was registered"):
        registry.load("v1")


def test_the_champion_is_the_last_promotion(registry: Registry, add: Any) -> None:
    assert registry.champion() is None
    first, second = add("v1"), add("v2")
    promote(registry, first, "first")
    promote(registry, second, "better")
    registry.record("refuse", first.name, "worse")
    champion = registry.champion()
    assert champion
    assert champion.name == "v2"
    assert actions(registry) == [
        *(("register", "v1"), ("register", "v2")),
        *(("promote", "v1"), ("promote", "v2"), ("refuse", "v1")),
    ]
    last = registry.history()[3]
    assert (last["reason"], last["replaced"], last["override"]) == ("better", "v1", False)
    assert last["actor"]
    assert last["time"].endswith("+00:00")


def test_what_the_gate_refused_is_promoted_by_an_override_alone_which_stays_visible(
    registry: Registry, add: Any
) -> None:
    refused = add("v1", accepted=False)
    with pytest.raises(GateRefused, match="v1 did not pass the gate"):
        registry.promote(refused, "please", against=None)
    assert actions(registry) == [("register", "v1")]
    registry.promote(refused, "the old one is broken", against=None, override=True)
    assert registry.overridden() == {"v1": "the old one is broken"}
    promote(registry, add("v2"))
    assert registry.overridden() == {"v1": "the old one is broken"}


def test_a_version_that_was_judged_against_another_champion_is_refused(
    registry: Registry, add: Any
) -> None:
    first, second, third = add("v1"), add("v2"), add("v3")
    registry.promote(first, "good", against=None)
    registry.promote(second, "good", against="v1")
    with pytest.raises(
        GateRefused, match="stale baseline: v3 was judged against v1, but v2 serves"
    ):
        registry.promote(third, "good", against="v1")
    with pytest.raises(GateRefused, match="judged against nothing, but v2 serves"):
        registry.promote(third, "good", against=None)
    assert serving(registry) == second


def test_a_rollback_leads_to_what_the_champion_replaced_and_on_from_there(
    registry: Registry, add: Any
) -> None:
    for name in ("v1", "v2", "v3"):
        promote(registry, add(name))
    checked: list[str] = []
    back = [registry.rollback("bad", lambda v: checked.append(v.name)).name for _ in range(2)]
    assert back == checked == ["v2", "v1"]
    assert registry.predecessor() is None
    with pytest.raises(ModelError, match="no earlier version"):
        registry.rollback("bad", checked.append)
    promote(registry, add("v4"))
    assert registry.predecessor() == "v1"
    assert registry.history()[-3]["action"] == "rollback"


def test_what_fails_its_check_is_not_rolled_back_to(
    registry: Registry, place: Place, add: Any
) -> None:
    def broken(version: Version) -> None:
        raise ModelError(f"{version.name} answers otherwise")

    promote(registry, add("v1"))
    promote(registry, add("v2"))
    with pytest.raises(ModelError, match="v1 answers otherwise"):
        registry.rollback("bad", broken)
    place.write("v1/model.onnx", b"other")
    with pytest.raises(ModelError, match=r"model.onnx is not the file that was registered"):
        registry.rollback("bad", lambda version: None)
    champion = registry.champion()
    assert champion
    assert champion.name == "v2"


def test_a_rollback_can_lead_to_what_ships_and_stays_with_what_ships_later(
    add: Any, tmp_path: Path
) -> None:
    ship(add("shipped"))
    own = Registry(tmp_path / "own")
    onnx = add("another").onnx
    version = own.register(card("v1"), onnx, onnx)
    promote(own, version)
    assert own.predecessor() == "shipped"
    assert own.rollback("bad", lambda version: None).name == "shipped"
    ship(add("shipped-later"))
    later = serving(own)
    assert later
    assert later.name == "shipped-later"


def test_neither_the_champion_nor_its_predecessor_is_deleted(
    registry: Registry, place: Place, add: Any
) -> None:
    for name in ("v1", "v2", "v3"):
        promote(registry, add(name))
    for name in ("v2", "v3"):
        with pytest.raises(InputError, match=f"{name} serves or is what a rollback leads to"):
            registry.remove([name], "old", {})
    registry.remove(["v1"], "old", {"rows": 0})
    assert [version.name for version in registry.versions()] == ["v2", "v3"]
    assert not [path for path in place.paths() if path.startswith("v1")]
    assert registry.history()[-1]["action"] == "remove"


def test_what_was_deleted_by_another_machine_is_neither_promoted_nor_deleted_again(
    registry: Registry, add: Any
) -> None:
    version = add("v1")
    registry.remove(["v1"], "old", {})
    registry.remove(["v1"], "old", {})
    with pytest.raises(ModelError, match="v1 was deleted"):
        registry.promote(version, "good", against=None)
    assert actions(registry) == [("register", "v1"), ("remove", "v1")]


def test_a_deletion_that_was_killed_shows_no_half_version_and_is_ended_by_the_next(
    registry: Registry, place: Place, add: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    add("v1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(type(registry._store), "delete", killed)
        registry.remove(["v1"], "old", {})
    assert "v1/model.onnx" in place.paths()
    assert registry.names() == registry.versions() == []
    with pytest.raises(ModelError, match="no model version 'v1'"):
        registry.load("v1")
    registry.sweep()
    assert place.paths() == ["history.jsonl", "history.jsonl.head"]


PROMOTIONS = 10  # of each of two processes

PROMOTE = """
import sys
from pathlib import Path
from tasks.errors import GateRefused
from tasks.registry import registry as file
file.READY = Path("none")
registry = file.Registry(sys.argv[1])
done = 0
while done < int(sys.argv[3]):
    champion = file.serving(registry)
    version = registry.load(sys.argv[2])
    try:
        registry.promote(version, f"{done}", against=champion.name if champion else None)
    except GateRefused:
        continue
    done += 1
"""


@pytest.mark.processes
def test_two_processes_that_promote_at_once_leave_a_consistent_history(
    registry: Registry, add: Any
) -> None:
    names = [add(name).name for name in ("v1", "v2")]
    command = [sys.executable, "-c", PROMOTE, registry.place]
    running = [subprocess.Popen([*command, name, str(PROMOTIONS)], cwd=ROOT) for name in names]
    assert [process.wait() for process in running] == [0, 0]
    promotions = [entry for entry in registry.history() if entry["action"] == "promote"]
    assert sorted(entry["version"] for entry in promotions) == sorted(names * PROMOTIONS)
    # each knew whom it replaced: whoever the promotion before had let serve
    replaced = [entry["replaced"] for entry in promotions]
    assert replaced == [None, *(entry["version"] for entry in promotions[:-1])]
    champion = registry.champion()
    assert champion
    assert champion.name == promotions[-1]["version"]


def test_half_a_line_is_not_read_and_does_not_spoil_the_next(
    registry: Registry, place: Place, add: Any
) -> None:
    promote(registry, add("v1"))
    place.write("history.jsonl", place.read("history.jsonl") + b'{"time": "2026-01-01T00:00')
    assert len(registry.history()) == 2
    registry.record("refuse", "v1", "second")
    assert [entry["reason"] for entry in registry.history()] == ["a candidate", "good", "second"]


def test_a_model_is_found_by_champion_or_version_with_the_bytes_that_were_registered(
    registry: Registry, add: Any, model_file: Path
) -> None:
    promote(registry, add("v1"))
    second = add("v2")
    champion = find_model("champion", registry)
    assert (champion.name, champion.registered) == ("v1", True)
    assert champion.onnx == model_file.read_bytes()
    assert find_model("v2", registry) == second.model()


def test_a_file_reads_under_the_name_of_the_version_that_it_is_or_else_its_hash(
    registry: Registry, add: Any, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model_file.parent)
    found = find_model(model_file.name, registry)
    assert (found.name, found.location) == (f"sha256:{sha256(model_file)[:16]}", str(model_file))
    assert not found.registered
    add("bars")
    again = find_model(model_file.name, registry)
    assert (again.name, again.registered) == ("bars", True)
    forged = save_bar_model(tmp_path / "forged.onnx", version="bars", calibration="{}")
    assert find_model(str(forged), registry).name == f"sha256:{sha256(forged)[:16]}"


def test_a_model_that_was_changed_after_it_was_verified_is_refused(add: Any) -> None:
    version = add("v1")
    for change in (lambda: version.onnx.write_bytes(b"other"), version.onnx.unlink):
        change()
        with pytest.raises(ModelError, match=r"model.onnx is not the file that was registered"):
            version.model()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("champion", "no champion yet in .*digitflow train"),
        ("missing.onnx", "no file .*missing.onnx"),
        ("v9", "no model version 'v9' in .*there is: none"),
    ],
)
def test_a_model_that_is_not_there_is_an_error_with_advice(
    registry: Registry, model: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        find_model(model, registry)


def test_a_champion_whose_folder_is_gone_is_an_error(
    registry: Registry, place: Place, add: Any
) -> None:
    promote(registry, add("v1"))
    place.delete("v1")
    with pytest.raises(ModelError, match="no model version 'v1'"):
        find_model("champion", registry)


def test_a_card_is_readable_json(place: Place, add: Any) -> None:
    add("v1")
    assert json.loads(place.read("v1/card.json"))["version"] == "v1"


def test_the_bundled_model_reads_until_another_is_promoted(
    registry: Registry, add: Any, tmp_path: Path
) -> None:
    assert bundled_model() is None
    shipped = add("shipped")
    ship(shipped)
    ready = bundled_model()
    assert ready
    assert (ready.name, ready.accepted) == ("shipped", True)
    assert sorted(path.name for path in ready.folder.iterdir()) == ["card.json", "model.onnx"]
    own = Registry(tmp_path / "own")
    assert own.champion() is None
    assert find_model("champion", own) == find_model("shipped", own) == ready.model()
    promote(registry, shipped)
    assert find_model("champion", registry) == shipped.model()


def test_a_bundled_model_whose_file_was_changed_is_refused(registry: Registry, add: Any) -> None:
    ship(add("shipped"))
    (registry_file.READY / "model.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model.onnx is not the file that was registered"):
        find_model("champion", registry)


def test_what_the_gate_refused_does_not_ship(registry: Registry, add: Any) -> None:
    with pytest.raises(GateRefused, match="v1 did not pass the gate and cannot ship"):
        ship(add("v1", accepted=False))
    assert bundled_model() is None
