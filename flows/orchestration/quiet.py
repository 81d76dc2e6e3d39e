"""Whether flows that are run from here write to the terminal.

A file of its own: a flow's code crosses to clusters by value, and a context variable cannot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def is_quiet() -> bool:
    """Tell whether flows of this context write nothing to the terminal."""
    return _quiet.get()


@contextmanager
def quietly(*, on: bool = True) -> Iterator[None]:
    """Let flows of this context write nothing to the terminal, if on."""
    token = _quiet.set(on)
    try:
        yield
    finally:
        _quiet.reset(token)
