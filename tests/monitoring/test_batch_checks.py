"""A batch is odd where it is unlike those before it, and where no ordinary one is so."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.monitoring.batch_checks import Finding, deviations, findings, grouped, limits
from tasks.monitoring.batch_features import FEATURES, Estimate
from tasks.monitoring.batch_profile import BatchProfile, Control, Views
from tasks.monitoring.hold_reasons import MEANINGS, HoldReason
from tests.monitoring.batches import BLANK, profile

BEFORE = [profile(400, seed) for seed in range(1, 7)]


def reasons(batch: BatchProfile, before: list[BatchProfile] = BEFORE) -> set[str]:
    return {finding.reason for finding in findings(batch, before)}


@pytest.mark.parametrize("pictures", [1, 5, 25, 400, 3000])
@pytest.mark.parametrize("earlier", [0, 1, 6])
def test_a_batch_like_those_before_is_not_odd_whatever_its_size(
    pictures: int, earlier: int
) -> None:
    assert not findings(profile(pictures, 99), BEFORE[:earlier])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"polarity": "light_on_dark"}, HoldReason.INVERTED),
        ({"kind": "lined"}, HoldReason.PRINT),
        ({"touches_edge": True}, HoldReason.CUT),
        ({"contrast": 30}, HoldReason.CONTRAST),
        ({"stroke_width": 25.0}, HoldReason.STROKE_WIDTH),
        ({"width": 400, "height": 600}, HoldReason.SIZE),
        ({"width": 60, "height": 40}, HoldReason.SHAPE),
        ({"digit": 7}, HoldReason.DIGITS_MIX),
        ({"content_hash": "ab" * 32}, HoldReason.REPEATED),
        ({"status": "review", "reason": "low_confidence"}, HoldReason.REVIEW_SHARE),
        ({"status": "rejected", "reason": "not_a_digit"}, HoldReason.NO_DIGITS),
        ({"status": "rejected", "reason": "truncated"}, HoldReason.REJECT_SHARE),
        (BLANK, HoldReason.BLANK),
    ],
)
def test_what_is_unlike_the_batches_before_is_named(
    changes: dict[str, object], reason: HoldReason
) -> None:
    assert reason in reasons(profile(300, 50, **changes))


def test_what_is_usual_for_a_source_is_not_odd() -> None:
    inverted = [profile(400, seed, polarity="light_on_dark", digit=3) for seed in range(8)]
    assert not findings(inverted[0], inverted[1:])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (BLANK, HoldReason.BLANK),
        ({"status": "rejected", "reason": "not_a_digit"}, HoldReason.NO_DIGITS),
        ({"content_hash": "ab" * 32}, HoldReason.REPEATED),
    ],
)
def test_a_first_batch_that_nobody_can_read_is_odd(
    changes: dict[str, object], reason: HoldReason
) -> None:
    assert reason in reasons(profile(300, 50, **changes), [])


def test_a_first_batch_may_look_as_it_likes() -> None:
    batch = profile(300, 50, polarity="light_on_dark", contrast=30, kind="lined", digit=1)
    assert not findings(batch, [])


def test_small_batches_that_follow_each_other_are_compared_as_one() -> None:
    small = [profile(5, seed) for seed in range(40)]
    assert [each.pictures for each in grouped(small)] == [100, 100]
    assert not findings(profile(300, 50), small)
    assert HoldReason.INVERTED in reasons(profile(300, 50, polarity="light_on_dark"), small)


def test_an_inbox_with_few_pictures_at_a_time_is_held_once_enough_have_come() -> None:
    ordinary = [profile(6, seed) for seed in range(60)]
    broken = [profile(6, seed, polarity="light_on_dark") for seed in range(60, 64)]
    assert not findings(profile(6, 70), ordinary)
    assert not findings(profile(6, 70), ordinary[:2])
    assert HoldReason.INVERTED in reasons(broken[0], [*broken[1:], *ordinary])


def test_every_reason_has_a_meaning_of_its_own() -> None:
    assert set(MEANINGS) == set(HoldReason)
    assert len(set(MEANINGS.values())) == len(HoldReason)


def test_each_reason_is_named_once_with_its_numbers() -> None:
    found = findings(profile(300, 50, digit=7), BEFORE)
    assert len({each.reason for each in found}) == len(found)
    assert "100 %" in found[0].sentence
    assert "6 batches" in found[0].sentence
    assert Finding.from_dict(json.loads(json.dumps(found[0].to_dict()))) == found[0]


def test_profiles_of_another_version_are_compared_where_they_can_be() -> None:
    poor = [each.model_copy(update={"measures": {}}) for each in BEFORE]
    assert HoldReason.INVERTED in reasons(profile(300, 50, polarity="light_on_dark"), poor)


def test_control_digits_that_are_read_badly_are_odd() -> None:
    batch = profile(300, 50)
    assert not findings(batch, BEFORE, Control(drawn=20, right=19, read=15))
    [found] = findings(batch, BEFORE, Control(drawn=20, right=8, read=2))
    assert found.reason == HoldReason.CONTROL_DIGITS
    assert "8 of 20" in found.sentence


def test_a_source_whose_control_digits_were_always_read_badly_is_not_held_for_them() -> None:
    bad = Control(drawn=60, right=36, read=10)
    before = [each.model_copy(update={"control": bad}) for each in BEFORE]
    assert not findings(profile(300, 50), before, bad)


def test_pictures_that_are_clear_only_when_they_are_turned_are_called_turned() -> None:
    turned = Views(pictures=20, upright=5, turned={"upside down": 19, "mirrored": 6})
    mirrored = Views(pictures=20, upright=8, turned={"upside down": 6, "mirrored": 18})
    upright = Views(pictures=20, upright=17, turned={"upside down": 15, "mirrored": 18})
    letters = Views(pictures=20, upright=2, turned={"upside down": 5, "mirrored": 8})
    batch = profile(300, 50)
    first = [
        [each.reason for each in findings(batch.model_copy(update={"views": views}), BEFORE)[:1]]
        for views in (turned, mirrored, upright, letters)
    ]
    assert first == [[HoldReason.TURNED], [HoldReason.MIRRORED], [], []]


def test_what_explains_the_rest_is_named_first_and_what_follows_from_it_last() -> None:
    changes = {"polarity": "light_on_dark", "status": "review", "contrast": 30}
    found = [each.reason for each in findings(profile(300, 50, **changes), BEFORE)]
    assert found[0] == HoldReason.INVERTED
    assert found[-1] == HoldReason.REVIEW_SHARE
    assert HoldReason.CONTRAST in found


def test_a_source_that_was_released_turned_may_stay_so() -> None:
    turned = Views(pictures=20, upright=5, turned={"upside down": 19, "mirrored": 6})
    batch = profile(300, 50).model_copy(update={"views": turned})
    assert findings(batch, BEFORE)
    assert not findings(batch, [BEFORE[0].model_copy(update={"views": turned}), *BEFORE[1:]])


def test_every_feature_has_a_limit_that_ships() -> None:
    assert {feature.name for feature in FEATURES} == limits().between.keys()


@given(st.integers(1, 20), st.floats(0.01, 0.5), st.integers(0, 1000))
def test_batches_that_differ_as_ordinary_ones_do_are_rarely_far_off(
    count: int, between: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    far = 0
    for _ in range(100):
        values = [
            Estimate(v, 1e-4) for v in random.normal(0, (between**2 + 1e-4) ** 0.5, count + 1)
        ]
        far += abs(deviations(values[0], values[1:], between, 8)) > 4
    assert far <= 2


def test_more_earlier_batches_make_the_same_difference_stranger() -> None:
    random = np.random.default_rng(0)
    before = [Estimate(v, 1e-4) for v in random.normal(0, 0.05, 20)]
    new = Estimate(0.4, 1e-4)
    assert deviations(new, before, 0.05, 8) > deviations(new, before[:1], 0.05, 8) > 2
