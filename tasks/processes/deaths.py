"""Which file is quarantined when processes that were given files die: one, or none."""

from collections import Counter

from tasks.errors import DigitflowError
from tasks.outcomes import Reason, Undecodable
from tasks.processes.watched_process import ProcessDied

DEATHS_OF_ONE_FILE = 2  # the first can be anybody's fault: an operator's kill, a full memory
DEATHS_OUTSIDE = 3  # of processes that were at work on no file


class Deaths:
    """What ended the processes that were to read some files."""

    def __init__(self, decode_timeout: float) -> None:
        """Begin without any; `decode_timeout`: seconds that one page may take."""
        self.decode_timeout = decode_timeout
        self.counts: Counter[int] = Counter()  # by item: a file's number, or what else was marked
        self.quarantined: dict[int, Undecodable] = {}  # by the file's number

    def count(self, died: ProcessDied, item: int) -> None:
        """Count a death; a file that caused too many is quarantined.

        Args:
            died: the process.
            item: number of the file that it was at work on, or what it marked where that was none.

        Raises:
            DigitflowError: processes die, and no file is at fault.
        """
        self.counts[item] += 1
        if item >= 0:
            if self.counts[item] == DEATHS_OF_ONE_FILE:
                self.quarantined[item] = self._error_of(died)
        elif self.counts[item] == DEATHS_OUTSIDE:
            raise DigitflowError(
                f"{DEATHS_OUTSIDE} processes ended ({died.how}) {self.where(item)}: is "
                f"there enough memory? {died.output}"
            ) from died

    def where(self, item: int) -> str:
        """Return in words what a process was at work on, where that was no file."""
        return "outside of any picture"

    def _error_of(self, died: ProcessDied) -> Undecodable:
        if died.timed_out:
            detail = f"longer than {self.decode_timeout:g} s, twice"
            return Undecodable(Reason.DECODER_TIMEOUT, detail)
        # a Python process that ends by itself has said why in its last line
        last_line = f": {died.output.splitlines()[-1]}" if died.failed and died.output else ""
        return Undecodable(
            Reason.DECODER_CRASHED, f"ended its process ({died.how}{last_line}), twice"
        )
