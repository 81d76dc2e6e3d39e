"""Is a batch odd: its profile beside those of the last batches of its source, number by number.

Batches of one source differ by more than chance: other hands, other light. How much is estimated
from the earlier ones and, while there are few, from what ordinary sources showed: a random effects
model (DerSimonian and Laird, 1986) with an inverse gamma prior on the variance between batches. The
first batch of a source is compared with wide limits of what can be read.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tasks.contracts.base import Contract
from tasks.monitoring.batch_features import (
    FEATURES,
    LEAST_PICTURES,
    Estimate,
    Feature,
    of_share,
)
from tasks.monitoring.batch_profile import MIRRORED, BatchProfile, Control, Views, together
from tasks.monitoring.hold_reasons import HoldReason

LIMITS = Path(__file__).with_name("ordinary_batches.json")
MOST_EARLIER = 20  # batches that one is compared with
TOGETHER = 100  # pictures: smaller batches that follow each other are taken as one

FIRST_BATCH = {
    "blank": 0.5,
    "no_digits": 0.4,
    "review": 0.6,
    "rejected": 0.6,
    "cut": 0.8,
    "repeated": 0.5,
}
"""Shares above which the first batch of a source is odd, by feature."""

ALSO_NAMED = 0.8  # of the deviations of an odd batch: what else is named once it is odd

LEAST_CONTROL = 4  # control digits
CONTROL_RIGHT, CONTROL_KNOWN = 0.97, 50  # share right in ordinary looks; worth so many digits
CONTROL_HABIT = 0.05  # of the share right: batches of one source differ by as much
CONTROL_RISK = 1e-5  # of a false alarm by control digits

MORE_TURNED, SHARE_TURNED = 3, 0.12  # pictures that have to be clearer in another view
CLEAR_TURNED = 0.6  # of them are clear in it: of letters some look like digits in any view

CAUSES = (HoldReason.REPEATED, HoldReason.MIRRORED, HoldReason.TURNED, HoldReason.INVERTED)
"""Reasons that explain others, and are named before them."""
CONSEQUENCES = (HoldReason.CONTROL_DIGITS, HoldReason.REVIEW_SHARE, HoldReason.REJECT_SHARE)
"""Reasons that are named last, because they do not say what is wrong."""


class Finding(Contract):
    """One thing that is odd about a batch."""

    reason: str  # a code of HoldReason
    sentence: str  # in plain words, with the numbers
    strength: float = 0.0  # deviations from what is usual


class Limits(Contract):
    """What is ordinary, as tests/bench/batches.py measured it on simulated sources."""

    deviations: float  # normal ones, from which a batch is odd
    batches: float  # what is known of ordinary sources counts as so many batches of one source
    between: dict[str, float]  # deviation between batches of a source beyond chance, by feature


@cache
def limits() -> Limits:
    """Return the limits that ship."""
    return Limits.from_dict(json.loads(LIMITS.read_text()))


class Score(NamedTuple):
    """How far a batch is off in one feature."""

    feature: Feature
    value: float
    away: float  # normal deviations; above 0 it is more than usual
    usual: str  # in words


def findings(
    batch: BatchProfile,
    earlier: Sequence[BatchProfile],
    control: Control | None = None,
    known: Limits | None = None,
) -> list[Finding]:
    """Return what is odd about a batch, what explains it first; nothing where it is as usual.

    Args:
        batch: its profile.
        earlier: those of the last released batches of its source, the newest first.
        control: how control digits in its look were read; None: as its profile says, if it does.
        known: the limits; None: those that ship.
    """
    known = known or limits()
    before = grouped(earlier)[:MOST_EARLIER]
    batch = _with_last(batch, earlier)
    found = [
        Finding(
            reason=feature.reason,
            sentence=f"{feature.label}: {feature.words(value)}, {usual}",
            strength=round(abs(away), 2),
        )
        for feature, value, away, usual in scores(batch, before, known)
        if abs(away) > ALSO_NAMED * known.deviations
    ]
    others = [*_of_control(control or batch.control, before), *_of_views(batch.views, before)]
    if not others and all(each.strength <= known.deviations for each in found):
        return []
    strongest: dict[str, Finding] = {}
    for finding in sorted([*found, *others], key=_place):
        strongest.setdefault(finding.reason, finding)
    return list(strongest.values())


def _with_last(batch: BatchProfile, earlier: Sequence[BatchProfile]) -> BatchProfile:
    """Return a batch that is too small to be compared together with the last before it.

    So a source is watched that is read every few minutes: what is wrong with it shows once enough
    pictures have come.
    """
    for profile in earlier:
        if batch.pictures >= LEAST_PICTURES:
            break
        batch = together(batch, profile)
    return batch


def _place(finding: Finding) -> tuple[int, float]:
    """Return where a finding is named: causes first, what does not say what is wrong last."""
    by_reason = -1 if finding.reason in CAUSES else int(finding.reason in CONSEQUENCES)
    return by_reason, -finding.strength


def grouped(profiles: Iterable[BatchProfile]) -> list[BatchProfile]:
    """Return profiles with small batches that follow each other as one."""
    groups: list[BatchProfile] = []
    for profile in profiles:
        if groups and groups[-1].pictures < TOGETHER:
            groups[-1] = together(groups[-1], profile)
        else:
            groups.append(profile)
    return groups


def scores(batch: BatchProfile, before: Sequence[BatchProfile], known: Limits) -> Iterator[Score]:
    """Yield how far a batch is from the usual, where that is odd in a feature, feature by feature.

    Args:
        batch: its profile.
        before: those of earlier batches of its source; none: it is the first.
        known: what is ordinary.
    """
    for feature in FEATURES:
        new, between = feature.estimate(batch), known.between.get(feature.name)
        if new is None or between is None:
            continue
        had = [each for profile in before if (each := feature.estimate(profile))]
        if had:
            away = deviations(new, had, between, known.batches)
            usual = _before([feature.words(value) for value, _ in sorted(had)])
        elif feature.name in FIRST_BATCH:
            most = FIRST_BATCH[feature.name]
            away = (new.value - of_share(most)) / math.sqrt(between**2 + new.variance)
            usual = f"at most {most:.0%} in a first batch"
        else:
            continue
        if (away > 0 and feature.high) or (away < 0 and feature.low):
            yield Score(feature, new.value, away, usual)


def _before(values: Sequence[str]) -> str:
    low, high = values[0], values[-1]
    several = f" ({len(values)} batches)" if len(values) > 1 else ""
    return f"before {low}{several}" if low == high else f"before {low} to {high}{several}"


def deviations(new: Estimate, earlier: Sequence[Estimate], between: float, batches: float) -> float:
    """Return how far a batch is from the earlier ones of its source, as normal deviations.

    Args:
        new: its number.
        earlier: theirs, at least one.
        between: deviation between batches of ordinary sources.
        batches: how many batches of this source that is worth.
    """
    values = np.array([each.value for each in earlier])
    weights = 1 / (between**2 + np.array([each.variance for each in earlier]))
    mean = float((weights * values).sum() / weights.sum())
    freedom = batches + len(values) - 1
    # how many times as large the variance between batches is as in ordinary sources
    times = (batches + float((weights * (values - mean) ** 2).sum())) / freedom
    variance = times * (between**2 + 1 / float(weights.sum())) + new.variance
    return _as_normal((new.value - mean) / math.sqrt(variance), freedom)


def _as_normal(t: float, freedom: float) -> float:
    """Return the normal deviate that is as likely as one of Student's t (Wallace, 1959)."""
    size = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t * t / freedom))
    return math.copysign(size, t)


