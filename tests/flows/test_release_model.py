"""What ships is what the gate accepted, in a whole training on a few pictures."""

from pathlib import Path

import pytest

from flows.release_model import make
from tasks.errors import GateRefused
from tasks.registry.registry import READY, Registry, bundled_model

pytestmark = [pytest.mark.slow, pytest.mark.training]


@pytest.fixture(autouse=True)
def few_pictures(npz_sample: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the default settings train in seconds."""
    monkeypatch.setenv("DIGITFLOW_DATA", str(npz_sample))
    monkeypatch.setenv("DIGITFLOW_RECIPE", "quick")
    monkeypatch.setenv("DIGITFLOW_MIN_RECALL", "0.1")
    monkeypatch.setenv("DIGITFLOW_MAX_CALIBRATION_ERROR", "0.2")
    monkeypatch.setenv("DIGITFLOW_JUDGE_ON", "clean")
    monkeypatch.setenv("DIGITFLOW_MAX_ERROR", "1")
    monkeypatch.setenv("DIGITFLOW_MIN_COVERAGE", "0")


def test_a_model_that_is_accepted_ships_and_is_not_promoted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFLOW_MIN_ACCURACY", "0.5")
    make()
    ready = bundled_model()
    registry = Registry(home / "models")
    assert ready
    assert ready.folder != READY
    assert [version.name for version in registry.versions()] == [ready.name]
    assert registry.champion() is None


@pytest.mark.slow
def test_a_model_that_is_refused_does_not_ship(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITFLOW_MIN_ACCURACY", "1")
    with pytest.raises(GateRefused, match="accuracy on test part"):
        make()
    assert bundled_model() is None


@pytest.mark.slow
def test_weights_that_were_fitted_before_are_judged_and_shipped_without_a_fit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFLOW_MIN_ACCURACY", "0.5")
    monkeypatch.setenv("DIGITFLOW_MAX_DROP", "1")
    make()
    first = bundled_model()
    assert first
    registry = Registry(home / "models")
    make(Path(registry.place) / first.name)
    again = bundled_model()
    assert again
    assert again.name != first.name
    assert again.card.weights_of == first.name
    assert again.card.history == first.card.history
    assert again.card.verdict.against == first.name
    kept = registry.load(again.name).card.files
    assert kept["model.keras"] == registry.load(first.name).card.files["model.keras"]
