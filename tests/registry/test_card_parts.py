"""What a card keeps of a measurement is all of it, and comes back as it was measured."""

from dataclasses import asdict, fields
from typing import Any

import pytest

from tasks.contracts.base import Contract
from tasks.device import Device, cpu
from tasks.metrics.calibration import Calibration
from tasks.metrics.classification import Metrics, Parity
from tasks.metrics.risk_curve import RiskCurve
from tasks.registry.card_parts import (
    CardCalibration,
    CardCurve,
    CardDataset,
    CardDevice,
    CardMetrics,
    CardParity,
)
from tests.bars import BAR_CALIBRATION

CURVE = {"digits": 9, "thresholds": [0.0, 0.5], "accepted": [9, 8], "wrong": [2, 0]}


@pytest.mark.parametrize(
    ("part", "measured"),
    [
        (CardCalibration, Calibration),
        (CardCurve, RiskCurve),
        (CardMetrics, Metrics),
        (CardParity, Parity),
        (CardDevice, Device),
    ],
)
def test_a_part_has_every_figure_of_what_was_measured(part: type[Contract], measured: Any) -> None:
    assert set(part.model_fields) == {field.name for field in fields(measured)}


def test_measurements_come_back_as_they_were() -> None:
    facts = asdict(BAR_CALIBRATION)
    facts["curve"] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in facts["curve"].items()
    }
    assert CardCalibration.from_dict(facts).curve.risk_curve() == BAR_CALIBRATION.curve
    parity = Parity(64, [1, 64], True, 1e-7)
    assert CardParity.from_dict(parity.to_dict()).parity() == parity
    assert CardDevice.from_dict(asdict(cpu())).device() == cpu()


@pytest.mark.parametrize(
    "harm",
    [
        {"digits": 0},
        {"thresholds": [], "accepted": [], "wrong": []},
        {"thresholds": [0.0]},
        {"thresholds": [0.5, 0.0]},
        {"thresholds": [0.0, 1.5]},
        {"thresholds": [0.0, float("nan")]},
        {"wrong": [10, 0]},
        {"accepted": [9, 99]},
        {"wrong": [-1, 0]},
    ],
)
def test_a_curve_that_no_calibration_can_have_found_promises_nothing(harm: dict[str, Any]) -> None:
    assert CardCurve.from_dict(CURVE).risk_curve().digits == 9
    with pytest.raises((ValueError, TypeError)):
        CardCurve.from_dict({**CURVE, **harm}).risk_curve()


@pytest.mark.parametrize(
    "digest", ["", "0" * 63, "0" * 65, "A" * 64, "../" * 21 + "x", "0" * 64 + "\n", "\u0660" * 64]
)
def test_a_digest_that_is_none_names_no_folder(digest: str) -> None:
    with pytest.raises(ValueError, match=r"^digest: "):
        CardDataset.from_dict({"name": "mnist", "digest": digest})


@pytest.mark.parametrize("kind", ["gpu", "CPU", "", None])
def test_a_device_of_an_unknown_kind_is_refused(kind: object) -> None:
    with pytest.raises(ValueError, match=r"^kind: "):
        CardDevice.from_dict({"kind": kind, "name": "x", "detail": ""})
