"""How many pictures a test part lacks for what the gate requires, known before any training."""

from collections.abc import Iterator, Sequence

from tasks.gate.requirements import fewest_for
from tasks.gate.slices import TEST, Slice


def shortfalls(counts: Sequence[int], slices: Sequence[Slice]) -> Iterator[str]:
    """Yield what a test part has too few pictures for, and how many are missing.

    Even if all were answered right, the bounds of so few would not reach the floors.

    Args:
        counts: of the test part: pictures of each digit.
        slices: that are drawn from it; what the user names has pictures of its own.
    """
    have = sum(counts)
    needed, name = max((_fewest(slice_), slice_.name) for slice_ in slices)
    if needed > have:
        yield (
            f"the test part has {have:,} pictures, the gate needs at least {needed:,} for {name}: "
            f"{needed - have:,} are missing"
        )
    [floor] = [slice_.recall_floor for slice_ in slices if slice_.name == TEST]
    each = fewest_for(floor) if 0 < floor < 1 else 0
    lacking = {digit: each - count for digit, count in enumerate(counts) if count < each}
    if lacking:
        of_digits = ", ".join(f"{missing:,} of {digit}" for digit, missing in lacking.items())
        yield (
            f"for the recall of each digit it needs at least {each:,} pictures of each: "
            f"{of_digits} are missing"
        )


def _fewest(slice_: Slice) -> int:
    """Return how many pictures a slice takes to reach its floor, if all are answered right."""
    return max(slice_.fewest, fewest_for(slice_.floor) if slice_.floor < 1 else 0)
