"""What is quarantined when workers that read a batch die: a file, the model, or nothing."""

from tasks.errors import ModelError
from tasks.inference.batch import PriorAttempts
from tasks.inference.worker import NETWORK, TOGETHER, WorkerStart
from tasks.processes.deaths import Deaths
from tasks.processes.watched_process import ProcessDied

DEATHS_IN_NETWORK = 2  # by its time limit: the first can be anybody's fault


class WorkerDeaths(Deaths):
    """What ended the workers that were to read one batch."""

    def __init__(self, start: WorkerStart) -> None:
        """Begin without any, of workers that are started so."""
        super().__init__(start.decode_timeout)
        self._start = start

    def count(self, died: ProcessDied, item: int) -> None:
        """Count a death; a file that caused too many is quarantined.

        Raises:
            ModelError: the network does not come to an end.
            DigitflowError: workers die, and no file is at fault.
        """
        earlier = self.counts[item]
        if item == NETWORK and died.timed_out and earlier + 1 >= DEATHS_IN_NETWORK:
            raise ModelError(
                f"{self._start.model.location} does not answer within "
                f"{self._start.network_timeout:g} s, twice: read with another model"
            ) from died
        super().count(died, item)

    def where(self, item: int) -> str:
        """Return in words what a worker was at work on, where that was no file."""
        return "in the network" if item == NETWORK else super().where(item)

    def prior_attempts(self, at: int) -> PriorAttempts:
        """Return what is known of the files of the batch from number `at` on."""
        return PriorAttempts(
            {item - at: why for item, why in self.quarantined.items() if item >= at},
            frozenset(item - at for item in self.counts if item >= at),
            decode_together=TOGETHER not in self.counts,
        )
