"""Chromium without a window, for pages that try what pages may try."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
]


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


@contextmanager
def _profile() -> Iterator[list[str]]:
    browser = installed()
    if browser is None:
        raise FileNotFoundError("no Chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        yield [browser, *QUIET, f"--user-data-dir={profile}"]
