"""Time and peak memory of listing 10,000, 100,000 and 1,000,000 files, each in its own process.

python -m tests.bench.listing [COUNT ...]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tasks.inputs.listing import discover
from tasks.inputs.open import open_inputs

COUNTS = [10_000, 100_000, 1_000_000]
PER_FOLDER = 1_000


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("counts", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--list", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list:
        list_once(options.list)
        return
    print(f"{'files':>9}  {'seconds':>8}  {'us a file':>9}  {'peak MB':>8}")
    for count in options.counts:
        with tempfile.TemporaryDirectory() as folder:
            make_files(Path(folder), count)
            command = [sys.executable, "-m", "tests.bench.listing", "--list", folder]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, peak = map(float, answer.split())
        print(f"{count:>9,}  {seconds:>8.2f}  {seconds / count * 1e6:>9.1f}  {peak:>8.0f}")


def make_files(folder: Path, count: int) -> None:
    """Make so many empty files, a thousand in each folder."""
    for number in range(count):
        below = folder / f"{number // PER_FOLDER:04}"
        if number % PER_FOLDER == 0:
            below.mkdir()
        (below / f"picture-{number:07}.png").touch()


def list_once(folder: str) -> None:
    """Print the seconds that listing a folder takes, and the peak memory of this process."""
    with tempfile.TemporaryDirectory() as beside:
        begun = time.perf_counter()
        discover(open_inputs(folder), Path(beside) / "listing.parquet")
        seconds = time.perf_counter() - begun
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
