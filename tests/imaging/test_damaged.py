"""Whatever lies in place of a card, an entry, a calibration or golden answers: a clear refusal."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import DigitflowError, ModelError
from tasks.inference.model_file import model_in
from tasks.metrics.calibration import Calibration
from tasks.metrics.risk_curve import GRID, RiskCurve
from tasks.registry.card import card_of, seal
from tasks.registry.card_parts import Golden
from tasks.registry.events import MODELS
from tasks.registry.golden import TOLERANCE, check_golden, golden_answers
from tasks.registry.registry import Registry
from tasks.registry.version import Known
from tasks.storage.journal import FileHistory
from tests.bars import bar
from tests.registry.test_bundled_model import SHIPPED

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ENTRY = {"time": "t", "actor": "a", "action": "promote", "version": "v1", "reason": "r"}
CURVE = {
    "digits": 100,
    "thresholds": list(GRID),
    "accepted": [90] * len(GRID),
    "wrong": [1] * len(GRID),
}
CALIBRATION = {
    **{"temperature": 1.0, "error_before": 0.0, "error_after": 0.0, "min_digit_score": 0.1},
    **{"sure_digit_score": 0.5, "no_digits": 0, "no_digits_rejected": 0.0},
    **{"no_digits_refused": 0.0, "curve": CURVE},
}
FULL_CARD = json.loads((SHIPPED / "card.json").read_text())

no_fixture_health = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutated(draw: Any, whole: Any) -> Any:
    """Return a value with any JSON in the place of one part of it, however deep, or without it."""
    if not isinstance(whole, (dict, list)) or not whole or draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    key = draw(st.sampled_from(list(whole) if isinstance(whole, dict) else range(len(whole))))
    changed = dict(whole) if isinstance(whole, dict) else list(whole)
    if draw(st.integers(0, 3)) == 0:
        del changed[key]
    else:
        changed[key] = draw(mutated(whole[key]))
    return changed


@given(mutated(FULL_CARD), st.booleans())
def test_a_card_is_one_that_can_be_listed_or_is_refused(text: Any, resealed: bool) -> None:
    if resealed and isinstance(text, dict):
        text = {**text, "card_sha256": seal(text)}
    try:
        known = Known(card_of(json.dumps(text).encode(), "card.json"))
    except ModelError as refusal:
        assert str(refusal).startswith("card.json is ")
        assert "\n" not in str(refusal)
        return
    assert isinstance(known.name, str)
    assert known.accepted in (True, False)
    assert known.accuracy is None or isinstance(known.accuracy, (int, float))
    assert known.card.dataset is None or isinstance(known.card.dataset.name, str)
    assert json.loads(known.card.to_json()).keys() == text.keys()


@no_fixture_health
@given(mutated(ENTRY), st.sampled_from(["promote", "rollback", "register", "remove", "x"]))
def test_an_entry_is_one_that_decides_who_serves_or_is_refused(
    tmp_path: Path, line: Any, action: str
) -> None:
    models = tmp_path / "models"
    models.mkdir(exist_ok=True)
    if isinstance(line, dict) and line.get("action") == "promote":
        line = {**line, "action": action}
    (models / "history.jsonl").write_text(json.dumps(line) + "\n")
    registry = Registry(models)
    for view in (
        *(registry.serving_name, registry.predecessor, registry.overridden, registry.names),
        *(registry.versions, registry.champion, registry.maybe_used_elsewhere),
    ):
        try:
            view()  # type: ignore[operator]
        except DigitflowError as refusal:
            assert "\n" not in str(refusal)


@given(mutated(CALIBRATION))
def test_a_calibration_keeps_its_promises_or_is_refused(facts: Any) -> None:
    try:
        found = Calibration.from_json(json.dumps(facts))
    except (ValueError, TypeError, KeyError):
        return
    assert all(0 <= guarantee.bound <= 1 for guarantee in found.curve.guarantees())


@pytest.mark.parametrize(
    "change",
    [
        {"digits": 0},
        {"digits": -1},
        {"digits": 10**18},
        {"digits": True},
        {"wrong": [10**9] * len(GRID)},
        {"wrong": [-1] * len(GRID)},
        {"wrong": [0.5] * len(GRID)},
        {"accepted": [101] * len(GRID)},
        {"accepted": [90]},
        {"thresholds": [float("nan")] * len(GRID)},
        {"thresholds": list(GRID[::-1])},
        {"thresholds": [10**400] * len(GRID)},
        {"thresholds": [], "accepted": [], "wrong": []},
    ],
)
def test_counts_that_no_calibration_can_find_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        RiskCurve.from_dict({**CURVE, **change})


def test_an_absurdly_large_calibration_takes_neither_memory_nor_patience() -> None:
    count = 10**9
    curve = RiskCurve(count, GRID[:1], (count,), (count // 2,))
    [guarantee] = curve.guarantees()
    assert 0.5 < guarantee.bound < 0.5001


@pytest.fixture(scope="module")
def answers(model_file: Path) -> Golden:
    return golden_answers(model_in(model_file), np.stack([bar(digit) for digit in range(10)]))


def test_golden_answers_are_tried_as_they_were_given(answers: Golden, model_file: Path) -> None:
    assert check_golden(replace(model_in(model_file), name="v1"), answers) == 10


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_golden_answers_that_are_others_or_none_are_refused(
    answers: Golden, model_file: Path, data: st.DataObject
) -> None:
    try:
        damaged = Golden.from_dict(data.draw(mutated(answers.to_dict())))
    except ValueError as refusal:
        assert "\n" not in str(refusal)
        return
    try:
        check_golden(replace(model_in(model_file), name="v1"), damaged)
    except ModelError as refusal:
        assert str(refusal).startswith("v1: ")
        return
    assert damaged.pictures == answers.pictures
    assert np.allclose(damaged.probabilities, answers.probabilities, atol=2 * TOLERANCE)


@pytest.mark.parametrize(
    "golden",
    [
        {"pictures": "", "probabilities": []},  # nothing that could differ
        {"pictures": "eJwDAAAAAAE=", "probabilities": []},
        {"pictures": "no base64!", "probabilities": [[0.1] * 10]},
        {"pictures": "eJwDAAAAAAE=", "probabilities": [[0.1] * 10]},
    ],
)
def test_golden_answers_that_show_nothing_are_refused(
    model_file: Path, golden: dict[str, Any]
) -> None:
    with pytest.raises(ModelError, match="v1: the answers in its card are damaged"):
        check_golden(replace(model_in(model_file), name="v1"), Golden.from_dict(golden))


def test_a_history_of_models_names_the_line_and_what_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    for key in ENTRY:
        rest = {name: value for name, value in ENTRY.items() if name != key}
        file.write_text(json.dumps(ENTRY) + "\n" + json.dumps(rest) + "\n")
        with pytest.raises(DigitflowError, match=f"line 2 is damaged .it has no {key}"):
            FileHistory(file, MODELS).entries()
