"""Nothing serves that was not registered, and nothing whose file the gate did not judge."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.atomic import sha256
from tasks.contracts.verdict import Check, Verdict
from tasks.errors import DigitflowError, GateRefused, ModelError
from tasks.registry.card import CardContent, card_of, sealed
from tasks.registry.events import registered
from tasks.registry.registry import Registry, ship
from tasks.registry.version import Unusable, Version
from tests.places import Place
from tests.registry.test_registry import card


@pytest.fixture
def registry(place: Place, model_file: Path) -> Registry:
    """Return a registry whose champion is v1, in a folder and in a bucket."""
    found = Registry(place.url)
    found.promote(found.register(card("v1"), model_file, model_file), "good", against=None)
    return found


def put(place: Place, name: str, content: CardContent, model: Path) -> None:
    """Put a folder that looks like an accepted version beside the others, as a person may."""
    for file in ("model.onnx", "model.keras"):
        place.write(f"{name}/{file}", model.read_bytes())
    files = dict.fromkeys(("model.onnx", "model.keras"), sha256(model))
    place.write(f"{name}/card.json", sealed(content, files).to_json().encode())


@pytest.mark.parametrize("override", [False, True])
def test_a_folder_that_was_never_registered_serves_nobody_whatever_its_card_says(
    registry: Registry, place: Place, model_file: Path, override: bool
) -> None:
    put(place, "v2", card("v2"), model_file)
    with pytest.raises(ModelError, match=f"{place.url}/v2 was never registered"):
        registry.load("v2")
    stranger = Version(card_of(place.read("v2/card.json"), "v2"), Path("anywhere"))
    with pytest.raises(ModelError, match=f"{place.url}/v2 was never registered"):
        registry.promote(stranger, "good", against="v1", override=override)
    champion = registry.champion()
    assert champion
    assert champion.name == "v1"
    assert registry.names() == ["v1"]
    *known, odd = registry.versions()
    assert [version.name for version in known] == ["v1"]
    assert isinstance(odd, Unusable)
    assert (odd.name, "was never registered" in odd.trouble) == ("v2", True)


def test_a_version_under_another_name_is_not_that_version(
    registry: Registry, place: Place, model_file: Path
) -> None:
    put(place, "v2", card("v1"), model_file)
    for name in ("card.json", "model.onnx", "model.keras"):
        place.write(f"v2/{name}", place.read(f"v1/{name}"))
    with pytest.raises(ModelError, match="v2 was never registered"):
        registry.load("v2")


def test_a_registered_version_with_the_files_of_another_is_refused(
    registry: Registry, place: Place, model_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(model_file.read_bytes() + b"x")
    registry.register(card("v2"), other, other)
    for name in ("card.json", "model.onnx", "model.keras"):
        place.write(f"v1/{name}", place.read(f"v2/{name}"))
    for use in (lambda: registry.load("v1"), registry.champion):
        with pytest.raises(ModelError, match=r"v1/card.json is not the card that was registered"):
            use()


def test_what_was_promoted_by_an_entry_but_never_registered_does_not_serve(
    registry: Registry, place: Place, model_file: Path
) -> None:
    put(place, "v2", card("v2"), model_file)
    registry.record("promote", "v2", "as if")
    with pytest.raises(ModelError, match="v2 was never registered"):
        registry.champion()
    registry.promote(registry.load("v1"), "the right one", against="v2")
    with pytest.raises(ModelError, match="v2 was never registered"):
        registry.rollback("back", lambda _: None)


@pytest.mark.parametrize("judged", ["0" * 64, None])
def test_the_file_that_is_registered_is_the_one_that_the_gate_judged(
    registry: Registry, place: Place, model_file: Path, judged: str | None
) -> None:
    verdict = Verdict(accepted=True, checks=[], sha256=judged or sha256(model_file))
    candidate = CardContent(version="v2", verdict=verdict)
    if judged is None:
        registry.register(candidate, model_file, model_file)
        assert registry.load("v2").card.verdict.sha256 == sha256(model_file)
        return
    with pytest.raises(ModelError, match="v2: the gate judged another file"):
        registry.register(candidate, model_file, model_file)
    assert registry.names() == ["v1"]
    assert not [path for path in place.paths() if path.startswith("v2")]


Harm = Callable[[dict[str, Any]], Any]
HARMS: dict[str, Harm] = {
    "no object": lambda card: [card],
    "no version": lambda card: {k: v for k, v in card.items() if k != "version"},
    "no files": lambda card: {**card, "files": {}},
    "no model among them": lambda card: {**card, "files": {"model.keras": "0" * 64}},
    "no verdict": lambda card: {**card, "verdict": None},
    "checks without a name": lambda card: {
        **card,
        "verdict": {**card["verdict"], "checks": [{"passed": True}]},
    },
    "accepted in words": lambda card: {**card, "verdict": {**card["verdict"], "accepted": "no"}},
    "no seal": lambda card: {k: v for k, v in card.items() if k != "card_sha256"},
    "data without a digest": lambda card: {**card, "dataset": {"name": "x", "digest": "*"}},
}


@pytest.mark.parametrize("harm", HARMS)
def test_one_damaged_card_is_named_and_the_others_are_still_shown(
    registry: Registry, place: Place, model_file: Path, harm: str
) -> None:
    registry.register(card("v2"), model_file, model_file)
    broken = HARMS[harm](json.loads(place.read("v2/card.json")))
    for text in (json.dumps(broken).encode(), json.dumps(broken).encode()[:-3]):
        place.write("v2/card.json", text)
        with pytest.raises(ModelError, match=r"v2/card.json is |v2: its card names no"):
            registry.load("v2")
        assert [version.name for version in registry.versions()] == ["v1", "v2"]
        odd = registry.versions()[1]
        assert isinstance(odd, Unusable)
        assert "v2/card.json" in odd.trouble
        champion = registry.champion()
        assert champion
        assert champion.name == "v1"


def test_versions_are_in_the_order_of_their_registration_whatever_the_clock_says(
    place: Place, model_file: Path
) -> None:
    registry = Registry(place.url)
    for name in ("20300101-000000-aaaa", "20200101-000000-bbbb", "20250101-000000-cccc"):
        registry.register(card(name), model_file, model_file)
    names = ["20300101-000000-aaaa", "20200101-000000-bbbb", "20250101-000000-cccc"]
    assert registry.names() == [version.name for version in registry.versions()] == names
    registry.remove(names[:1], "old", {})
    assert registry.names() == names[1:]


def test_a_registration_whose_evidence_is_damaged_fits_no_card(
    place: Place, model_file: Path
) -> None:
    line = {"time": "t", "actor": "a", "action": "register", "version": "v1", "reason": "r"}
    for evidence in (None, 7, [], {}, {"card_sha256": 7}):
        assert registered([{**line, "evidence": evidence}]) == {"v1": None}
    put(place, "v1", card("v1"), model_file)
    place.write("history.jsonl", json.dumps({**line, "evidence": 7}).encode() + b"\n")
    with pytest.raises(DigitflowError, match="not the card that was registered"):
        Registry(place.url).load("v1")


def test_a_version_that_was_copied_from_another_place_with_its_card_is_not_taken(
    registry: Registry, place: Place, model_file: Path, tmp_path: Path
) -> None:
    other = Registry(tmp_path / "elsewhere")
    other.register(card("v9"), model_file, model_file)
    for file in (tmp_path / "elsewhere" / "v9").iterdir():
        place.write(f"v9/{file.name}", file.read_bytes())
    with pytest.raises(ModelError, match="v9 was never registered"):
        registry.load("v9")
    shutil.rmtree(tmp_path / "elsewhere" / "v9")


def on(*names: str, failed: tuple[str, ...] = ()) -> Verdict:
    """Return the verdict on a model that was judged on slices by their checks' names."""
    checks = [
        Check(name=name, requirement="", measured="", passed=name not in failed) for name in names
    ]
    return Verdict(accepted=not failed, checks=checks, against="v1")


