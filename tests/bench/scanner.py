"""A scanner that fills an inbox as people and devices do: one by one, in bursts, and slowly."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.bars import bar, encoded, encoded_once

STEADY_S, BURST_S, GROWING_S = 7.0, 45.0, 60.0  # between two of a kind
BURST = 200  # files
PART_S, PARTS = 1.0, 25  # of a file that grows


class Scanner:
    """Writes pictures of bars into a folder; `written` has the digit of each whole file by name."""

    def __init__(self, folder: Path) -> None:
        """Write nothing yet."""
        self.written: dict[str, int] = {}
        self._folder, self._over = folder, threading.Event()

    @contextmanager
    def scanning(self) -> Iterator[None]:
        """Write until the block ends, and finish every file that was begun."""
        kinds = [(self._one, STEADY_S), (self._burst, BURST_S), (self._growing, GROWING_S)]
        threads = [threading.Thread(target=self._again, args=kind) for kind in kinds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _again(self, write: Callable[[int], None], pause: float) -> None:
        number = 0
        began = time.monotonic()
        while not self._over.wait(max(0.0, began + number * pause - time.monotonic())):
            write(number)
            number += 1

    def _one(self, number: int) -> None:
        self._write(f"one-{number:05}.png", number % 10, number)

    def _burst(self, number: int) -> None:
        for at in range(BURST):
            self._write(f"burst-{number:04}-{at:03}.png", at % 10, -1 - number * BURST - at)

    def _growing(self, number: int) -> None:
        """Write a file part by part; without its last part it is no whole picture."""
        name, digit = f"growing-{number:04}.bmp", number % 10
        content = np.frombuffer(encoded(bar(digit), "BMP"), np.uint8)
        with (self._folder / name).open("wb") as file:
            for part in np.array_split(content, PARTS):
                file.write(part.tobytes())
                file.flush()
                time.sleep(PART_S)
        self.written[name] = digit

    def _write(self, name: str, digit: int, number: int) -> None:
        (self._folder / name).write_bytes(encoded_once(bar(digit), number))
        self.written[name] = digit
