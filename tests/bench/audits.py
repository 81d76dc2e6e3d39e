"""How often the interval of an audit holds the true error, over simulated months.

    python -m tests.bench.audits [MONTHS]

A month is twenty batches of pictures with digits as amounts have them. Less sure ones are wrong
more often, as calibration digits of the model that ships are, or sure ones as often as others, as
where a model is wrong about new pens. They are drawn as a reading draws them; people answer all, or
fewer of the sure ones. The true error is that of all pictures of the month.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.audit_sample import BAND_EDGES, confidence_bands, probabilities
from tasks.metrics.audited_error import AuditedError, audited_error

MONTHS, MONTHS_OF_A_TEST = 2_000, 100
SHARE, BATCHES = 0.01, 20
ERRORS = (0.001, 0.002, 0.005, 0.01, 0.02)
ANSWERS = (50, 100, 200, 500)
ANSWERED = {1.0: "all", 0.2: "a fifth"}  # of the sure ones; all others are answered
LOOKS = 20  # in a month, at each of which an alarm may be given

# of what the shipped model reads of its 31,296 calibration digits, from confidence 0.9 on
OF_BAND = (0.046, 0.071, 0.883)
WRONG_OF_BAND = np.array([0.077, 0.0176, 0.0007])
ALIKE = np.ones(3)
WRONG = {"less sure": WRONG_OF_BAND, "all alike": ALIKE}  # which pictures are wrong more often
DIGITS = np.array([24, 16, 11, 9, 8, 8, 6, 6, 6, 6]) / 100


@dataclass(frozen=True)
class Month:
    """What was drawn of the pictures of a month, and the share of wrong ones among all."""

    probable: NDArray[np.float32]
    bands: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    error: float


@dataclass(frozen=True)
class Coverage:
    """How the intervals of simulated months compare with the truth."""

    share: float  # of the months whose interval holds it
    above: float  # of those in which it lies above the interval
    answers: float  # in the mean
    wrong: float
    high: float  # in the mean
    alarms: float  # share of the months whose lower bound is above the error that all months have


def months(
    error: float, answers: int, count: int, seed: int, often: NDArray[np.float64] = WRONG_OF_BAND
) -> Iterator[Month]:
    """Yield simulated months whose pictures are wrong with that probability."""
    random = np.random.default_rng(seed)
    pictures = round(answers / SHARE / BATCHES)
    wrong_of_band = often * error / (often @ OF_BAND)
    middles = np.array([BAND_EDGES[0] - 0.05, BAND_EDGES[0] + 0.001, BAND_EDGES[1] + 0.001])
    for _ in range(count):
        parts, wrong_ones = [], 0
        for _ in range(BATCHES):
            bands = random.choice(3, pictures, p=OF_BAND)
            digits = random.choice(10, pictures, p=random.dirichlet(40 * DIGITS))
            wrong = random.random(pictures) < wrong_of_band[bands]
            probable = probabilities(digits, middles[bands], SHARE)
            drawn = random.random(pictures) < probable
            parts.append((probable[drawn], confidence_bands(middles[bands])[drawn], wrong[drawn]))
            wrong_ones += int(wrong.sum())
        yield Month(*map(np.concatenate, zip(*parts, strict=True)), wrong_ones / pictures / BATCHES)


def covered(
    error: float,
    answers: int,
    answered: float,
    count: int,
    seed: int,
    often: NDArray[np.float64] = WRONG_OF_BAND,
) -> Coverage:
    """Return how often the interval holds the truth.

    Args:
        error: probability that a picture is wrong.
        answers: expected in a month, if all is answered.
        answered: share of the sure ones that is answered.
        count: of months.
        seed: of the random numbers.
        often: (3,), how often pictures of each band of confidence are wrong, in proportion.
    """
    random = np.random.default_rng(seed + 1)
    rows = []
    for month in months(error, answers, count, seed, often):
        given = (random.random(len(month.bands)) < answered) | (month.bands < len(BAND_EDGES))
        found = audited_error(month.probable, month.bands, given, month.wrong)
        rows.append(
            (
                *(found.low <= month.error <= found.high, found.high < month.error),
                *(found.answers, found.wrong, found.high, found.low > error),
            )
        )
    return Coverage(*np.array(rows, float).mean(axis=0).tolist())


def looked_at_often(error: float, answers: int, count: int, seed: int) -> float:
    """Return in which share of months an alarm is given if they are looked at as answers come."""
    alarms = 0
    for month in months(error, answers, count, seed):
        places = np.random.default_rng(seed).permutation(len(month.bands))
        looks = (
            np.isin(np.arange(len(places)), places[: round(len(places) * look / LOOKS)])
            for look in range(1, LOOKS + 1)
        )
        alarms += any(_at(month, given).low > error for given in looks)
    return alarms / count


def _at(month: Month, given: NDArray[np.bool_]) -> AuditedError:
    return audited_error(month.probable, month.bands, given, month.wrong)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("months", type=int, nargs="?", default=MONTHS)
    count = parser.parse_args().months
    print(f"{count:,} months in each row; the interval has to hold the true error in 93 %\n")
    print(" error wrong      drawn  answered  answers  wrong   holds it  above it  mean upper end")
    for error in ERRORS:
        for answers in ANSWERS:
            for (which, often), (answered, words) in product(WRONG.items(), ANSWERED.items()):
                each = covered(error, answers, answered, count, 20_261_128, often)
                print(
                    f"{error:6.2%} {which:<10} {answers:5,}  {words:<9} {each.answers:7.0f} "
                    f"{each.wrong:6.1f} {each.share:10.1%} {each.above:9.1%} {each.high:14.2%}"
                )
    print(f"\nfalse alarms: accepted is the error that the months have; {LOOKS} looks in a month")
    for error in ERRORS:
        for answers in ANSWERS[1::2]:
            once = covered(error, answers, 1.0, count, seed=7).alarms
            often = looked_at_often(error, answers, max(1, count // 4), seed=7)
            print(f"{error:6.2%} {answers:5,}  at the end {once:6.2%}  at any look {often:6.2%}")


if __name__ == "__main__":
    main()
