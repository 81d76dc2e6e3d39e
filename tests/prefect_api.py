"""Asks a Prefect server as a program of its user does: with login and CSRF token."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

CLIENT = "tests"


@contextmanager
def flows_run_on(url: str, login: str | None) -> Iterator[None]:
    """Let flows of this process run on a server until the block ends, and send it what they say.

    What sends events and logs is kept by Prefect for the process, whatever the server: left as it
    is, it would send those of later tests to this one, which is gone by then.
    """
    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: login}):
        try:
            yield
        finally:
            for worker in (APILogWorker, EventsWorker):
                worker.drain_all()


class Api:
    """The API of one server."""

    def __init__(self, url: str, login: str | None) -> None:
        """Ask nothing yet.

        Args:
            url: with `/api` at its end.
            login: user:password.
        """
        self.url = url
        self._headers = authorization(login) if login else {}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer; a locked database (503) is asked again."""
        if method != "GET" and "Prefect-Csrf-Token" not in self._headers:
            token = self.ask("GET", f"/csrf-token?client={CLIENT}")["token"]  # valid for an hour
            self._headers |= {"Prefect-Csrf-Client": CLIENT, "Prefect-Csrf-Token": token}
        for _ in range(20):
            answer = httpx.request(
                method, f"{self.url}{path}", json=body, headers=self._headers, timeout=60
            )
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def post(self, path: str, body: Any) -> Any:
        """Return what the server answers to a filter or a thing to make."""
        return self.ask("POST", path, body)


def authorization(login: str) -> dict[str, str]:
    """Return the header that logs in."""
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
