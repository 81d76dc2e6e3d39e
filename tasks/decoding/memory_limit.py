"""A bound on the memory that a library takes which does not say beforehand how much it will."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS = Path("/proc/self/status")  # of Linux


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Refuse this process more than so many bytes beyond what it has, in the block.

    A library that does not get them fails, or ends the process; files are decoded in one of their
    own, so that this costs the file alone. Elsewhere than on Linux nothing is refused.
    """
    if not STATUS.exists():
        yield
        return
    has = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmData:"))
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(has.split()[1]) * 1024 + size
    limits = [limit for limit in (wanted, before, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))
