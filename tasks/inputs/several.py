"""Several inputs read as one: each keeps its root, and a file that two of them reach is one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from tasks.inputs.base import Content, Entry, Inputs, Roots, unprintable
from tasks.inputs.list_file import ListFile
from tasks.inputs.name_index import occurrences
from tasks.outcomes import Undecodable


class Several(Inputs):
    """Inputs one after the other; a path begins with the number of its own."""

    def __init__(self, members: Sequence[Inputs]) -> None:
        """Take at least two, in the order in which they are read."""
        self.members = tuple(members)
        self.root = self.members[0].root
        self.empty: list[str] = []

    @property
    def roots(self) -> Roots:
        """Return the root of each."""
        return Roots(tuple(inputs.root for inputs in self.members))

    def entries(self) -> Iterator[Entry]:
        """Yield the files of all; of one that several reach, the first.

        Where that may be, all are listed twice, and 8 bytes a file are held meanwhile.
        """
        before = occurrences(name for name, _ in self._all()).before if self._may_meet() else None
        for name, entry in self._all():
            if before is None or not before(name):
                yield entry

    def read(self, path: bytes) -> Content:
        """Return a file; see the inputs it is from."""
        number, _, below = path.partition(b"/")
        return self.members[int(number)].read(below)

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield each file or why it cannot be read, in order; see the inputs it is from."""
        split = (path.partition(b"/") for path in paths)
        for number, parts in groupby(split, lambda parts: parts[0]):
            yield from self.members[int(number)].read_each(below for _, _, below in parts)

    def _all(self) -> Iterator[tuple[bytes, Entry]]:
        """Yield each file with its whole name, by which it is known wherever it is found."""
        self.empty = []
        for number, (base, inputs) in enumerate(zip(self._bases(), self.members, strict=True)):
            found = False
            for path, *facts in inputs.entries():
                found = True
                # a list may hold paths that are not below its own folder
                whole = path if path.startswith(b"/") and base.startswith(b"/") else base + path
                yield whole, Entry(b"%d/%s" % (number, path), *facts)
            if not found:
                self.empty.append(inputs.root)

    def _may_meet(self) -> bool:
        """Tell whether a file can be in two of them: one lies in another, or a list leads there."""
        bases = sorted(self._bases())
        within = any(after.startswith(base) for base, after in pairwise(bases))
        return within or any(isinstance(inputs, ListFile) for inputs in self.members)

    def _bases(self) -> list[bytes]:
        return [unprintable(inputs.root).rstrip(b"/") + b"/" for inputs in self.members]
