"""A person at the page of review, in a real browser."""

import time
from pathlib import Path

from tests import chromium
from tests.flows.review.serving import Serving

PATIENCE_S = 60.0


class Person:
    """A browser with the page, and who presses its keys."""

    def __init__(self, page: chromium.Page, server: Serving) -> None:
        """Open the page."""
        self.page, self.server = page, server
        page.call("Fetch.disable")  # each request would wait for this process
        page.open(server.url, "What the model sees")

    def press(self, key: str) -> None:
        """Press a key, as a keyboard does."""
        code = {"Enter": 13, " ": 32, "Backspace": 8}.get(key, ord(key[0].upper()))
        typed = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or code == 13 else {}
        facts = {"key": key, "windowsVirtualKeyCode": code}
        self.page.call("Input.dispatchKeyEvent", type="keyDown", **facts, **typed)
        self.page.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def seen(self) -> str:
        """Return the path of the picture that can be answered, or nothing."""
        ready = "shown && !busy ? document.getElementById('path').textContent : ''"
        return str(self.page.run(ready))

    def until(self, script: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.page.run(f"Boolean({script})"):
            assert time.monotonic() < deadline, script + self.page.text()
            time.sleep(0.01)

    def next(self) -> str:
        """Return the path of the next picture, once it is shown; nothing where all is done."""
        self.until("!busy && (shown || !document.getElementById('done').hidden)")
        return self.seen()


def key_for(path: str) -> str:
    """Return what is pressed at a picture: most are corrected, some confirmed, or no digit."""
    number = int(Path(path).stem)
    if number % 10 == 3:
        return "n" if number % 20 == 3 else "m"
    return ("Enter" if number % 20 == 4 else " ") if number % 10 == 4 else str(number % 10)
