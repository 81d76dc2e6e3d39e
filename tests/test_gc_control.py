"""What is there to stay is not looked through, and everything is as before afterwards."""

import gc
import weakref

import pytest

from tasks.gc_control import settled, uncollected


class Ring:
    """An object that only a collection deletes."""

    def __init__(self) -> None:
        """Hold itself."""
        self.itself = self


def test_collections_leave_out_what_was_there_before_and_no_more() -> None:
    before = Ring()
    old = weakref.ref(before)
    with settled():
        del before
        new = weakref.ref(Ring())
        gc.collect()
        assert old() is not None
        assert new() is None
    gc.collect()
    assert old() is None
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("on", [True, False])
def test_collecting_is_off_inside_and_then_as_it_was(on: bool) -> None:
    was_on = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        with pytest.raises(ZeroDivisionError), uncollected():
            assert not gc.isenabled()
            1 / 0  # noqa: B018 - whatever happens inside
        assert gc.isenabled() is on
    finally:
        (gc.enable if was_on else gc.disable)()
