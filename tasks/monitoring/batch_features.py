"""The numbers of a batch that are compared with those of earlier ones, each with its chance."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from tasks.monitoring.batch_profile import LEAST_NOISE, LEAST_PRINT, BatchProfile
from tasks.monitoring.hold_reasons import HoldReason
from tasks.outcomes import Reason, Status

LEAST_PICTURES = 20  # that a share is of: of fewer nothing is said
LEAST_MEASURED = 5  # pictures that a mean is of


class Estimate(NamedTuple):
    """A number of one batch, and its variance by chance."""

    value: float
    variance: float


@dataclass(frozen=True)
class Feature:
    """One number of a batch that is compared."""

    name: str
    reason: HoldReason  # why a batch is odd that is far off
    label: str  # for a person
    estimate: Callable[[BatchProfile], Estimate | None]  # None: the profile does not say
    words: Callable[[float], str]  # a value of it, for a person
    high: bool = True  # more than usual is odd
    low: bool = True  # less is


SomeOf = Callable[[BatchProfile], tuple[int, int]]
"""How many of how many."""


def of_share(share: float) -> float:
    """Return a share on the scale on which chance is the same for all of them (Anscombe, 1948)."""
    return math.asin(math.sqrt(share))


def _share(count: SomeOf, profile: BatchProfile) -> Estimate | None:
    some, of = count(profile)
    if of < LEAST_PICTURES:
        return None
    return Estimate(of_share((some + 0.375) / (of + 0.75)), 1 / (4 * of + 2))


def _mean(name: str, profile: BatchProfile) -> Estimate | None:
    spread = profile.measures.get(name)
    if spread is None or spread.count < LEAST_MEASURED:
        return None
    return Estimate(spread.mean, spread.deviation**2 / spread.count)


def _percent(value: float) -> str:
    return _as_percent(math.sin(min(max(value, 0.0), math.pi / 2)) ** 2)


def _as_percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _number(unit: str, value: float) -> str:
    return f"{value:,.0f}{unit}" if abs(value) >= 10 else f"{value:.2f}{unit}"


def _length(unit: str, value: float, beyond: float = 0.0) -> str:
    return _number(unit, max(0.0, math.exp(value) - beyond))


def _length_as_percent(value: float, beyond: float = 0.0) -> str:
    return _as_percent(max(0.0, math.exp(value) - beyond))


def _count_of(profile: BatchProfile, field: str, *names: str) -> int:
    counts: dict[str, int] = getattr(profile, field)
    return sum(counts.get(name, 0) for name in names)


NO_DIGIT = (Reason.NOT_A_DIGIT, Reason.SEVERAL_DIGITS, Reason.MAYBE_NO_DIGIT)
LIGHT_INK, DARK_INK, LINED = "light_on_dark", "dark_on_light", "lined"


def _blank(profile: BatchProfile) -> tuple[int, int]:
    return _count_of(profile, "reasons", Reason.BLANK), profile.pictures


def _no_digits(profile: BatchProfile) -> tuple[int, int]:
    return _count_of(profile, "reasons", *NO_DIGIT), profile.inked


def _review(profile: BatchProfile) -> tuple[int, int]:
    return _count_of(profile, "statuses", Status.REVIEW), profile.pictures


def _rejected(profile: BatchProfile) -> tuple[int, int]:
    return _count_of(profile, "statuses", Status.REJECTED), profile.pictures


def _inverted(profile: BatchProfile) -> tuple[int, int]:
    # what came in MNIST's frame is neither
    light = _count_of(profile, "polarities", LIGHT_INK)
    return light, light + _count_of(profile, "polarities", DARK_INK)


def _printed(profile: BatchProfile) -> tuple[int, int]:
    return _count_of(profile, "kinds", LINED), profile.inked


def _cut(profile: BatchProfile) -> tuple[int, int]:
    return profile.touching, profile.inked


def _repeated(profile: BatchProfile) -> tuple[int, int]:
    return profile.inked - profile.different, profile.inked


def _digit(digit: int, profile: BatchProfile) -> tuple[int, int]:
    return profile.digits.get(str(digit), 0), sum(profile.digits.values())


def _shares() -> Iterator[Feature]:
    shares: list[tuple[str, HoldReason, str, SomeOf]] = [
        ("blank", HoldReason.BLANK, "pictures without ink", _blank),
        ("no_digits", HoldReason.NO_DIGITS, "pictures whose ink is not one digit", _no_digits),
        ("review", HoldReason.REVIEW_SHARE, "pictures for review", _review),
        ("rejected", HoldReason.REJECT_SHARE, "rejected pictures", _rejected),
        ("cut", HoldReason.CUT, "pictures whose ink reaches their edge", _cut),
        ("repeated", HoldReason.REPEATED, "files that are the same as another", _repeated),
    ]
    for name, reason, label, count in shares:
        yield Feature(name, reason, label, partial(_share, count), _percent, low=False)
    either: list[tuple[str, HoldReason, str, SomeOf]] = [
        ("inverted", HoldReason.INVERTED, "pictures with light ink on a dark page", _inverted),
        ("printed", HoldReason.PRINT, "pictures with printed lines", _printed),
        *(
            (f"digit_{n}", HoldReason.DIGITS_MIX, f"digits that are a {n}", partial(_digit, n))
            for n in range(10)
        ),
    ]
    for name, reason, label, count in either:
        yield Feature(name, reason, label, partial(_share, count), _percent)


def _means() -> Iterator[Feature]:
    of_255, pixels = partial(_number, " of 255"), partial(_length, " px")
    either: dict[str, tuple[HoldReason, str, Callable[[float], str]]] = {
        "contrast": (HoldReason.CONTRAST, "contrast of the ink", of_255),
        "stroke_width": (
            *(HoldReason.STROKE_WIDTH, "width of the strokes, share of the digit's size"),
            _length_as_percent,
        ),
        "ink_side": (HoldReason.SIZE, "size of the digits", pixels),
        "ink_share": (HoldReason.SIZE, "share of the picture that is ink", _length_as_percent),
        "tallness": (
            HoldReason.SHAPE,
            "height of the digits for their width",
            partial(_length, ""),
        ),
        "bytes": (HoldReason.SIZE, "size of the files", partial(_length, " bytes")),
        "side": (HoldReason.SIZE, "size of the pictures", pixels),
        "paper": (HoldReason.BRIGHTNESS, "brightness of the page", of_255),
        "printed_share": (
            *(HoldReason.PRINT, "share of the page that is printed"),
            partial(_length_as_percent, beyond=LEAST_PRINT),
        ),
        "noise": (
            *(HoldReason.NOISE, "noise of the page"),
            partial(_length, " of 255", beyond=LEAST_NOISE),
        ),
    }
    for name, (reason, label, words) in either.items():
        yield Feature(name, reason, label, partial(_mean, name), words)
    yield Feature(
        *("blur", HoldReason.BLUR, "softness of the ink's edges", partial(_mean, "blur"), pixels),
        low=False,
    )
    worse = {
        "confidence": (HoldReason.REVIEW_SHARE, "confidence"),
        "digit_score": (HoldReason.NO_DIGITS, "score that ink is one digit"),
    }
    for name, (reason, label) in worse.items():
        yield Feature(name, reason, label, partial(_mean, name), partial(_number, ""), high=False)


FEATURES: tuple[Feature, ...] = (*_shares(), *_means())
"""All that is compared; what a profile lacks, as one of an earlier version does, is left out."""
