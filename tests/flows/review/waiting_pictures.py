"""Files of bars that wait for a person, as a reading would have left them in the results."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.review.queue import WaitingPicture, waiting
from tests.bars import bar, encoded
from tests.results.test_table import store
from tests.review.rows import unsure


def row_of(file: Path, digit: int, root: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return the row of a file in review, by the folder that it lies in."""
    facts = {
        "root": root or str(file.parent),
        "content_hash": hashlib.sha256(file.read_bytes()).hexdigest(),
        "size": file.stat().st_size,
        "mtime_ns": file.stat().st_mtime_ns,
    }
    return unsure(file.name, digit) | facts | changes


def bars_in(folder: Path, count: int) -> dict[str, int]:
    """Write so many bars; return the digit of each by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = {f"{number:04}.png": number % 10 for number in range(count)}
    for name, digit in digits.items():
        (folder / name).write_bytes(encoded(bar(digit)))
    return digits


def waits(table: str, folder: Path, digits: Mapping[str, int], **changes: Any) -> None:
    """Let files wait, of which the model has taken each digit for the one that follows it."""
    rows = [row_of(folder / name, (digit + 1) % 10, **changes) for name, digit in digits.items()]
    store(table, *rows)


def pictures(table: str) -> list[WaitingPicture]:
    """Return what waits."""
    return waiting(table)
