"""A network is calibrated kind by kind, by what reading would make of each picture."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.form import Kind
from tasks.synthesis.seen_digits import SeenDigits
from tasks.training.calibrate import LEAST, calibrate_by_kind

COUNT = 600
DIGITS = (np.arange(COUNT) % 10).astype(np.int8)


def picture(digit: int, doubt: int = 0) -> NDArray[np.uint8]:
    """Return a picture that `raw` answers with a digit; with `doubt`, as likely with the next."""
    form = np.zeros((28, 28), np.uint8)
    form[4, digit] = 200
    form[4, (digit + 1) % 10] = doubt
    return form


def raw(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Answer with the digit whose pixel is brightest, and say that anything is a digit."""
    return images[:, 4, :10].astype(np.float32) / 20, np.full(len(images), 9, np.float32)


def seen(
    kind: Kind, forms: list[list[NDArray[np.uint8]]], settled: NDArray[np.bool_] | None = None
) -> SeenDigits:
    return SeenDigits(
        forms=np.stack([form for ways in forms for form in ways]),
        ways=np.array([len(ways) for ways in forms]),
        labels=DIGITS[: len(forms)],
        kinds=np.full(len(forms), str(kind)),
        settled=np.ones(len(forms), bool) if settled is None else settled,
        sources=np.arange(len(forms)),
    )


PART = np.stack([picture(int(digit)) for digit in DIGITS]), DIGITS
NONE = np.zeros((5, 28, 28), np.uint8)


def test_each_kind_has_a_curve_of_its_own_and_the_whole_is_their_sum() -> None:
    hard = [[picture(int(digit + (number < 60)) % 10)] for number, digit in enumerate(DIGITS)]
    found = calibrate_by_kind(raw, PART, NONE, seen(Kind.LINED, hard), seed=1)
    assert list(found.kinds) == ["clean", "lined"]
    assert (found.kinds["clean"].wrong[0], found.kinds["lined"].wrong[0]) == (0, 60)
    assert found.curve.digits == 2 * COUNT
    assert found.curve.wrong[0] == 60


def test_a_picture_is_read_only_where_its_ways_agree_and_nothing_is_left_to_a_person() -> None:
    agree = [[picture(int(digit)), picture(int(digit))] for digit in DIGITS]
    disagree = [[picture(int(digit)), picture(int(digit + 1) % 10)] for digit in DIGITS]
    for ways, accepted in ((agree, COUNT), (disagree, 0)):
        found = calibrate_by_kind(raw, PART, NONE, seen(Kind.EDGE, ways), seed=1)
        assert found.kinds["at the edge"].accepted[0] == accepted
        assert found.kinds["at the edge"].digits == COUNT
    half = np.arange(COUNT) % 2 == 0
    found = calibrate_by_kind(raw, PART, NONE, seen(Kind.EDGE, agree, half), seed=1)
    assert found.kinds["at the edge"].accepted[0] == COUNT / 2


@pytest.mark.parametrize(("count", "known"), [(LEAST - 1, False), (LEAST, True)])
def test_too_few_digits_of_a_kind_say_nothing(count: int, known: bool) -> None:
    few = [[picture(int(digit))] for digit in DIGITS[:count]]
    found = calibrate_by_kind(raw, PART, NONE, seen(Kind.FAINT, few), seed=1)
    assert ("faint" in found.kinds) == known
