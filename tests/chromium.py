"""Chromium without a window: for pages that try what pages may, and to look as a person does."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
]

PATIENCE_S = 90.0  # for a page to show something


def installed() -> str | None:
    """Return the command of the browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def visiting(url: str) -> Iterator[None]:
    """Keep a page open, whose scripts run meanwhile."""
    with _profile() as options:
        process = subprocess.Popen([*options, url], stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def shown(url: str, *more: str) -> str:
    """Return a page once it is loaded, as HTML."""
    with _profile() as options:
        command = [*options, *more, "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout


class Page:
    """A page that is led from place to place by the protocol of the browser's own tools."""

    def __init__(self, tools: ClientConnection, login: str | None) -> None:
        """Watch what the page asks for.

        Args:
            tools: of this page.
            login: user:password, which is typed where the browser asks for one.
        """
        self._tools, self._login, self._sent = tools, login, 0
        self.asked: list[str] = []  # addresses
        self.call("Page.enable")
        self.call("Network.enable")
        self.call("Fetch.enable", handleAuthRequests=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what a command answers; what happens meanwhile is dealt with."""
        number = self._send(method, parameters)
        while True:
            said = json.loads(self._tools.recv(timeout=PATIENCE_S))
            if said.get("id") == number:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                result: dict[str, Any] = said["result"]
                return result
            self._happened(said.get("method"), said.get("params", {}))

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        self._tools.send(json.dumps(message))
        return self._sent

    def _happened(self, what: str | None, facts: dict[str, Any]) -> None:
        if what == "Network.requestWillBeSent":
            self.asked.append(facts["request"]["url"])
        elif what == "Fetch.requestPaused":
            self._send("Fetch.continueRequest", {"requestId": facts["requestId"]})
        elif what == "Fetch.authRequired":
            user, _, password = (self._login or "").partition(":")
            typed = {"response": "ProvideCredentials", "username": user, "password": password}
            answer = typed if self._login else {"response": "CancelAuth"}
            ask = {"requestId": facts["requestId"], "authChallengeResponse": answer}
            self._send("Fetch.continueWithAuth", ask)

    def run(self, script: str) -> Any:
        """Return what JavaScript in the page comes to."""
        done = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(str(done["exceptionDetails"]))
        return done["result"].get("value")

    def open(self, url: str, *words: str) -> str:
        """Go somewhere, and return the text of that page once it shows the words."""
        self.call("Page.navigate", url=url)
        return self.text(*words)

    def text(self, *words: str) -> str:
        """Return the text that a person sees, once all of the words are in it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            seen = str(self.run("document.body ? document.body.innerText : ''"))
            if all(word in seen for word in words):
                return seen
            if time.monotonic() > deadline:
                raise TimeoutError(f"{words} not in:\n{seen[:2000]}")
            time.sleep(0.1)

    def click(self, words: str) -> None:
        """Click on the innermost thing that shows just these words, once it is there."""
        found = (
            f"[...document.querySelectorAll('body *')].findLast("
            f"each => each.innerText?.trim() === {json.dumps(words)})"
        )
        deadline = time.monotonic() + PATIENCE_S
        while not self.run(f"Boolean({found})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing shows {words!r} alone:\n{self.text()[:2000]}")
            time.sleep(0.1)
        self.run(f"{found}.click()")

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the window a size in px, and its user a taste."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self) -> bytes:
        """Return what is in the window, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def led(login: str | None = None) -> Iterator[Page]:
    """Open the browser at an empty page, and lead it."""
    with _profile() as options:
        profile = next(each for each in options if each.startswith("--user-data-dir="))
        note = Path(profile.partition("=")[2]) / "DevToolsActivePort"
        process = subprocess.Popen(
            [*options, "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_tools_of_a_page(note), max_size=None) as tools:
                yield Page(tools, login)
        finally:
            process.terminate()
            process.wait(30)


def _tools_of_a_page(note: Path) -> str:
    """Return the address of the tools of the only page, once the browser has noted its port."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if note.exists() and (lines := note.read_text().splitlines()):
            with direct.open(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
                pages = [each for each in json.load(answer) if each["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise TimeoutError("the browser has no page")


@contextmanager
def _profile() -> Iterator[list[str]]:
    browser = installed()
    if browser is None:
        raise FileNotFoundError("no Chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        yield [browser, *QUIET, f"--user-data-dir={profile}"]
