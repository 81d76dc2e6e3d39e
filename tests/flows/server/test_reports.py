"""Reports of runs are shown to who has the login, and nothing else is, and nothing runs in them."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.server.guard import Guard
from flows.server.reports import Reports
from tasks.runs import REPORT_FILE, REPORTS_PATH, open_run
from tests.prefect_api import authorization

LOGIN = "digitflow:secret"
URL = "http://127.0.0.1:4200"


async def nothing(*_: object) -> None:
    raise AssertionError


def answer(home: Path, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Ask a guarded server of a home, whose own application answers nothing."""
    guarded: Any = Guard(nothing, [URL], reports=Reports(home, LOGIN))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(guarded)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.request(method, f"{REPORTS_PATH}{path}", headers=headers)

    return asyncio.run(ask())


@pytest.fixture
def run(home: Path) -> Path:
    """Return the folder of a run with a report and more."""
    folder = open_run("predict", home)
    (folder / REPORT_FILE).write_text("<h1>199 read</h1>")
    (folder / "summary.json").write_text("{}")
    (home / "login").write_text(LOGIN)
    return folder


def test_who_has_the_login_sees_the_report_in_which_nothing_can_run(home: Path, run: Path) -> None:
    shown = answer(home, run.name, **authorization(LOGIN))
    assert (shown.status_code, shown.text) == (200, "<h1>199 read</h1>")
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script" not in policy
    assert policy.endswith("sandbox")
    assert shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("login", [None, "", ":", "digitflow:", "digitflow:wrong", "x" * 5000])
def test_without_the_login_the_browser_is_told_to_ask_for_it(
    home: Path, run: Path, login: str | None
) -> None:
    headers = {} if login is None else authorization(login)
    refused = answer(home, run.name, **headers)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic ")


def test_what_is_no_basic_login_is_none(home: Path, run: Path) -> None:
    [known] = authorization(LOGIN).values()
    for header in (known.replace("Basic", "Bearer"), known[:-2], "Basic", "Basic =", "Basic é"):
        raw: Any = {"Authorization": header.encode("latin-1")}
        assert answer(home, run.name, **raw).status_code == 401
    assert answer(home, run.name, Authorization=known.replace("Basic", "basic")).is_success


TRAVERSALS = [
    *("..", "../", "../../login", "..%2f..%2flogin", "%2e%2e/%2e%2e/login", "//etc/passwd"),
    *("RUN/", "RUN/summary.json", "RUN/../RUN", "RUN%00", "RUN\n", "./RUN", "RUN/report.html"),
    *("", "predict", "predict-20261128-100319-zzzz", "predict-20261128-100319-7f02"),
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_nothing_but_reports_of_runs_is_shown(home: Path, run: Path, path: str) -> None:
    asked = path.replace("RUN", run.name).replace("\n", "%0a")
    scope_path = asked.replace("%2f", "/").replace("%2e", ".").replace("%00", "\0")
    shown: dict[str, Any] = {}

    async def send(message: Any) -> None:
        shown.setdefault(message["type"], message)

    async def ask() -> None:
        headers = [(b"authorization", authorization(LOGIN)["Authorization"].encode())]
        scope: Any = {"type": "http", "method": "GET", "headers": headers, "query_string": b""}
        paths = {"path": REPORTS_PATH + scope_path.replace("%0a", "\n"), "raw_path": b""}
        await Reports(home, LOGIN)(scope | paths, nothing, send)

    asyncio.run(ask())  # past every client, which would make the path a decent one
    assert shown["http.response.start"]["status"] == 404
    assert LOGIN.encode() not in shown["http.response.body"]["body"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_reports_can_only_be_read(home: Path, run: Path, method: str) -> None:
    assert answer(home, run.name, method, **authorization(LOGIN)).status_code == 405
    assert (run / REPORT_FILE).exists()


def test_the_guard_stands_in_front_of_reports_too(home: Path, run: Path) -> None:
    for header in ({"Host": "evil.test"}, {"Origin": "http://127.0.0.1:1"}):
        assert answer(home, run.name, **header, **authorization(LOGIN)).status_code in (400, 403)


def test_a_server_that_asks_nobody_asks_nobody_for_reports(home: Path, run: Path) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Reports(home, None))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.get(REPORTS_PATH + run.name)

    assert asyncio.run(ask()).is_success
