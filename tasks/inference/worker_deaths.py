"""Who is to blame when workers that read a batch of files end: a file, the model, or nobody."""

from tasks.errors import ModelError
from tasks.inference.batch import Earlier
from tasks.inference.worker import NETWORK, TOGETHER, Start
from tasks.processes.deaths import Deaths
from tasks.processes.watched_process import ProcessDied

DEATHS_IN_NETWORK = 2  # by its time limit: the first can be anybody's fault


class WorkerDeaths(Deaths):
    """What ended the workers that were to read one batch."""

    def __init__(self, start: Start) -> None:
        """Begin without any, of workers that are started so."""
        super().__init__(start.decode_timeout)
        self._start = start

    def count(self, died: ProcessDied, place: int) -> None:
        """Count a death; a file that caused too many is blamed.

        Raises:
            ModelError: the network does not come to an end.
            DigitflowError: workers die, and no file is at fault.
        """
        earlier = self.counts[place]
        if place == NETWORK and died.timed_out and earlier + 1 >= DEATHS_IN_NETWORK:
            raise ModelError(
                f"{self._start.model.place} does not answer within "
                f"{self._start.network_timeout:g} s, twice: read with another model"
            ) from died
        super().count(died, place)

    def where(self, place: int) -> str:
        """Return in words what a worker was at work on, where that was no file."""
        return "in the network" if place == NETWORK else super().where(place)

    def seen_from(self, at: int) -> Earlier:
        """Return what is known of the files of the batch from one on."""
        return Earlier(
            {place - at: why for place, why in self.blamed.items() if place >= at},
            frozenset(place - at for place in self.counts if place >= at),
            together=TOGETHER not in self.counts,
        )
