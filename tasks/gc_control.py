"""Python's garbage collector, kept from looking through what is there to stay.

A full collection visits every object of the process. Prefect alone brings 170,000, so that listing
100,000 files beside it took half as long again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled() -> Iterator[None]:
    """Leave the objects that are there by now out of all collections inside."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect nothing inside: for imports, which make much and leave no garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
