"""Names are counted and found again as if they were all held."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tasks.inputs.name_index import NameIndex, occurrences

NAMES = st.lists(st.sampled_from([b"", b"a", b"b", b"caf\xe9"]), max_size=20)


@given(NAMES)
def test_each_name_is_counted_as_often_as_it_came_before(names: list[bytes]) -> None:
    seen: Counter[bytes] = Counter()
    for counter in (occurrences(names), NameIndex((name, 0) for name in names).occurrences()):
        seen.clear()
        for name in names:
            assert counter.before(name) == seen[name]
            seen[name] += 1


@given(NAMES)
def test_every_position_of_a_name_is_found_in_order(names: list[bytes]) -> None:
    index = NameIndex((name, number) for number, name in enumerate(names))
    for name in {*names, b"missing"}:
        assert index.positions(name) == [at for at, each in enumerate(names) if each == name]
