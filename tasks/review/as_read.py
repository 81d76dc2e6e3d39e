"""Files as they were when their rows were made, wherever they lie by now.

A file that has changed since is another picture, of which nobody may answer. One that an inbox has
moved is looked for where it went.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tasks.errors import DigitflowError
from tasks.inputs.base import Content, Inputs, unprintable
from tasks.inputs.local import ARRIVAL, read_file
from tasks.inputs.open import open_inputs
from tasks.outcomes import DELETED, Reason, Undecodable

MOST_OF_A_NAME = 1_000  # files that were moved to names that differ by a number alone


@dataclass(frozen=True)
class PageAsRead:
    """A page of a file, as its row has it."""

    root: str
    path: str
    page: int
    content_hash: str | None
    original: str | None  # what became of the file


class FilesAsRead:
    """Files of one root, by their paths; it is pickled to the processes that decode."""

    def __init__(self, inputs: Inputs, files: Mapping[bytes, PageAsRead]) -> None:
        """Take where the files lie, as long as they were not moved, and a page of each."""
        self._inputs, self._files = inputs, files

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each file or why it cannot be read, in order."""
        for path in paths:
            file = self._files[path]
            try:
                yield _as_read(file, self._inputs.read(path))
            except Undecodable as error:
                moved = _moved(file)
                yield error if moved is None else moved


def inputs_of(root: str) -> Inputs:
    """Return where the files of a root lie, as it stands in rows.

    Raises:
        DigitflowError: it is out of reach, or not there any more.
    """
    if "://" in root:
        return open_inputs(root)
    folder = Path(os.fsdecode(unprintable(root)))
    if not os.path.lexists(folder):  # a glob or a list is none of these
        raise DigitflowError(f"{root} is not there any more")
    return open_inputs(str(folder))


def _as_read(page: PageAsRead, content: Content) -> Content:
    if hashlib.sha256(content.data).hexdigest() != page.content_hash:
        what = "the file has changed since it was read, and is read again by the next run"
        raise Undecodable(Reason.CHANGED, what)
    return content


def _moved(file: PageAsRead) -> Content | Undecodable | None:
    """Return a file that was moved, or deleted; None: it was not."""
    if file.original is None:
        return None
    if file.original == DELETED:
        return Undecodable(Reason.VANISHED, "the file was deleted once it was read")
    name = ARRIVAL.sub(b"", unprintable(file.path))
    plain = Path(os.fsdecode(os.path.join(unprintable(file.original), name)))  # noqa: PTH118
    for number in count(1):
        path = plain if number == 1 else plain.with_stem(f"{plain.stem}-{number}")
        if number > 1 and (number > MOST_OF_A_NAME or not os.path.lexists(path)):
            break
        try:
            return _as_read(file, read_file(os.fsencode(path)))
        except Undecodable:
            continue
    return Undecodable(Reason.VANISHED, f"the file is not in {file.original} any more")
