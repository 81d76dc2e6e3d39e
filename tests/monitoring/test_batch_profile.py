"""A profile is what a batch is like, however its rows come."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.monitoring import batch_profile
from tasks.monitoring.batch_profile import BatchProfile, Control, profile_of, together
from tests.monitoring.batches import BLANK, COLUMNS, profile, rows


@given(st.integers(1, 60))
def test_a_profile_does_not_depend_on_how_rows_come(size: int) -> None:
    table = rows(60)
    parts = profile_of(table.to_batches(max_chunksize=size))
    whole = profile_of(table.to_batches())
    assert parts.model_copy(update={"measures": {}}) == whole.model_copy(update={"measures": {}})
    for name, spread in whole.measures.items():
        assert parts.measures[name].mean == pytest.approx(spread.mean)
        assert parts.measures[name].deviation == pytest.approx(spread.deviation)


def test_counts_are_those_of_the_rows() -> None:
    table = pa.concat_tables([rows(30), rows(10, 1, **BLANK), rows(5, 2, touches_edge=True)])
    found = profile_of(table.to_batches())
    assert (found.pictures, found.inked, found.touching) == (45, 35, 5)
    assert found.statuses == {"read": 35, "rejected": 10}
    assert found.reasons == {"ok": 35, "blank": 10}
    assert sum(found.digits.values()) == 35
    assert found.polarities == {"dark_on_light": 35}


def test_a_profile_is_the_same_after_json() -> None:
    found = profile()
    assert BatchProfile.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_what_a_later_version_adds_is_no_error() -> None:
    later = {**profile().to_dict(), "added": 1}
    assert BatchProfile.from_dict(later).pictures == 400


def test_nothing_has_a_profile_too() -> None:
    found = profile_of([])
    assert (found.pictures, found.inked, found.measures) == (0, 0, {})


def test_files_that_could_not_be_opened_have_neither_ink_nor_hash() -> None:
    nothing = dict.fromkeys(COLUMNS.names)
    row = {**nothing, "status": "rejected", "reason": "vanished", "page": 0}
    found = profile_of(pa.Table.from_pylist([row] * 30, COLUMNS).to_batches())
    assert (found.pictures, found.inked, found.different) == (30, 0, 0)
    assert found.measures == {}


def test_the_same_file_counts_once_but_each_page_of_it() -> None:
    same = rows(50, content_hash="ab" * 32)
    assert profile_of(same.to_batches()).different == 1
    pages = same.set_column(same.schema.get_field_index("page"), "page", pa.array(range(50)))
    assert profile_of(pages.to_batches()).different == 50


@pytest.mark.parametrize("times", [1, 2])
def test_of_many_files_it_is_estimated_how_many_differ(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_profile, "REMEMBERED", 1000)
    table = pa.concat_tables([rows(4000)] * times)
    assert profile_of(table.to_batches()).different == pytest.approx(4000, rel=0.15 * (times - 1))


def test_infinite_and_missing_numbers_are_left_out() -> None:
    found = profile_of(rows(40, stroke_width=0.0, size=None, confidence=float("nan")).to_batches())
    assert not {"stroke_width", "bytes", "confidence"} & found.measures.keys()


def test_two_batches_together_are_as_if_they_were_one() -> None:
    first, second = rows(30, 1), rows(50, 2, touches_edge=True)
    parts = together(profile_of(first.to_batches()), profile_of(second.to_batches()))
    whole = profile_of(pa.concat_tables([first, second]).to_batches())
    assert parts.model_copy(update={"measures": {}}) == whole.model_copy(update={"measures": {}})
    for name, spread in whole.measures.items():
        assert parts.measures[name].count == spread.count
        assert parts.measures[name].deviation == pytest.approx(spread.deviation)


def test_control_digits_of_two_batches_are_counted_together() -> None:
    one = profile(30).model_copy(update={"control": Control(drawn=9, right=8, read=7)})
    assert together(one, one).control == Control(drawn=18, right=16, read=14)
    assert together(one, profile(30)).control == one.control
    assert together(profile(30), profile(30)).control is None
