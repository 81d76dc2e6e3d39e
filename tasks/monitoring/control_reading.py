"""Control digits read by the code that reads folders; they are never among results."""

from collections.abc import Iterable, Iterator, Sequence

from tasks.inference.batch import NoWatchdog, ReadPlan, read_chunks
from tasks.inference.decision import Thresholds
from tasks.inference.session import ModelSession
from tasks.inputs.base import Content, Entry, Roots
from tasks.monitoring.batch_profile import Control
from tasks.monitoring.control_digits import ControlDigit
from tasks.outcomes import Status, Undecodable


class FilesInMemory:
    """Pictures that were drawn, as files to be read (see `Inputs`); they lie nowhere."""

    root = "drawn"
    empty: Sequence[str] = ()

    def __init__(self, files: Sequence[bytes]) -> None:
        """Take the content of the files; their paths are their numbers."""
        self._files = files

    @property
    def roots(self) -> Roots:
        """Return their only root."""
        return Roots((self.root,))

    def entries(self) -> Iterator[Entry]:
        """Yield all of them."""
        for number, data in enumerate(self._files):
            yield Entry(b"%d" % number, len(data), None)

    def read(self, path: bytes) -> Content:
        """Return one."""
        data = self._files[int(path)]
        return Content(data, len(data), None)

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield some of them."""
        yield from map(self.read, paths)


def read_control_digits(
    drawn: Sequence[ControlDigit], session: ModelSession, thresholds: Thresholds
) -> Control:
    """Read control digits by the code that reads folders, and count.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    if not drawn:
        return Control(drawn=0, right=0, read=0)
    files = FilesInMemory([each.data for each in drawn])
    plan = ReadPlan("control", files, thresholds)
    chunks = read_chunks(plan, list(files.entries()), session, NoWatchdog())
    rows = [row for chunk in chunks for row in chunk.rows.select(["digit", "status"]).to_pylist()]
    return Control(
        drawn=len(drawn),
        right=sum(row["digit"] == each.digit for row, each in zip(rows, drawn, strict=True)),
        read=sum(row["status"] == Status.READ for row in rows),
    )
