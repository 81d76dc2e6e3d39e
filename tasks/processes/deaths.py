"""Who is to blame when processes that read a stretch of files end: a file, the model, or nobody."""

from collections import Counter

from tasks.errors import DigitflowError, ModelError
from tasks.imaging.decode import Undecodable
from tasks.inference.batch import Earlier
from tasks.inference.worker import NETWORK, TOGETHER, Start
from tasks.outcomes import Reason
from tasks.processes.watched_process import ProcessDied

DEATHS_OF_ONE_FILE = 2  # the first can be anybody's fault: an operator's kill, a full memory
DEATHS_IN_NETWORK = 2  # by its time limit, for the same reason
DEATHS_OUTSIDE = 3  # of processes that were at work on no file


class Deaths:
    """What ended the processes that were to read one stretch."""

    def __init__(self, start: Start) -> None:
        """Begin without any, of processes that are started so."""
        self._start = start
        self._counts: Counter[int] = Counter()  # by the file's place in the stretch, or the note
        self._blamed: dict[int, Undecodable] = {}

    def count(self, died: ProcessDied, at: int) -> None:
        """Count a death; a file that caused too many is blamed.

        Args:
            died: the file that it names counts from `at`.
            at: how many files of the stretch had been read when its process began.

        Raises:
            ModelError: the network does not come to an end.
            DigitflowError: processes die, and no file is at fault.
        """
        place = died.noted + at if died.noted >= 0 else died.noted
        self._counts[place] += 1
        deaths = self._counts[place]
        if place >= 0:
            if deaths == DEATHS_OF_ONE_FILE:
                self._blamed[place] = blame(died, self._start.decode_timeout)
        elif place == NETWORK and died.timed_out and deaths >= DEATHS_IN_NETWORK:
            raise ModelError(
                f"{self._start.model.place} does not answer within "
                f"{self._start.network_timeout:g} s, twice: read with another model"
            ) from died
        elif deaths == DEATHS_OUTSIDE:
            raise outside(died) from died

    def seen_from(self, at: int) -> Earlier:
        """Return what is known of the files of the stretch from one on."""
        return Earlier(
            {place - at: why for place, why in self._blamed.items() if place >= at},
            frozenset(place - at for place in self._counts if place >= at),
            together=TOGETHER not in self._counts,
        )


def blame(died: ProcessDied, limit: float) -> Undecodable:
    """Return why a file that ended two processes is not decoded; `limit`: seconds it had."""
    if died.timed_out:
        return Undecodable(Reason.DECODER_TIMEOUT, f"longer than {limit:g} s, twice")
    # a Python process that ends by itself has said why in its last line
    said = f": {died.said.splitlines()[-1]}" if died.failed and died.said else ""
    return Undecodable(Reason.DECODER_CRASHED, f"ended its process ({died.how}{said}), twice")


def outside(died: ProcessDied) -> DigitflowError:
    """Return the error of processes that end although no file is at fault."""
    where = "in the network" if died.noted == NETWORK else "outside of any picture"
    return DigitflowError(
        f"{DEATHS_OUTSIDE} reading processes ended ({died.how}) {where}: is there enough memory? "
        f"{died.said}"
    )