CLEAN = on("accuracy on test part", "recall of 3 on test part", "calibration error")
WHOLE = on(
    *("accuracy on test part", "accuracy on scans by cpu", "accuracy on scans by cuda"),
    *("refusal of no digits", "recall of 1 on scans by cpu", "accuracy on acceptance mine"),
)


def test_a_verdict_names_the_slices_that_it_is_on_and_that_were_passed() -> None:
    assert CLEAN.passed_slices() == ["test part"]
    assert WHOLE.passed_slices() == ["test part", "scans", "no digits", "acceptance mine"]
    failing = on("accuracy on fog", "recall on fog", "accuracy on jpeg", failed=("recall on fog",))
    assert failing.passed_slices() == ["jpeg"]


@pytest.fixture
def judged(registry: Registry, model_file: Path) -> Callable[..., Version]:
    """Return what registers a version with a verdict, and lets it serve if it is asked to."""

    def add(name: str, verdict: Verdict, *, serve: bool = False) -> Version:
        content = CardContent(version=name, verdict=verdict)
        version = registry.register(content, model_file, model_file)
        if serve:
            against = registry.serving_name()
            registry.promote(version, "whole", against=against, override=not verdict.accepted)
        return version

    return add


def test_what_serves_is_not_replaced_by_a_version_that_was_judged_on_fewer_slices(
    registry: Registry, judged: Callable[..., Version]
) -> None:
    judged("whole", WHOLE, serve=True)
    clean = judged("clean", CLEAN)
    with pytest.raises(
        GateRefused,
        match=r"less evidence: clean was not judged on scans, no digits, which whole passed: .*"
        "digitflow models promote clean --override --reason",
    ):
        registry.promote(clean, "faster", against="whole")
    assert registry.serving_name() == "whole"
    registry.promote(judged("again", WHOLE), "as good", against="whole")
    registry.promote(clean, "a person has looked", against="again", override=True)
    registry.promote(judged("other", CLEAN), "as good", against="clean")
    assert registry.serving_name() == "other"


