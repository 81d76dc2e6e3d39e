"""The Prefect server that is there already: that of `digitflow up`, or the configured one.

Nothing is started for it, and where there is none, Prefect, which costs two seconds, is not even
imported.
"""

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.server.defaults import prefect_home, set_defaults
from flows.server.server_process import Server, running_server
from flows.status.facts import Server as ServerFacts
from tasks.atomic import absolute
from tasks.errors import DigitflowError, error_text
from tasks.gc_control import uncollected
from tasks.holding.batches import Entry as BatchEntry
from tasks.progress import ProgressLog
from tasks.registry.catalog import registry
from tasks.storage.journal import Entry

ANSWER_S = 20.0  # a busy server is waited for, one that is gone for no longer
SAID = 200  # characters of an error
URL_SETTING = "PREFECT_API_URL"
WITHOUT_URL = ("ephemeral", "test")  # Prefect's own profiles that name no server


def asked_server() -> ServerFacts | None:
    """Return what the server knows, or what is wrong with it; None: there is none."""
    url = os.environ.get(URL_SETTING, "the Prefect server")
    try:
        with known_server() as known:
            if not known:
                return None
            from prefect.client.orchestration import get_client

            from flows.alerting.announce import server_facts, server_url

            url = server_url()
            with get_client(sync_client=True) as client:
                return server_facts(client)
    except Exception as error:  # whatever it is, the rest of the status holds without it
        return ServerFacts(url, trouble=error_text(error)[:SAID])


@contextmanager
def telling(log: ProgressLog, version: str | None = None) -> Iterator[None]:
    """Tell the server, if there is one, what was done to models in the block, whatever came of it.

    Args:
        log: is told where the server does not take it, which is no error.
        version: only what was done to this one is an event; by default what was done to any.
    """
    if running_server() is None and not perhaps_configured():
        yield
        return
    before = _history()
    try:
        yield
    finally:
        now = _history()
        if now != before:
            news = [entry for entry in now[len(before) :] if version in (None, entry["version"])]
            _tell(news, log)


def tell_decision(entry: BatchEntry, log: ProgressLog) -> None:
    """Tell the server, if there is one, that a person has released or dropped a batch."""

    def announce() -> None:
        from flows.alerting.announce import announce_decision

        announce_decision(entry, log)

    _told(announce, log)


def _tell(news: list[Entry], log: ProgressLog) -> None:
    def announce() -> None:
        from flows.alerting.announce import announce_models

        announce_models(news, log)

    _told(announce, log)


def _told(announce: Callable[[], None], log: ProgressLog) -> None:
    try:
        with known_server() as known:
            if known:
                announce()
    except Exception as error:  # what was to be done is done
        log.log("Status", f"the Prefect server was not told: {error_text(error)[:SAID]}")


def _history() -> list[Entry]:
    try:
        return registry().history(checked=False)
    except (DigitflowError, OSError):  # the command itself says so
        return []


@contextmanager
def known_server() -> Iterator[bool]:
    """Let Prefect's clients talk to the server that is there, and tell whether one is.

    Raises:
        DigitflowError: Prefect could keep no state, or its settings are wrong.
    """
    if running_server() is None and not perhaps_configured():
        yield False
        return
    set_defaults()
    with uncollected():
        from prefect.settings import (
            PREFECT_API_REQUEST_TIMEOUT,
            PREFECT_API_URL,
            PREFECT_CLIENT_MAX_RETRIES,
            temporary_settings,
        )

    configured = PREFECT_API_URL.value()
    ours = ours_in_use(configured)
    at_once = {PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: ANSWER_S}
    with talking_to(ours), temporary_settings(at_once):
        yield ours is not None or configured is not None


def ours_in_use(configured: str | None) -> Server | None:
    """Return the server of `digitflow up`, None where another is configured or none runs."""
    running = running_server()
    same = running is not None and (configured or running.api_url).rstrip("/") == running.api_url
    return running if same else None


@contextmanager
def talking_to(ours: Server | None) -> Iterator[None]:
    """Let Prefect's clients talk to a server of ours; None: to the one that is configured.

    The login of a server goes to that server alone: ours to ours, the user's own to the user's.
    """
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    settings = {PREFECT_API_URL: ours.api_url, PREFECT_API_AUTH_STRING: ours.login} if ours else {}
    with temporary_settings(settings):
        yield


def perhaps_configured() -> bool:
    """Tell whether Prefect may be told of a server: by a variable, its profile, or a file here.

    Where that is so, Prefect itself is asked, which may then know of none after all.
    """
    if os.environ.get(URL_SETTING):
        return True
    project = {"prefect.toml": "url", "pyproject.toml": "tool.prefect", ".env": URL_SETTING}
    return _profile_names_one() or any(sign in _text(Path(name)) for name, sign in project.items())


def _profile_names_one() -> bool:
    usual = str(prefect_home() / "profiles.toml")
    file = absolute(os.environ.get("PREFECT_PROFILES_PATH") or usual)
    try:
        said = tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError:
        return True
    profiles, active = said.get("profiles", {}), os.environ.get("PREFECT_PROFILE")
    active = active or said.get("active")
    if active in profiles:
        return URL_SETTING in profiles[active]
    return active is not None and active not in WITHOUT_URL


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
