"""Digits in every scene as reading sees them: all ways, the kind, and each source once."""

import numpy as np
import pytest

from tasks.imaging.form import Kind
from tasks.synthesis.generate import LabelledImages
from tasks.synthesis.seen_digits import CALIBRATED, SeenDigits, once_each, see_digits
from tests.synthesis.test_generate import some_digits


@pytest.fixture(scope="module")
def seen() -> SeenDigits:
    return see_digits(some_digits(), seed=3, processes=1)


def test_each_digit_is_seen_once_in_each_scene(seen: SeenDigits) -> None:
    digits = some_digits()
    once = len(digits.labels) * len(CALIBRATED)
    assert seen.labels[:once].tolist() == digits.labels.tolist() * len(CALIBRATED)
    assert seen.sources[:once].tolist() == list(range(len(digits.labels))) * len(CALIBRATED)
    assert len(seen.labels) > once
    assert {*seen.kinds[once:].tolist()} == {Kind.CROPPED}
    assert len(seen.forms) == seen.ways.sum()
    assert seen.forms.shape[1:] == (28, 28)
    assert set(seen.kinds.tolist()) <= {str(kind) for kind in Kind}


def test_scenes_look_as_what_they_are(seen: SeenDigits) -> None:
    kinds = dict(
        zip(
            CALIBRATED,
            seen.kinds[: 20 * len(CALIBRATED)].reshape(len(CALIBRATED), -1).tolist(),
            strict=True,
        )
    )
    for scene, kind in (
        ("scan", Kind.PLAIN),
        *(("tight crop", Kind.CROPPED), ("faint ink", Kind.FAINT)),
    ):
        assert kinds[scene].count(kind) >= 6, (scene, kinds[scene])
    assert {*kinds["thumbnail"]} <= {Kind.CLEAN, Kind.SMALL}
    for scene in ("printed box", "graph paper", "ruled paper", "form cell"):
        assert Kind.LINED in kinds[scene]


def test_nothing_that_is_left_to_a_person_is_settled(seen: SeenDigits) -> None:
    blank = ~seen.forms[seen.first].any(axis=(1, 2))
    assert not seen.settled[blank].any()
    assert 0.7 < seen.settled.mean() < 1


def test_of_a_kind_each_source_counts_once(seen: SeenDigits) -> None:
    chosen = once_each(seen, Kind.PLAIN, seed=1)
    assert (seen.kinds[chosen] == Kind.PLAIN).all()
    sources = seen.sources[chosen].tolist()
    assert len(sources) == len(set(sources))
    assert set(sources) == set(seen.sources[seen.kinds == Kind.PLAIN].tolist())
    assert not np.array_equal(chosen, once_each(seen, Kind.PLAIN, seed=2))


@pytest.mark.processes
def test_the_seed_alone_decides_however_many_processes_draw() -> None:
    digits = some_digits()
    few = LabelledImages(digits.images[:4], digits.labels[:4])
    one, two = (see_digits(few, 5, ("photo", "tight crop"), processes=n) for n in (1, 2))
    other = see_digits(few, 6, ("photo", "tight crop"), processes=1)
    assert np.array_equal(one.forms, two.forms)
    assert not np.array_equal(one.forms, other.forms)
