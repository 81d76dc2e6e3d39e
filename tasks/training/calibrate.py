"""Calibration of a fitted network: its scales by clean digits, its risk curves kind by kind."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tasks.imaging.form import Kind
from tasks.inference.agreement import agreed
from tasks.inference.session import Answers
from tasks.metrics.calibration import NO_DIGIT, Calibration, calibrate, sigmoid, softmax
from tasks.metrics.risk_curve import RiskCurve, risk_curve
from tasks.synthesis.seen_digits import SeenDigits, once_each
from tasks.training.training_set import Pairs

Raw = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32] | None]]
"""Pictures (N, 28, 28) to logits (N, 10) and digit logits (N,), where the network gives them."""

LEAST = 500  # digits of a kind, with which a curve of its own says something


def calibrate_by_kind(
    raw: Raw, part: Pairs, no_digits: NDArray[np.uint8], seen: SeenDigits, seed: int
) -> Calibration:
    """Return what calibration finds, with a risk curve for each kind of picture.

    Pictures are answered as reading does: by all ways to see them, and not at all where something
    is left to a person. In each kind a digit of the calibration part counts once.

    Args:
        raw: the network.
        part: the calibration part, canonical: digits of the kind CLEAN.
        no_digits: canonical pictures of none, (N, 28, 28).
        seen: digits of the same part in all scenes.
        seed: decides which picture of a digit counts.
    """
    images, labels = part
    count = len(no_digits)
    logits, digit_logits = raw(np.concatenate([images, no_digits]))
    with_none = np.concatenate([labels, np.full(count, NO_DIGIT, labels.dtype)])
    found = calibrate(logits, with_none, digit_logits)
    curves = {Kind.CLEAN: found.curve, **_curves(raw, found, seen, seed)}
    return replace(
        found,
        curve=RiskCurve.pooled(curves.values()),
        kinds={str(kind): curve for kind, curve in curves.items()},
    )


def _curves(raw: Raw, found: Calibration, seen: SeenDigits, seed: int) -> dict[Kind, RiskCurve]:
    logits, digit_logits = raw(seen.forms)
    probabilities = softmax(logits / found.temperature).astype(np.float32)
    scores = None if digit_logits is None else sigmoid(digit_logits).astype(np.float32)
    answers, disagree = agreed(
        Answers(probabilities, scores), seen.ways.tolist(), found.min_digit_score
    )
    kept = seen.settled & ~disagree
    if answers.digit_scores is not None:
        kept &= answers.digit_scores >= found.sure_digit_score
    confidences = answers.probabilities.max(axis=1)
    wrong = answers.probabilities.argmax(axis=1) != seen.labels
    curves: dict[Kind, RiskCurve] = {}
    for kind in Kind:
        if kind == Kind.CLEAN:
            continue
        these = once_each(seen, kind, seed)
        if len(these) >= LEAST:
            curves[kind] = risk_curve(confidences[these], wrong[these], kept[these])
    return curves