def _of_control(control: Control | None, before: Sequence[BatchProfile]) -> Iterator[Finding]:
    """Yield a finding where control digits were read worse than chance and habit explain."""
    if control is None or control.drawn < LEAST_CONTROL:
        return
    known = [each.control for each in before if each.control]
    right = sum(each.right for each in known) + CONTROL_RIGHT * CONTROL_KNOWN
    usual = right / (sum(each.drawn for each in known) + CONTROL_KNOWN)
    chance = _at_most(control.right, control.drawn, max(0.0, usual - CONTROL_HABIT))
    if chance < CONTROL_RISK:
        yield Finding(
            reason=HoldReason.CONTROL_DIGITS,
            sentence=f"control digits that were read right: {control.right} of {control.drawn}, "
            f"usual are {100 * usual:.0f} %",
            strength=round(math.sqrt(-2 * math.log(max(chance, 1e-300))), 2),
        )


def _at_most(right: int, drawn: int, share: float) -> float:
    """Return the probability of at most so many right ones, each with the chance `share`."""
    return sum(
        math.comb(drawn, some) * share**some * (1 - share) ** (drawn - some)
        for some in range(right + 1)
    )


def _of_views(views: Views | None, before: Sequence[BatchProfile]) -> Iterator[Finding]:
    """Yield a finding where pictures show digits far more often in another view, unlike before."""
    view = _clearer(views)
    if not views or not view or view in [_clearer(each.views) for each in before]:
        return
    count = views.turned[view]
    yield Finding(
        reason=HoldReason.MIRRORED if view == MIRRORED else HoldReason.TURNED,
        sentence=f"of {views.pictures} pictures {views.upright} show a digit clearly as they lie, "
        f"{count} once they are {view}",
        strength=round((count - views.upright) / max(1.0, count**0.5), 2),
    )


def _clearer(views: Views | None) -> str | None:
    """Return the view in which far more pictures show a digit than as they lie, if there is one."""
    if not views or not views.turned:
        return None
    view = max(views.turned, key=lambda name: views.turned[name])
    count, more = views.turned[view], views.turned[view] - views.upright
    clearer = more >= max(MORE_TURNED, SHARE_TURNED * views.pictures)
    return view if clearer and count >= CLEAR_TURNED * views.pictures else None
