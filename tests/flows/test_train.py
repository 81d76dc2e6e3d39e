"""Whole trainings on a few pictures: what is written, who serves, and what a refusal leaves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.promote import clean
from flows.terminal.console import Console
from flows.train import Outcome, train
from tasks.atomic import sha256
from tasks.contracts.verdict import Check
from tasks.corrections.store import Corrections, Half
from tasks.device import cpu
from tasks.errors import DatasetError
from tasks.inference.session import ModelSession
from tasks.registry import registry as registry_file
from tasks.registry.events import asked
from tasks.registry.registry import Registry
from tasks.settings.training import TrainSettings
from tests.bars import bar, encoded, save_bar_model
from tests.conftest import SAMPLE_PICTURES
from tests.helpers import register_champion
from tests.helpers import run as command

pytestmark = pytest.mark.training

BUNDLED = registry_file.READY


class Lines(Console):
    """Keeps what it is told."""

    def __init__(self) -> None:
        """Show nothing."""
        super().__init__(quiet=True)
        self.logged: list[tuple[str, str]] = []

    def log(self, label: str, text: str) -> None:
        self.logged.append((label, text))


def models(*arguments: str) -> int:
    """Run a `digitflow models` command and return its exit code."""
    return command("models", *arguments)


def settings(npz_sample: Path, **others: Any) -> TrainSettings:
    return TrainSettings(
        **{
            "data": str(npz_sample),
            "device": "cpu",
            "recipe": "quick",
            "min_accuracy": 0.5,
            "min_recall": 0.1,
        }
        | {"judge_on": "clean", "max_calibration_error": 0.2, "max_error": 1, "min_coverage": 0}
        | others
    )


def run(npz_sample: Path, **others: Any) -> Outcome:
    return train(settings(npz_sample, **others), Console(quiet=True))


def test_an_accepted_model_serves_and_its_card_says_all(npz_sample: Path, home: Path) -> None:
    outcome = run(npz_sample)
    champion = Registry(home / "models").champion()
    assert champion is not None
    assert outcome.accepted
    assert outcome.promoted
    assert champion.name == outcome.version
    card = json.loads((champion.folder / "card.json").read_text())
    assert champion.card.to_dict() == card
    assert set(card) == {
        *("version", "created_at", "actor", "git_commit", "packages", "device", "dataset"),
        *("settings", "recipe", "layers", "history", "weights_of", "calibration", "metrics"),
        *("sample", "golden", "parity", "verdict", "flips", "files", "card_sha256"),
    }
    assert all(set(check) == set(Check.model_fields) for check in card["verdict"]["checks"])
    assert card["files"] == {
        file: sha256(champion.folder / file) for file in ("model.onnx", "model.keras")
    }
    assert card["metrics"]["count"] == SAMPLE_PICTURES
    assert card["metrics"]["accuracy"] == outcome.accuracy > 0.8
    session = ModelSession(champion.model(), cpu())
    assert session.version == champion.name
    assert json.loads(session.calibration.to_json()) == card["calibration"]
    assert card["calibration"]["curve"]["digits"] == sum(card["dataset"]["counts"]["calibration"])
    assert "Model says" in Path(outcome.report).read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_refused_model_is_kept_and_the_champion_stays(npz_sample: Path, home: Path) -> None:
    first = run(npz_sample)
    second = run(npz_sample, min_accuracy=1.0, max_drop=0.1, max_overall_drop=0.1)
    registry = Registry(home / "models")
    champion = registry.champion()
    assert champion is not None
    assert champion.name == first.version
    assert not second.accepted
    assert "accuracy on test part" in second.sentence
    assert f"champion {first.version} stays" in second.sentence
    assert [version.accepted for version in registry.versions()] == [True, False]
    actions = ["register", "promote", "register", "refuse"]
    assert [entry["action"] for entry in registry.history()] == actions
    assert registry.history()[-1]["evidence"]["against"] == first.version
    refused = json.loads((Path(second.folder) / "card.json").read_text())
    assert [check["passed"] for check in refused["verdict"]["checks"]].count(False) == 1


@pytest.mark.slow
def test_an_accepted_model_that_is_not_to_be_promoted_does_not_serve(
    npz_sample: Path, home: Path
) -> None:
    outcome = run(npz_sample, promote=False)
    assert outcome.accepted
    assert not outcome.promoted
    assert Registry(home / "models").champion() is None


@pytest.mark.slow
def test_a_candidate_that_is_judged_on_less_than_what_serves_is_kept(
    npz_sample: Path, home: Path, tmp_path: Path
) -> None:
    names = ("accuracy on test part", "accuracy on scans", "refusal of no digits")
    judged = [Check(name=name, requirement="", measured="", passed=True) for name in names]
    whole = register_champion(home, save_bar_model(tmp_path / "whole.onnx"), "whole", checks=judged)
    lines = Lines()
    lenient = {"max_disagreement": 1, "max_drop": 1, "max_overall_drop": 1}
    outcome = train(settings(npz_sample, **lenient), lines)
    registry = Registry(home / "models")
    assert registry.load(outcome.version).accepted
    assert not outcome.accepted
    assert not outcome.promoted
    assert "less evidence: " in outcome.sentence
    assert "was not judged on scans, no digits, which whole passed" in outcome.sentence
    assert registry.serving_name() == whole.name
    assert registry.history()[-1]["action"] == "refuse"
    [before] = [text for label, text in lines.logged if label == "Gate" and "judges it" in text]
    assert before.startswith("judges it without scans, no digits, which whole passed: it will be")
    assert models("promote", outcome.version, "--reason", "good") == 3
    assert models("promote", outcome.version, "--reason", "I looked", "--override") == 0
    assert registry.serving_name() == outcome.version


def test_corrections_are_learned_and_the_card_says_how_many_and_how_they_are_read(
    npz_sample: Path, home: Path
) -> None:
    kept, lines = Corrections(home), Lines()
    with np.load(npz_sample) as arrays:  # 90 pictures that are in no part of the data
        for image, label in zip(arrays["x_test"][:90], arrays["y_test"], strict=False):
            kept.keep(np.ascontiguousarray(image[2:26, 2:26]), int(label))
    outcome = train(settings(npz_sample, with_corrections=True), lines)
    version = Registry(home / "models").load(outcome.version)
    halves = [each.half for each in kept.kept()]
    learned = halves.count(Half.TRAINING)
    said = [text for label, text in lines.logged if label == "Corrections"]
    assert said == [f"{learned} learned, each once"]
    dataset = version.card.dataset
    assert dataset is not None
    assert dataset.added is not None
    assert (dataset.added.pictures, dataset.added.times) == (learned, 1)
    assert version.card.settings["with_corrections"] is True
    [check] = [
        check
        for check in version.card.verdict.checks
        if check.name == "accuracy on acceptance corrections"
    ]
    assert (check.requirement, check.count) == ("told", halves.count(Half.ACCEPTANCE))
    assert models("reproduce", outcome.version) == 0


def test_pictures_on_their_side_are_refused_before_anything_is_trained(
    npz_sample: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_file, "READY", BUNDLED)
    with np.load(npz_sample) as arrays:
        turned = {
            name: array.swapaxes(1, 2) if array.ndim == 3 else array
            for name, array in arrays.items()
        }
    np.savez(tmp_path / "turned.npz", **turned)
    with pytest.raises(DatasetError, match=r"are transposed: .*--orientation transposed brings"):
        run(tmp_path / "turned.npz")
    assert Registry(home / "models").names() == []


def test_a_version_that_has_to_be_approved_waits_for_the_command_that_does_so(
    npz_sample: Path, home: Path
) -> None:
    first, second = (run(npz_sample, approve=True, seed=seed) for seed in (1, 2))
    registry = Registry(home / "models")
    assert (first.accepted, first.promoted, first.waiting) == (True, False, True)
    assert f"waits until a person approves it: `digitflow models promote {first.version}" in (
        first.sentence
    )
    assert registry.serving_name() is None
    assert [each.version for each in asked(registry.history())] == [first.version, second.version]
    assert set(clean(1, "old", referenced=False).kept) == {first.version}
    assert models("promote", second.version, "--reason", "Ada has looked at it") == 0
    assert registry.serving_name() == second.version
    assert asked(registry.history()) == []


@pytest.mark.slow
def test_nobody_is_asked_about_what_could_not_be_promoted(npz_sample: Path, home: Path) -> None:
    run(npz_sample, slices={"mine": save_labelled(home.parent / "mine")}, floors={"mine": 0})
    outcome = run(npz_sample, approve=True, seed=2, max_drop=1, max_overall_drop=1)
    assert (outcome.accepted, outcome.waiting) == (False, False)
    assert "less evidence" in outcome.sentence


def save_labelled(folder: Path) -> Path:
    """Make a folder of pictures that a model is judged on."""
    for number in range(20):
        digit = number % 10
        (folder / str(digit)).mkdir(parents=True, exist_ok=True)
        (folder / str(digit) / f"{number}.png").write_bytes(encoded(bar(digit)))
    return folder


@pytest.mark.slow
def test_a_candidate_that_another_training_overtook_is_kept_and_does_not_serve(
    npz_sample: Path, home: Path, tmp_path: Path
) -> None:
    class Overtaken(Console):
        """Lets another version be promoted after the verdict and before the promotion."""

        def log(self, label: str, text: str) -> None:
            if label == "Gate":
                register_champion(home, save_bar_model(tmp_path / "faster.onnx"), "faster")

    outcome = train(settings(npz_sample), Overtaken(quiet=True))
    assert not outcome.accepted
    assert not outcome.promoted
    assert "stale baseline" in outcome.sentence
    assert "champion faster stays" in outcome.sentence
    registry = Registry(home / "models")
    assert registry.load(outcome.version).accepted
    last = registry.history()[-1]
    assert (last["action"], last["version"]) == ("refuse", outcome.version)


@pytest.mark.slow
def test_a_candidate_whose_answers_cannot_be_kept_is_refused_and_recorded(
    npz_sample: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no room for the answers")

    monkeypatch.setattr("flows.train.golden_answers", broken)
    outcome = train(settings(npz_sample), Console(quiet=True))
    assert not outcome.accepted
    assert "no room for the answers" in outcome.sentence
    registry = Registry(home / "models")
    assert registry.load(outcome.version).card.golden is None
    last = registry.history()[-1]
    assert (last["action"], last["version"]) == ("refuse", outcome.version)
