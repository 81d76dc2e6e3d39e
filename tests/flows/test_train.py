"""Whole trainings on a few pictures: what is written, who serves, and what a refusal leaves."""

import json
from pathlib import Path
from typing import Any

from flows.engine import PlainEngine
from flows.train import Outcome, train
from tasks.device import cpu
from tasks.files import sha256
from tasks.reader import Reader
from tasks.registry import Registry
from tasks.settings import TrainSettings
from tests.conftest import SAMPLE_PICTURES


def settings(npz_sample: Path, **others: Any) -> TrainSettings:
    return TrainSettings(
        **{
            "data": str(npz_sample),
            "device": "cpu",
            "recipe": "quick",
            "min_accuracy": 0.5,
            "min_recall": 0.1,
        }
        | {"max_calibration_error": 0.2}
        | others
    )


def run(npz_sample: Path, **others: Any) -> Outcome:
    return train(settings(npz_sample, **others), PlainEngine(quiet=True))


def test_an_accepted_model_serves_and_its_card_says_all(npz_sample: Path, home: Path) -> None:
    outcome = run(npz_sample)
    champion = Registry(home / "models").champion()
    assert champion is not None
    assert outcome.accepted
    assert outcome.promoted
    assert champion.name == outcome.version
    card = champion.card
    assert set(card) == {
        *("version", "created_at", "git_commit", "packages", "device", "dataset", "settings"),
        *(
            "recipe",
            "layers",
            "history",
            "calibration",
            "metrics",
            "sample",
            "parity",
            "verdict",
            "files",
        ),
    }
    assert card["files"] == {
        file: sha256(champion.folder / file) for file in ("model.onnx", "model.keras")
    }
    assert card["metrics"]["count"] == SAMPLE_PICTURES
    assert card["metrics"]["accuracy"] == outcome.accuracy > 0.8
    reader = Reader(champion.onnx, cpu())
    assert reader.version == champion.name
    assert json.loads(reader.calibration.to_json()) == card["calibration"]
    assert card["calibration"]["curve"]["digits"] == sum(card["dataset"]["counts"]["calibration"])
    assert "Model says" in Path(outcome.report).read_text(encoding="utf-8")


def test_a_refused_model_is_kept_and_the_champion_stays(npz_sample: Path, home: Path) -> None:
    first = run(npz_sample)
    second = run(npz_sample, min_accuracy=1.0)
    registry = Registry(home / "models")
    champion = registry.champion()
    assert champion is not None
    assert champion.name == first.version
    assert not second.accepted
    assert "test accuracy" in second.sentence
    assert f"champion {first.version} stays" in second.sentence
    assert [version.accepted for version in registry.versions()] == [True, False]
    assert [entry["action"] for entry in registry.history()] == ["promote", "refuse"]
    refused = json.loads((Path(second.folder) / "card.json").read_text())
    assert [check["passed"] for check in refused["verdict"]["checks"]].count(False) == 1


def test_an_accepted_model_that_is_not_to_be_promoted_does_not_serve(
    npz_sample: Path, home: Path
) -> None:
    outcome = run(npz_sample, promote=False)
    assert outcome.accepted
    assert not outcome.promoted
    assert Registry(home / "models").champion() is None
