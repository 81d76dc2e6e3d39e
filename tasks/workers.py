"""A shard spread over processes that each hold the model, or read in this process if small."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType

import cv2
import pyarrow as pa

from tasks.device import Device, usable_cores
from tasks.discover import Shard
from tasks.errors import DigitflowError
from tasks.reader import Reader
from tasks.shard import ReadPlan, read_stretch

STRETCH = 512  # files that a process reads in one go
WORTH_A_PROCESS = 1_500  # files; starting a process costs what reading so many does

_reader: Reader  # of a worker process, loaded when it starts


class Workers:
    """The processes of one run; with one worker the pictures are read in this process."""

    def __init__(
        self, plan: ReadPlan, model: Path, device: Device, files: int, workers: int
    ) -> None:
        """Load the model here, to find any trouble early, and start processes if they pay.

        Args:
            plan: what every shard has to know.
            model: the ONNX file.
            device: where the network runs.
            files: how many files the run has.
            workers: how many processes; 0 finds out by the cores and the number of files.
        """
        self.plan, self.stretch = plan, STRETCH
        self.count = workers or max(1, min(usable_cores(), files // WORTH_A_PROCESS))
        threads = usable_cores() if self.count == 1 else 1
        self.reader = Reader(model, device, threads)
        self._pool: ProcessPoolExecutor | None = None
        if self.count > 1:
            # spawn: a forked copy of ONNX Runtime's or CUDA's threads hangs
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, context, _start, (model, device))
        else:
            cv2.setNumThreads(1)

    def __enter__(self) -> "Workers":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the processes; what they have not begun is dropped."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def read(self, shard: Shard) -> Iterator[pa.Table]:
        """Yield the rows of a shard, a stretch at a time, in the order of the listing.

        Raises:
            DigitflowError: a process died; nothing of this shard was committed.
        """
        starts = range(shard.start, shard.stop, STRETCH)
        stretches = [(start, min(start + STRETCH, shard.stop)) for start in starts]
        if self._pool is None:
            for start, stop in stretches:
                yield read_stretch(self.plan, start, stop, self.reader)
            return
        try:
            futures = [self._pool.submit(_read, self.plan, *stretch) for stretch in stretches]
            for future in futures:
                yield future.result()
        except BrokenProcessPool as error:
            raise DigitflowError(
                f"a process that was reading files {shard.start} to {shard.stop} died; what was "
                "committed before is safe, run the command again"
            ) from error


def _start(model: Path, device: Device) -> None:
    global _reader  # noqa: PLW0603 - one model for the life of a worker process
    cv2.setNumThreads(1)
    _reader = Reader(model, device)


def _read(plan: ReadPlan, start: int, stop: int) -> pa.Table:
    return read_stretch(plan, start, stop, _reader)
