"""A history as one object of a bucket, which is replaced by itself with more lines at its end."""

import random
import time

from tasks.errors import DigitflowError
from tasks.history import Decide, Entry, lines, parsed, signed, whole_lines
from tasks.objects import Conflict, Objects

ATTEMPTS = 50  # to append before others do
LONGEST_PAUSE = 1.0  # seconds between two


class BucketHistory:
    """Entries that several machines add to: each addition is a condition on what was there."""

    def __init__(self, objects: Objects, name: str) -> None:
        """Take where the object is, and its name."""
        self._objects, self._name = objects, name
        self._place = f"{objects.url}/{name}"

    def entries(self) -> list[Entry]:
        """Return every entry, oldest first."""
        found = self._objects.get(self._name)
        return parsed(found.data, self._place) if found else []

    def append(self, decide: Decide) -> list[Entry]:
        """Append what is decided, from the entries of the very object that is replaced.

        If somebody else was faster, it is decided anew. A write whose answer was lost looks just
        so, which is why each entry has an id.

        Raises:
            DigitflowError: others were faster each time.
        """
        self._objects.require_conditions()
        tried: list[list[Entry]] = []
        for attempt in range(ATTEMPTS):
            found = self._objects.get(self._name)
            written = found.data if found else b""
            before = parsed(written, self._place)
            known = {entry.get("id") for entry in before}
            for ours in tried:
                if ours[0]["id"] in known:
                    return ours
            added = signed(decide(before))
            if not added:
                return []
            longer = whole_lines(written) + lines(added)
            try:
                self._objects.put(self._name, longer, instead_of=found.etag if found else None)
            except Conflict:
                tried.append(added)
                time.sleep(random.uniform(0, min(0.02 * 2**attempt, LONGEST_PAUSE)))  # noqa: S311 - to get out of step
                continue
            return added
        raise DigitflowError(
            f"{self._place}: other writers were faster {ATTEMPTS} times, nothing was written: try "
            "again"
        )
