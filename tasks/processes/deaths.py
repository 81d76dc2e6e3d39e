"""Who is to blame when processes that were given files end: one of the files, or nobody."""

from collections import Counter

from tasks.errors import DigitflowError
from tasks.outcomes import Reason, Undecodable
from tasks.processes.watched_process import ProcessDied

DEATHS_OF_ONE_FILE = 2  # the first can be anybody's fault: an operator's kill, a full memory
DEATHS_OUTSIDE = 3  # of processes that were at work on no file


class Deaths:
    """What ended the processes that were to read some files."""

    def __init__(self, decode_timeout: float) -> None:
        """Begin without any; `decode_timeout`: seconds that one file may take."""
        self.decode_timeout = decode_timeout
        self.counts: Counter[int] = Counter()  # by the file's place, or by what else was noted
        self.blamed: dict[int, Undecodable] = {}  # by the file's place

    def count(self, died: ProcessDied, place: int) -> None:
        """Count a death; a file that caused too many is blamed.

        Args:
            died: the process.
            place: of the file that it was at work on, or what it noted where that was no file.

        Raises:
            DigitflowError: processes die, and no file is at fault.
        """
        self.counts[place] += 1
        if place >= 0:
            if self.counts[place] == DEATHS_OF_ONE_FILE:
                self.blamed[place] = self._blame(died)
        elif self.counts[place] == DEATHS_OUTSIDE:
            raise DigitflowError(
                f"{DEATHS_OUTSIDE} reading processes ended ({died.how}) {self.where(place)}: is "
                f"there enough memory? {died.said}"
            ) from died

    def where(self, place: int) -> str:
        """Return in words what a process was at work on, where that was no file."""
        return "outside of any picture"

    def _blame(self, died: ProcessDied) -> Undecodable:
        if died.timed_out:
            detail = f"longer than {self.decode_timeout:g} s, twice"
            return Undecodable(Reason.DECODER_TIMEOUT, detail)
        # a Python process that ends by itself has said why in its last line
        said = f": {died.said.splitlines()[-1]}" if died.failed and died.said else ""
        return Undecodable(Reason.DECODER_CRASHED, f"ended its process ({died.how}{said}), twice")
