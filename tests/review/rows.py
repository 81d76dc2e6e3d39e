"""Rows that wait for a person."""

from pathlib import Path
from typing import Any

from tasks.results.schema import PROBABILITIES
from tasks.review.answers import Answer, Wanted, settle
from tasks.review.queue import Choice, PictureKey, WaitingPicture, waiting
from tests.results.test_table import read_row

Row = dict[str, Any]


def unsure(path: str, digit: int = 3, run: str = "run-1", **changes: Any) -> Row:
    """Return a row in review, of which the model thinks that it is a digit, by 60 %."""
    shares = dict.fromkeys(PROBABILITIES, 0.04) | {f"p{digit}": 0.6}
    in_review = {"status": "review", "reason": "low_confidence", "digit": digit}
    return read_row(path, run, **in_review, **shares) | {"confidence": 0.6} | changes


def for_audit(path: str, digit: int = 3, run: str = "run-1", **changes: Any) -> Row:
    """Return a row that was read, and drawn for the audit."""
    shares = dict.fromkeys(PROBABILITIES, 0.001) | {f"p{digit}": 0.991}
    return read_row(path, run, digit=digit, **shares, audit=0.25) | changes


def keys(table: str, **choice: Any) -> list[tuple[str, int]]:
    """Return path and page of what waits."""
    return [(picture.path, picture.page) for picture in waiting(table, Choice(**choice))]


def picture_of(table: str, path: str, page: int = 0) -> WaitingPicture:
    """Return a picture that waits."""
    [found] = [each for each in waiting(table) if each.key[1:] == (path, page)]
    return found


def say(table: str, answer: Answer, run: str = "review-1") -> dict[PictureKey, str]:
    """Settle one answer, and return what was left."""
    return settle(table, run, {answer.picture: Wanted(answer, frozenset())}).left


def place(folder: Path) -> str:
    """Return where a table of results is."""
    return str(folder / "results")
