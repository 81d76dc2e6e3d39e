"""Our servers answer their user alone: no page, no other name, nobody without the login."""

import http.server
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from flows.cli.commands import Up
from flows.server.credentials import new_login
from flows.server.defaults import DEFAULTS
from flows.server.guard import Guard
from flows.server.server_process import (
    Server,
    listening_socket,
    start_server,
    stop,
    wait_until_it_answers,
)
from tests import chromium
from tests.helpers import free_port
from tests.prefect_api import Api, authorization

pytestmark = [pytest.mark.slow, pytest.mark.server]

START_S, VISIT_S = 150.0, 60.0
SOCKETS = ["events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled"]
browser = pytest.mark.skipif(not chromium.installed(), reason="no Chromium on this machine")
PAGE = """<!doctype html><title>a page</title>
<form id="form" method="post" enctype="text/plain" target="frame" action="SERVER/api/flows/">
<input name='{"name": "by-form", "tags": ["' value='"]}'></form>
<iframe name="frame"></iframe>
<script>
// without a type of its own, which Prefect takes for JSON, and browsers for harmless
const flow = name => ({method: "POST", body: new Blob([JSON.stringify({name})])});
const json = {"content-type": "application/json"};
const tries = {
  read: async () => (await fetch("SERVER/api/flows/filter", {method: "POST"})).text(),
  settings: async () => (await fetch("SERVER/api/admin/settings")).text(),
  simple: async () => (await fetch("SERVER/api/flows/", flow("by-simple"))).text(),
  opaque: async () => {
    await fetch("SERVER/api/flows/", {...flow("by-opaque"), mode: "no-cors"}); throw "sent"; },
  json: async () =>
    (await fetch("SERVER/api/flows/", {...flow("by-json"), headers: json})).text(),
};
for (const path of SOCKETS) tries[path] = () => new Promise((yes, no) => {
  const socket = new WebSocket("SERVER/api/".replace("http", "ws") + path, ["prefect"]);
  socket.onopen = () => yes("open"); socket.onerror = () => no("refused"); });
(async () => {
  const got = {};
  for (const [name, attempt] of Object.entries(tries))
    try { got[name] = await attempt() } catch (error) { console.log(name, error) }
  document.querySelector("form").submit();
  await new Promise(done => {
    document.querySelector("iframe").onload = done; setTimeout(done, 5000); });
  fetch("/got", {method: "POST", body: JSON.stringify(got)});
})();
</script>"""


@contextmanager
def serving(home: Path, login: str | None) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """Start a server as `digitflow` does."""
    home.mkdir()
    listening = listening_socket(0)
    server = Server(listening.getsockname()[1], login)
    environment = {**os.environ, **DEFAULTS, "PREFECT_HOME": str(home)}
    with (home / "log").open("wb+") as log:
        with listening:
            process = start_server(server, listening, environment, log)
        try:
            wait_until_it_answers(server, process, START_S, log)
            yield server, process
        finally:
            stop(process)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded") / "home"


@pytest.fixture(scope="module")
def started(home: Path) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    with serving(home, new_login()) as both:
        yield both


@pytest.fixture
def guarded(started: tuple[Server, subprocess.Popen[bytes]]) -> Server:
    return started[0]


