"""A history as one object of a bucket, which is replaced by itself with more lines at its end."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks.errors import DigitflowError
from tasks.storage.conditional_objects import Objects
from tasks.storage.journal import (
    HEAD_SUFFIX,
    PLAIN,
    Decide,
    Entry,
    Kind,
    acceptance,
    lines,
    note_seen,
    parsed,
    require_unchanged,
    signed,
    whole_lines,
)
from tasks.storage.journal_chain import Head, chained, machine_head
from tasks.storage.s3 import Conflict

ATTEMPTS = 50  # to append before others do
LONGEST_PAUSE = 1.0  # seconds between two


class BucketHistory:
    """Entries that several machines add to: each addition is a condition on what was there."""

    def __init__(
        self, objects: Objects, name: str, kind: Kind = PLAIN, machine: Path | None = None
    ) -> None:
        """Take where the object is.

        Args:
            objects: below whose URL it is.
            name: of the object.
            kind: of its entries.
            machine: folder in which this machine notes what it has seen of all histories.
        """
        self._objects, self._name, self._kind = objects, name, kind
        self._place = f"{objects.url}/{name}"
        self._beside = HeadObject(objects, name + HEAD_SUFFIX, self._place, kind.command)
        self._seen = machine_head(machine, self._place, kind.command) if machine else None

    def entries(self, *, checked: bool = True) -> list[Entry]:
        """Return every entry, oldest first."""
        # heads first: the history may grow in the meantime, and never shrinks
        heads = self._heads() if checked else []
        found = self._objects.get(self._name)
        written = whole_lines(found.data) if found else b""
        entries = parsed(written, self._place, self._kind)
        if checked:
            require_unchanged(written, entries, heads, self._place, self._kind)
            note_seen(self._seen, written)
        return entries

    def append(self, decide: Decide) -> list[Entry]:
        """Append what is decided, from the entries of the very object that is replaced.

        If somebody else was faster, it is decided again. A write whose answer was lost looks just
        so, which is why each entry has an id.

        Raises:
            DigitflowError: others were faster each time.
        """

        def decided(written: bytes, heads: list[Head]) -> Iterable[Mapping[str, Any]]:
            entries = parsed(written, self._place, self._kind)
            require_unchanged(written, entries, heads, self._place, self._kind)
            return decide(entries)

        return self._appended(decided)

    def accept(self, facts: Mapping[str, Any]) -> Entry:
        """Append an entry that takes the place of what was known."""
        keepers = [keeper for keeper in (self._beside, self._seen) if keeper]
        return self._appended(
            lambda written, _: [acceptance(written, keepers, self._place, self._kind, facts)],
            accepting=True,
        )[0]

    def _appended(
        self,
        decided: Callable[[bytes, list[Head]], Iterable[Mapping[str, Any]]],
        *,
        accepting: bool = False,
    ) -> list[Entry]:
        self._objects.require_conditions()
        tried: list[list[Entry]] = []
        for attempt in range(ATTEMPTS):
            heads = [] if accepting else self._heads()
            found = self._objects.get(self._name)
            written = whole_lines(found.data) if found else b""
            known = {entry.get("id") for entry in parsed(written, self._place, self._kind)}
            for ours in tried:
                if ours[0]["id"] in known:
                    return ours
            added = list(chained(written, signed(decided(written, heads))))
            if not added:
                return []
            longer = written + lines(added)
            try:
                self._objects.put(self._name, longer, instead_of=found.etag if found else None)
            except Conflict:
                tried.append(added)
                time.sleep(random.uniform(0, min(0.02 * 2**attempt, LONGEST_PAUSE)))  # noqa: S311 - to get out of step
                continue
            self._beside.write(Head.of(longer), shorter=accepting)
            note_seen(self._seen, longer)
            return added
        raise DigitflowError(
            f"{self._place}: other writers were faster {ATTEMPTS} times, nothing was written: try "
            "again"
        )

    def _heads(self) -> list[Head]:
        found = [keeper.read() for keeper in (self._beside, self._seen) if keeper]
        return [head for head in found if head]


class HeadObject:
    """A head in a bucket, beside its history."""

    def __init__(self, objects: Objects, name: str, history: str, command: str) -> None:
        """Take where it is, of which history it is, and the command that accepts another one."""
        self._objects, self._name = objects, name
        self._history, self._command = history, command

    def read(self) -> Head | None:
        """Return the head, or None if none was written yet."""
        found = self._objects.get(self._name)
        place = f"{self._objects.url}/{self._name}"
        return Head.parsed(found.data, place, self._command) if found else None

    def write(self, head: Head, *, shorter: bool = False) -> None:
        """Replace the head by a longer one; `shorter`: by any.

        Who was faster has written that of the same history with as much or more at its end. A head
        that stays behind its history is right all the same, and the next entry takes it further.
        """
        found = self._objects.get(self._name)
        if found and not shorter:
            there = Head.parsed(found.data, self._name, self._command)
            if there.size >= head.size:
                return
        data = head.to_json(self._history).encode()
        try:
            self._objects.put(self._name, data, instead_of=found.etag if found else None)
        except Conflict:
            return
