"""Draws `.github/ui.png`: what Prefect's UI shows of the last inbox and of the last training.

    python -m tests.bench.ui_picture .github/ui.png

It looks at the server that `digitflow up` runs for this home, by headless Chromium: the list of
runs, the rejected pictures of the last reading, and the verdict on the last training.
"""

import argparse
import base64
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from flows.server.server_process import Server, running_server
from tests import chromium
from tests.prefect_api import Api

WINDOW = 1280  # px, of which the menu takes the left and facts about the artifact the right
LEFT, WIDTH = 260, 745  # px: what is between both
STRIPS = {"reading-report": ("Rejected: several_digits", 225), "verdict": ("Gate", 400)}
LIST_HEIGHT, LIST_WINDOW, LIST_LEFT = 225, 770, 10  # px; without a menu, as on a small screen
SETTLE_S = 2.0  # until a page has stopped to move
GAP = 14  # px between two parts

Pixels = NDArray[np.uint8]


def main() -> int:
    """Write the picture and return an exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("png", type=Path)
    png = parser.parse_args().png
    server = running_server()
    if server is None:
        print("no `digitflow up` runs for this home", file=sys.stderr)
        return 2
    with chromium.led(server.login) as page:
        login(page, server)
        parts = [list_of_runs(page, server)]
        parts += [part_of(page, server, key, *where) for key, where in STRIPS.items()]
    space = np.full((GAP, WIDTH, 3), 255, np.uint8)
    rows = [row for part in parts for row in (part, space)][:-1]
    cv2.imwrite(str(png), np.concatenate(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{png}: {png.stat().st_size / 1000:.0f} KB")
    return 0


def login(page: chromium.Page, server: Server) -> None:
    """Let the page be one that has logged in, in light colours."""
    page.look(WINDOW, 900)
    page.open(server.url, "Login")
    known = base64.b64encode(str(server.login).encode()).decode()
    page.run(f"localStorage.setItem('prefect-password', '{known}')")
    page.run("localStorage.setItem('color-scheme', '\"light\"')")


def list_of_runs(page: chromium.Page, server: Server) -> Pixels:
    """Return the two newest runs of the list."""
    page.look(LIST_WINDOW, 1400)
    page.open(f"{server.url}/runs", "for review", "train: ", "Task runs")
    time.sleep(SETTLE_S)
    row = "document.querySelector('.flow-run-list-item').getBoundingClientRect().top"
    return clipped(page, page.run(row) - 8, LIST_HEIGHT, LIST_LEFT)


def part_of(page: chromium.Page, server: Server, key: str, title: str, height: int) -> Pixels:
    """Return a part of the newest artifact of a kind, from one of its headings on."""
    wanted = {"artifacts": {"key": {"any_": [key]}}, "limit": 200}
    found: list[dict[str, Any]] = Api(server.api_url, server.login).post(
        "/artifacts/filter", wanted
    )
    newest = max(found, key=lambda each: str(each["created"]))
    page.look(WINDOW, 1400)
    page.open(f"{server.url}/artifacts/artifact/{newest['id']}", title)
    heading = f"[...document.querySelectorAll('h1, h2')].find(e => e.innerText === '{title}')"
    page.run(f"{heading}.scrollIntoView()")
    time.sleep(SETTLE_S)
    return clipped(page, page.run(f"{heading}.getBoundingClientRect().top") - 8, height)


def clipped(page: chromium.Page, top: float, height: int, left: int = LEFT) -> Pixels:
    """Return what the window shows of the middle column, from so far down."""
    picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    start = max(0, round(top))
    return np.asarray(picture[start : start + height, left : left + WIDTH], np.uint8)


if __name__ == "__main__":
    sys.exit(main())
