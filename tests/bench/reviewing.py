"""How long the page of review takes from a key to the next picture, in Chromium.

    python -m tests.bench.reviewing [--pictures 200] [--pause 0.3]

Bars of 28x28 px are confirmed and corrected by keys, each some time after it is shown. The time is
the page's own, from the key until the next picture can be answered; in it the answer is written to
the disk. The server's is that of its answer alone.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import chromium
from tests.flows.review.person import Person, key_for
from tests.flows.review.serving import serving
from tests.flows.review.waiting_pictures import bars_in, waits

TIMES = {
    "from the key to the next picture": "performance.getEntriesByName('answer')"
    ".map(each => each.duration)",
    "of these, the server's answer": "performance.getEntriesByType('resource')"
    ".filter(each => each.name.endsWith('/api/answer'))"
    ".map(each => each.responseStart - each.requestStart)",
    "a picture, loaded ahead": "performance.getEntriesByType('resource')"
    ".filter(each => each.name.includes('/picture/')).map(each => each.duration)",
}
SHARES = (0.5, 0.95, 0.99)


def measure(home: Path, pictures: int, pause: float) -> dict[str, list[float]]:
    """Return the times in ms, in order."""
    waits(str(home / "results"), home / "scans", bars_in(home / "scans", pictures))
    os.environ["DIGITFLOW_HOME"] = str(home)
    with serving() as server, chromium.led() as page:
        person = Person(page, server)
        while path := person.next():
            time.sleep(pause)
            person.press(key_for(path))
            gone = f"document.getElementById('path').textContent !== '{path}'"
            person.until(f"{gone} || !document.getElementById('done').hidden")
        return {name: sorted(page.run(script)) for name, script in TIMES.items()}


def main() -> None:
    """Print a row for each time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.3, help="seconds before each key")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), asked.pictures, asked.pause)
    table = Table("ms", *(f"{share:.0%}" for share in SHARES))
    for name, times in found.items():
        cells = (f"{times[int(share * (len(times) - 1))]:.1f}" for share in SHARES)
        table.add_row(name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
