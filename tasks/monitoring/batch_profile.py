"""What a batch is like as a whole, in some numbers: one pass over its rows, in bounded memory."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.contracts.base import Contract
from tasks.monitoring.picture_look import Look

PROFILE_COLUMNS = [
    *("status", "reason", "digit", "confidence", "digit_score"),
    *("kind", "ink", "size", "content_hash", "page"),
]
"""Columns of the results table that a profile is made of."""

REMEMBERED = 65_536  # different pictures that are told apart; of more, how many is estimated
CHANCE = 4  # deviations of that estimate: a difference that it cannot tell is none
HASHED = 15  # hexadecimal digits of a content hash: 60 bits
PAGE_STEP = 0x9E3779B97F4A7C1  # odd, so that the pages of a file are far apart
LEAST_NOISE = 0.5  # grey: less noise is rounding
LEAST_PRINT = 0.01  # of a picture: less print is specks


class Spread(Contract):
    """Mean and standard deviation of a measure over the pictures that have it."""

    count: int
    mean: float
    deviation: float


class Control(Contract):
    """How control digits were read: digits with known answers, drawn in the look of a batch."""

    drawn: int
    right: int  # read or in review with their digit
    read: int


MIRRORED = "mirrored"  # one of the views; the others are turned


class Views(Contract):
    """How many of some pictures show a digit clearly, as they lie and in other views."""

    pictures: int
    upright: int
    turned: dict[str, int]  # by view


class BatchProfile(Contract):
    """What a batch is like; a later version may know more of it.

    Measures are named in `batch_checks`; lengths and sizes are logarithms there.
    """

    pictures: int
    statuses: dict[str, int]
    reasons: dict[str, int]
    digits: dict[str, int]  # of what was read or is for review
    kinds: dict[str, int]
    polarities: dict[str, int]  # of pictures with ink
    inked: int  # pictures in which ink was found
    touching: int  # of these, ink reaches the edge
    different: int  # of these, how many are not the same as another, byte for byte
    measures: dict[str, Spread]
    control: Control | None = None
    views: Views | None = None


class _Measure:
    """Mean and deviation of what comes part by part (Chan, Golub and LeVeque, 1983)."""

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        some = values[np.isfinite(values)]
        if not len(some):
            return
        mean = float(some.mean())
        self.join(len(some), mean, float(((some - mean) ** 2).sum()))

    def join(self, count: int, mean: float, squares: float) -> None:
        both = self._count + count
        away = mean - self._mean
        self._squares += squares + away**2 * self._count * count / both
        self._mean += away * count / both
        self._count = both

    def spread(self) -> Spread | None:
        if not self._count:
            return None
        variance = self._squares / max(1, self._count - 1)
        return Spread(count=self._count, mean=self._mean, deviation=variance**0.5)


class _Different:
    """How many different keys came, from the least of them (Bar-Yossef et al., 2002)."""

    def __init__(self) -> None:
        self._least = np.empty(0, np.uint64)

    def add(self, keys: NDArray[np.uint64]) -> None:
        self._least = np.unique(np.concatenate([self._least, keys]))[:REMEMBERED]

    def count(self, of: int) -> int:
        """Return how many of so many keys differ."""
        if len(self._least) < REMEMBERED:
            return len(self._least)
        estimate = (REMEMBERED - 1) / (float(self._least[-1]) / 16.0**HASHED)
        surely = estimate * (1 + CHANCE / REMEMBERED**0.5)
        return of if surely >= of else round(estimate)


def profile_of(batches: Iterable[pa.RecordBatch]) -> BatchProfile:
    """Return the profile of a batch from its rows, which have PROFILE_COLUMNS at least.

    More is known with a second look at some pictures: see `control_digits.with_sample`.
    """
    counts = {name: Counter[str]() for name in ("status", "reason", "digit", "kind", "polarity")}
    measures: dict[str, _Measure] = {}
    different = _Different()
    pictures = inked = touching = 0
    for batch in batches:
        pictures += batch.num_rows
        ink = batch["ink"]
        with_ink = has_ink(ink)
        inked += int(with_ink.sum())
        touching += int((_numbers(_part(ink, "touches_edge"))[with_ink] > 0).sum())
        _count(counts, batch, with_ink)
        different.add(_keys(batch, with_ink))
        for name, values in _measured(batch, with_ink):
            measures.setdefault(name, _Measure()).add(values)
    spreads = {name: measure.spread() for name, measure in measures.items()}
    return BatchProfile(
        pictures=pictures,
        statuses=dict(counts["status"]),
        reasons=dict(counts["reason"]),
        digits=dict(counts["digit"]),
        kinds=dict(counts["kind"]),
        polarities=dict(counts["polarity"]),
        inked=inked,
        touching=touching,
        different=different.count(inked),
        measures={name: spread for name, spread in spreads.items() if spread},
    )


def _part(ink: pa.StructArray, name: str) -> pa.Array:
    """Return a field of a struct column, null where the struct is."""
    return pc.struct_field(ink, name)


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """Return numbers (N,), NaN where null."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def has_ink(ink: pa.StructArray) -> NDArray[np.bool_]:
    """Tell in which pictures ink was found, (N,)."""
    polarity = _part(ink, "polarity").cast(pa.string())
    found = pc.fill_null(pc.not_equal(polarity, "none"), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


def _count(
    counts: dict[str, Counter[str]], batch: pa.RecordBatch, with_ink: NDArray[np.bool_]
) -> None:
    inks = batch["ink"].filter(pa.array(with_ink))
    columns = {
        "status": batch["status"],
        "reason": batch["reason"],
        "digit": batch["digit"],
        "kind": batch["kind"].filter(pa.array(with_ink)),
        "polarity": _part(inks, "polarity"),
    }
    for name, column in columns.items():
        for found in pc.value_counts(column.drop_null()).to_pylist():
            counts[name][str(found["values"])] += found["counts"]


def _keys(batch: pa.RecordBatch, with_ink: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return a number for each picture with ink: the same where file and page are the same."""
    some = pa.array(with_ink)
    hashes, pages = (batch[name].filter(some).to_pylist() for name in ("content_hash", "page"))
    mask = 16**HASHED - 1
    keys = [
        (int(text[:HASHED], 16) + page * PAGE_STEP) & mask
        for text, page in zip(hashes, pages, strict=True)
        if text
    ]
    return np.array(keys, np.uint64)


def _measured(
    batch: pa.RecordBatch, with_ink: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield what is measured of each picture; NaN and infinite where it cannot be."""
    ink = batch["ink"].filter(pa.array(with_ink))
    width, height, stroke, share, contrast = (
        _numbers(_part(ink, name))
        for name in ("width", "height", "stroke_width", "share", "contrast")
    )
    longer = np.maximum(width, height)
    with np.errstate(divide="ignore", invalid="ignore"):
        yield "contrast", contrast
        yield "ink_side", np.log(longer)
        yield "tallness", np.log(height / width)
        yield "stroke_width", np.log(stroke / longer)
        yield "ink_share", np.log(share)
        yield "bytes", np.log(_numbers(batch["size"]))
    yield "confidence", _numbers(batch["confidence"])
    yield "digit_score", _numbers(batch["digit_score"])


def together(one: BatchProfile, other: BatchProfile) -> BatchProfile:
    """Return the profile of two batches as one; files that both have count as different."""
    names = one.measures.keys() | other.measures.keys()
    return BatchProfile(
        pictures=one.pictures + other.pictures,
        statuses=_added(one.statuses, other.statuses),
        reasons=_added(one.reasons, other.reasons),
        digits=_added(one.digits, other.digits),
        kinds=_added(one.kinds, other.kinds),
        polarities=_added(one.polarities, other.polarities),
        inked=one.inked + other.inked,
        touching=one.touching + other.touching,
        different=one.different + other.different,
        measures={
            name: _joined([each.measures[name] for each in (one, other) if name in each.measures])
            for name in names
        },
        control=control_of([each.control for each in (one, other) if each.control]),
        views=views_of([each.views for each in (one, other) if each.views]),
    )


def views_of(parts: Sequence[Views]) -> Views | None:
    """Return the views of several batches as those of one; of none, none."""
    if not parts:
        return None
    turned = Counter[str]()
    for each in parts:
        turned.update(each.turned)
    return Views(
        pictures=sum(each.pictures for each in parts),
        upright=sum(each.upright for each in parts),
        turned=dict(turned),
    )


def control_of(parts: Sequence[Control]) -> Control | None:
    """Return how the control digits of several batches were read; of none, nothing."""
    if not parts:
        return None
    return Control(
        drawn=sum(each.drawn for each in parts),
        right=sum(each.right for each in parts),
        read=sum(each.read for each in parts),
    )


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))


def _joined(spreads: Sequence[Spread]) -> Spread:
    measure = _Measure()
    for each in spreads:
        measure.join(each.count, each.mean, each.deviation**2 * max(1, each.count - 1))
    return measure.spread() or spreads[0]


def with_looks(profile: BatchProfile, looks: Sequence[Look]) -> BatchProfile:
    """Return a profile with how some of its pictures look."""
    measures = dict(profile.measures)
    for name, values in _looked(looks):
        measure = _Measure()
        measure.add(values)
        if spread := measure.spread():
            measures[name] = spread
    return profile.model_copy(update={"measures": measures})


def _looked(looks: Sequence[Look]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    if not looks:
        return
    side, paper, ink, noise, blur, printed = (
        np.array(part, np.float64) for part in zip(*looks, strict=True)
    )
    yield "side", np.log(np.maximum(side, 1))
    yield "paper", paper
    yield "noise", np.log(noise + LEAST_NOISE)
    yield "printed_share", np.log(printed + LEAST_PRINT)
    yield "blur", np.log(np.where(ink > 0, blur, math.nan))
