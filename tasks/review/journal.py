"""The answers of one session as lines of a file, each on the disk before its person is told so.

A commit to the results takes too long to wait for. What a session that was killed has not
committed is committed by the next one.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.atomic import sync_folder
from tasks.errors import DigitflowError, InputError
from tasks.review.answers import REASONS, Answer, Signature, Wanted
from tasks.review.queue import PictureKey

JOURNAL_FILE = "answers.jsonl"  # in the folder of the run
TABLE, ANSWER, UNDONE, COMMITTED = "table", "answer", "undone", "committed"  # kinds of lines


@dataclass
class Said:
    """What was said in a session of each picture, and how much of it is in the results.

    Entries are answers and what was undone, numbered from 0.
    """

    entries: list[PictureKey] = field(default_factory=list)
    committed: int = 0  # so many of the first entries
    answers: dict[PictureKey, Answer] = field(default_factory=dict)  # the last of each, if any
    signatures: dict[PictureKey, set[Signature]] = field(default_factory=dict)

    def answer(self, answer: Answer) -> None:
        """Take an answer."""
        self.entries.append(answer.picture)
        self.answers[answer.picture] = answer
        self.signatures.setdefault(answer.picture, set()).add(answer.signature)

    def undo(self, picture: PictureKey) -> None:
        """Take that the answer of a picture was undone."""
        self.entries.append(picture)
        self.answers.pop(picture, None)

    def open(self) -> dict[PictureKey, Wanted]:
        """Return what the results do not say yet."""
        return {
            key: Wanted(self.answers.get(key), frozenset(self.signatures.get(key, ())))
            for key in self.entries[self.committed :]
        }


class AnswerJournal:
    """The file of a session, to which lines are added."""

    def __init__(self, file: Path, table: str) -> None:
        """Begin it.

        Args:
            file: is made.
            table: folder or URL of the results that it is about.

        Raises:
            DigitflowError: it cannot be written.
        """
        self._file, self._length = file, 0
        self._opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._add({TABLE: table})
        sync_folder(file.parent)

    def answer(self, answer: Answer) -> None:
        """Keep an answer; it is on the disk when this returns.

        Raises:
            DigitflowError: it is not kept.
        """
        facts = {"by": answer.by, "at": answer.at.isoformat(), "said": answer.said}
        self._add({ANSWER: answer.picture, "content_hash": answer.content_hash, **facts})

    def undo(self, picture: PictureKey) -> None:
        """Keep that the answer of a picture is undone.

        Raises:
            DigitflowError: it is not kept.
        """
        self._add({UNDONE: picture})

    def committed(self, count: int) -> None:
        """Keep that so many entries are in the results.

        Raises:
            DigitflowError: it is not kept, and they will be looked at once more.
        """
        self._add({COMMITTED: count})

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._opened)

    def _add(self, facts: Mapping[str, Any]) -> None:
        line = json.dumps(facts).encode() + b"\n"
        try:
            os.ftruncate(self._opened, self._length)  # a full disk can leave a part of a line
            if os.pwrite(self._opened, line, self._length) != len(line):
                raise OSError(0, "the disk is full")
            os.fsync(self._opened)
        except OSError as error:
            raise DigitflowError(f"{self._file} cannot be written: {error.strerror}") from error
        self._length += len(line)


def said_in(file: Path, table: str) -> Said | None:
    """Return what was said in a session, up to a line that was being written when it ended.

    Args:
        file: of its journal.
        table: folder or URL of the results; None is returned where it was about others.

    Raises:
        InputError: a line is damaged.
    """
    said = Said()
    written = file.read_bytes()
    lines = written[: written.rfind(b"\n") + 1].splitlines()
    for number, line in enumerate(_parsed(lines, file)):
        if number == 0 and line.get(TABLE) != table:
            return None
        try:
            _take(line, said)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(file, number, error) from error
    return said if lines else None


def _take(line: Mapping[str, Any], said: Said) -> None:
    if COMMITTED in line:
        said.committed = int(line[COMMITTED])
    elif UNDONE in line:
        said.undo(PictureKey(*line[UNDONE]))
    elif ANSWER in line:
        REASONS[line["said"]]
        at = datetime.fromisoformat(line["at"])
        facts = (line["content_hash"], line["said"], line["by"], at)
        said.answer(Answer(PictureKey(*line[ANSWER]), *facts))


def _parsed(lines: Iterable[bytes], file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines):
        try:
            found = json.loads(line)
        except ValueError as error:
            raise _damaged(file, number, error) from error
        if not isinstance(found, dict):
            raise _damaged(file, number, ValueError("no JSON object"))
        yield found


def _damaged(file: Path, number: int, error: Exception) -> InputError:
    return InputError(
        f"{file}, line {number + 1} is damaged ({error}): answers of people are in it that are not "
        "in the results yet. Restore the file from a backup, or move it away to go on without them"
    )