@pytest.fixture(scope="module")
def open_to_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with `--no-auth`: any user of the machine may use it, no page may."""
    with serving(tmp_path_factory.mktemp("open") / "home", None) as (server, _):
        yield server


@pytest.fixture(scope="module")
def prefects_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server as Prefect starts it, which lets every page in."""
    port, home = free_port(), tmp_path_factory.mktemp("prefects")
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
        env={**os.environ, **DEFAULTS, "PREFECT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        transport = httpx.HTTPTransport(retries=12)  # seconds add up to START_S
        with httpx.Client(transport=transport, timeout=START_S) as client:
            client.get(f"{url}/api/health").raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait()


def names_of_flows(server: Server) -> set[str]:
    return {flow["name"] for flow in Api(server.api_url, server.login).post("/flows/filter", {})}


def what_a_page_gets(url: str) -> dict[str, Any]:
    """Open a page of another origin, here another port, that tries all it can; return its loot."""
    page = PAGE.replace("SERVER", url).replace("SOCKETS", json.dumps(SOCKETS)).encode()
    loot: queue.Queue[bytes] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def do_POST(self) -> None:
            loot.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        with chromium.visiting(f"http://127.0.0.1:{pages.server_port}/"):
            got: dict[str, Any] = json.loads(loot.get(timeout=VISIT_S))
        pages.shutdown()
    return got


@pytest.mark.slow
@browser
def test_a_page_of_another_origin_gets_nothing_and_makes_nothing(guarded: Server) -> None:
    assert what_a_page_gets(guarded.url) == {}
    assert names_of_flows(guarded) == set()


@pytest.mark.slow
@browser
def test_without_login_too_a_page_gets_nothing_and_makes_nothing(open_to_users: Server) -> None:
    assert what_a_page_gets(open_to_users.url) == {}
    assert names_of_flows(open_to_users) == set()


@pytest.mark.slow
@browser
def test_the_page_does_get_in_where_nothing_is_guarded(prefects_own: str) -> None:
    assert {"read", "settings", "simple", "json", "events/out"} <= set(
        what_a_page_gets(prefects_own)
    )
    made = httpx.post(f"{prefects_own}/api/flows/filter", json={}).json()
    assert {"by-simple", "by-opaque", "by-json"} <= {flow["name"] for flow in made}


@pytest.mark.slow
@browser
def test_a_name_that_is_led_to_this_machine_is_no_name_of_the_server(guarded: Server) -> None:
    lead = "--host-resolver-rules=MAP evil.test 127.0.0.1"
    for path in ("", "/api/health", "/ui-settings"):
        shown = chromium.shown(f"http://evil.test:{guarded.port}{path}", lead)
        assert f"this server answers as {guarded.url}" in shown


HOSTS = ["evil.test", "evil.test:PORT", "127.0.0.1", "127.0.0.1:1", "localhost", "[::1]:PORT", ""]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/api/health", "/api/admin/version", "/", "/digitflow/proof"])
def test_it_answers_under_its_own_names_only(guarded: Server, host: str, path: str) -> None:
    named = {"Host": host.replace("PORT", str(guarded.port))}
    answer = httpx.get(f"{guarded.url}{path}", headers=named | authorization(str(guarded.login)))
    assert answer.status_code == httpx.codes.BAD_REQUEST


def test_it_answers_under_both_of_its_names(guarded: Server) -> None:
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        named = {"Host": f"{name}:{guarded.port}"}
        assert httpx.get(f"{guarded.api_url}/health", headers=named).status_code == httpx.codes.OK


ORIGINS = ["http://evil.test", "null", "http://127.0.0.1:1", "https://127.0.0.1:PORT", "file://"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_origin_is_refused_whatever_it_knows(guarded: Server, origin: str) -> None:
    api = Api(guarded.api_url, guarded.login)
    token = api.ask("GET", "/csrf-token?client=thief")["token"]
    headers = {
        "Origin": origin.replace("PORT", str(guarded.port)),
        "Prefect-Csrf-Client": "thief",
        "Prefect-Csrf-Token": token,
        **authorization(str(guarded.login)),
    }
    url = f"{guarded.api_url}/flows/"
    assert httpx.post(url, json={"name": "stolen"}, headers=headers).status_code == 403
    assert httpx.get(f"{guarded.api_url}/admin/settings", headers=headers).status_code == 403
    beforehand = headers | {"Access-Control-Request-Method": "POST"}
    asked = httpx.options(url, headers=beforehand)
    assert asked.status_code == httpx.codes.BAD_REQUEST
    assert "access-control-allow-origin" not in asked.headers
    for path in SOCKETS:
        with pytest.raises(InvalidStatus, match="403"), _socket(guarded, path, headers):
            pass
    assert "stolen" not in names_of_flows(guarded)


LOGINS = [None, "digitflow:", "digitflow:wrong", ":", "admin:pass"]


@pytest.mark.parametrize("login", LOGINS)
def test_nobody_gets_in_without_the_login(guarded: Server, login: str | None) -> None:
    headers = authorization(login) if login else {}
    for path in ("/admin/version", "/admin/settings", "/csrf-token?client=x", "/flows/00"):
        answer = httpx.get(f"{guarded.api_url}{path}", headers=headers)
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert "digitflow credentials" in answer.json()["exception_message"]
    made = httpx.post(f"{guarded.api_url}/flows/", json={"name": "evil"}, headers=headers)
    assert made.status_code == httpx.codes.FORBIDDEN  # no token, and none to be had
    for path in SOCKETS:
        with pytest.raises(ConnectionClosed), _socket(guarded, path, headers) as socket:
            socket.send(json.dumps({"type": "auth", "token": login}))
            socket.recv()
    assert names_of_flows(guarded) == set()


@pytest.mark.parametrize("path", SOCKETS[1:3])
def test_with_the_login_a_program_gets_in_by_request_and_by_socket(
    guarded: Server, path: str
) -> None:
    assert Api(guarded.api_url, guarded.login).ask("GET", "/admin/version")
    with _socket(guarded, path, {}) as socket:
        socket.send(json.dumps({"type": "auth", "token": guarded.login}))
        assert json.loads(socket.recv(timeout=20)) == {"type": "auth_success"}


def test_no_page_may_show_the_ui_inside_itself(guarded: Server) -> None:
    shown = httpx.get(f"{guarded.url}/", headers={"Accept": "text/html"}, follow_redirects=True)
    assert shown.status_code == httpx.codes.OK
    assert shown.headers["x-frame-options"] == "DENY"


def test_who_has_taken_the_port_is_not_taken_for_the_server(guarded: Server) -> None:
    assert guarded.answers()
    assert not Server(guarded.port, guarded.login).answers()  # another key
    assert not Server(free_port(), guarded.login, guarded.key).answers()


def test_others_see_no_secret_and_no_database(
    started: tuple[Server, subprocess.Popen[bytes]], home: Path
) -> None:
    server, process = started
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    assert "flows.server.app" in command
    assert str(server.login) not in command
    assert server.key not in command
    database = [file for file in home.iterdir() if file.name.startswith("prefect.db")]
    assert database
    assert not [file for file in database if file.stat().st_mode & 0o077]


@pytest.mark.parametrize("origin", ["*", "", "example.org", "http://a/b", "ftp://a", "http://"])
def test_a_guard_has_to_know_the_names_that_it_answers_to(origin: str) -> None:
    async def nothing(*_: object) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="is no origin"):
        Guard(nothing, ["https://prefect.example.org", origin])


def test_to_leave_the_login_out_has_to_be_said_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIGITFLOW_NO_AUTH", "NO_AUTH"):
        monkeypatch.setenv(name, "1")
    assert not Up().no_auth


def _socket(server: Server, path: str, headers: dict[str, str]) -> Any:
    url = f"ws://127.0.0.1:{server.port}/api/{path}"
    origin = headers.get("Origin")
    more = {name: value for name, value in headers.items() if name == "Authorization"}
    return connect(url, origin=origin, additional_headers=more, subprotocols=["prefect"])  # type: ignore[arg-type, list-item]
