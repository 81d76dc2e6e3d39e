"""Where the time of a run went: seconds of each stage, which add up to the time on the clock."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

WAIT, OTHER = "wait", "other"


class Stages:
    """The clock of one run; as a context it counts the stages that are called in it."""

    def __init__(self) -> None:
        """Start it."""
        self._start = perf_counter()
        self._seconds: dict[str, float] = {}

    def __enter__(self) -> "Stages":
        """Count the time of every stage until the end of the context."""
        self._outer = _counting.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Count no more."""
        _counting.reset(self._outer)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count the time of the block as that of a stage."""
        start = perf_counter()
        try:
            yield
        finally:
            self._add(name, perf_counter() - start)

    def add_parallel(self, clock: float, parts: Mapping[str, float], workers: int) -> None:
        """Count time in which stages ran in parallel.

        Args:
            clock: seconds that went by.
            parts: seconds of each stage, in all workers together.
            workers: how many ran at once; what they did not use is `wait`.
        """
        spent = sum(parts.values())
        room = max(spent, clock * workers)
        for name, seconds in parts.items():
            self._add(name, clock * seconds / room)
        self._add(WAIT, clock * (room - spent) / room)

    def summed(self) -> dict[str, float]:
        """Return the seconds of each stage so far; what was none is `other`."""
        other = perf_counter() - self._start - sum(self._seconds.values())
        return {**self._seconds, OTHER: other}

    def _add(self, name: str, seconds: float) -> None:
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds


_counting: ContextVar[Stages | None] = ContextVar("counting", default=None)


@contextmanager
def timed(stage: str | None) -> Iterator[None]:
    """Count the time of the block as that of a stage, if a run counts and the stage has a name."""
    stages = _counting.get()
    if stages is None or stage is None:
        yield
        return
    with stages.of(stage):
        yield
