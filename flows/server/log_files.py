"""Log files of processes that run for months: each keeps what was written last, and no more."""

import os
import shutil
from pathlib import Path
from typing import IO

MOST_BYTES = 10 * 2**20  # of a log, and of what was in it before


def keep_small(log: IO[bytes], most: int = MOST_BYTES) -> None:
    """Begin a log anew where it has grown, and keep what it had in a file beside it, `.1`.

    Those who write to it have it open to append, and go on. What they write in the milliseconds of
    the change may be lost.

    Args:
        log: open to append, and with a name.
        most: bytes from which on it has grown.
    """
    if os.fstat(log.fileno()).st_size < most:
        return
    file = Path(log.name)
    shutil.copyfile(file, file.with_name(f"{file.name}.1"))
    log.truncate(0)
