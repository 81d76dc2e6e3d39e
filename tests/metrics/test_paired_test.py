"""Two models on the same pictures: noise neither promotes an equal model nor refuses it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.paired_test import LUCK, Paired, each_once, paired
from tasks.settings.training import GateSettings

counts = st.integers(0, 60)

# Pictures that only the first or only the second of two models answers right, which were trained
# alike but for the seed; of 1,000, of the test part of 10,000.
EQUALS = {
    "test part": (10_000, 45),
    "scans": (1000, 39),
    "photos": (1000, 29),
    "shot noise": (1000, 33),
    "dotted line": (1000, 92),
    **{f"slice {number}": (1000, 10) for number in range(15)},
}


@given(counts, counts, st.integers(120, 10_000))
def test_the_bound_lies_below_the_difference_and_within_what_is_possible(
    ours: int, theirs: int, count: int
) -> None:
    pairs = Paired(count, ours, theirs)
    assert -theirs / count - ours / count - 1e-12 <= pairs.lower_bound <= pairs.difference + 1e-12
    assert 0 < pairs.chance <= 1


@given(counts, counts)
def test_a_picture_won_rather_than_lost_raises_the_bound(ours: int, theirs: int) -> None:
    lost, won = Paired(1000, ours, theirs + 1), Paired(1000, ours + 1, theirs)
    assert won.lower_bound > lost.lower_bound - 1e-12
    # of 53 coins and more, one that falls the other way is below the last digit of a float
    assert won.chance < lost.chance or won.chance == lost.chance == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "chance"), [(0, 0, 1.0), (5, 0, 1 / 32), (4, 1, 6 / 32), (0, 5, 1.0)]
)
def test_the_chance_is_that_of_coins(ours: int, theirs: int, chance: float) -> None:
    assert Paired(100, ours, theirs).chance == pytest.approx(chance)


def test_the_bound_holds_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    drop, unequal, count = 0.02, 0.06, 1000  # of a candidate that is worse by 0.02
    wins = random.multinomial(
        count, [(unequal - drop) / 2, (unequal + drop) / 2, 1 - unequal], size=400
    )
    above = [Paired(count, int(w[0]), int(w[1])).lower_bound > -drop for w in wins]
    assert np.mean(above) <= 0.08


def test_answers_are_paired_picture_by_picture() -> None:
    ours, theirs = np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool)
    assert paired(ours, theirs) == Paired(4, 1, 1)
    for other in (ours[:3], ours[:0]):
        with pytest.raises(ValueError, match="cannot be paired"):
            paired(other, theirs if len(other) else other)


def test_each_digit_counts_once_where_it_comes_first() -> None:
    slices = [np.array([3, 1]), np.array([1, 2, -1]), np.array([2, 3])]
    assert [list(chosen) for chosen in each_once(slices)] == [
        [True, True],
        [False, True, False],
        [False, False],
    ]


def equal_models(random: np.random.Generator) -> dict[str, Paired]:
    """Return how two equally good models would compare on the gate's slices, by chance."""
    return {
        name: Paired(count, int(split[0]), int(split[1]))
        for name, (count, unequal) in EQUALS.items()
        for split in [
            random.multinomial(
                count, [unequal / count / 2, unequal / count / 2, 1 - unequal / count]
            )
        ]
    }


def test_an_equal_model_passes_20_of_20_times_and_is_called_better_0_of_20_times() -> None:
    settings, random = GateSettings(), np.random.default_rng(11)
    not_worse, better = 0, 0
    for _ in range(20):
        pairs = equal_models(random)
        drawn = [pairs[name] for name in EQUALS if name != "test part"]
        # each digit once: about half of two pictures of each
        overall = Paired(
            10_000,
            sum(one.only_candidate for one in drawn) // 2,
            sum(one.only_champion for one in drawn) // 2,
        )
        passed = all(one.lower_bound >= -settings.max_slice_drop for one in drawn)
        passed &= pairs["test part"].lower_bound >= -settings.max_drop
        passed &= overall.lower_bound >= -settings.max_overall_drop
        not_worse += passed
        better += passed and overall.chance <= LUCK
    assert (not_worse, better) == (20, 0)