def test_only_what_the_champion_passed_counts_and_folders_that_are_not_registered_do_not(
    registry: Registry, judged: Callable[..., Version]
) -> None:
    names = ("accuracy on test part", "accuracy on scans", "accuracy on acceptance mine")
    judged("odd", on(*names, failed=("accuracy on scans",)), serve=True)
    registry.promote(judged("clean", CLEAN), "as good", against="odd")
    assert registry.serving_name() == "clean"


def test_a_champion_whose_card_is_damaged_is_not_replaced_without_an_override(
    registry: Registry, judged: Callable[..., Version], place: Place
) -> None:
    judged("whole", WHOLE, serve=True)
    place.write("whole/card.json", b"{}")
    with pytest.raises(ModelError, match=r"whole/card\.json is damaged"):
        registry.promote(judged("next", WHOLE), "good", against="whole")
    registry.promote(registry.load("next"), "good", against="whole", override=True)
    assert registry.serving_name() == "next"


def test_the_version_that_ships_counts_as_any_other_that_serves(
    place: Place, judged: Callable[..., Version], registry: Registry, tmp_path: Path
) -> None:
    ready = judged("ready", WHOLE)
    ship(ready)
    fresh = Registry(f"{place.url}-fresh")
    content = CardContent(version="clean", verdict=CLEAN)
    clean = fresh.register(content, ready.onnx, ready.onnx)
    assert fresh.serving_name() == "ready"
    with pytest.raises(GateRefused, match="which ready passed"):
        fresh.promote(clean, "faster", against="ready")
