"""Commands and the Prefect server they use: none outlives them, and what is wrong is one line."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import prefect
import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from flows.cli.main import INTERRUPTED, main
from flows.orchestration import server_check
from flows.orchestration.credentials import LOGIN_FILE, kept_login, write_private
from flows.orchestration.server_process import SERVER_FILE, running_server, without_login
from tasks.errors import InputError
from tests.bars import bar, encoded
from tests.flows.test_accidents import children_of
from tests.helpers import free_port
from tests.inference.test_worker import is_running

pytestmark = pytest.mark.server

FILES = 2_000
PATIENCE_S = 200.0  # for a server to start on a busy machine


@dataclass
class Fake:
    """A server that answers all with the same, once some requests are answered as Prefect does."""

    status: int = 200
    body: bytes = b"{}"
    well: int = 0  # requests
    port: int = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path, Authorization

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def answer(self, path: str) -> tuple[int, bytes]:
        if len(self.asked) > self.well:
            return self.status, self.body
        if path.endswith("/admin/version"):
            return 200, json.dumps(prefect.__version__).encode()
        if "/csrf-token" in path:
            return 422, b'{"detail": "CSRF protection is disabled."}'
        return 200, b"[]"


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            fake.asked.append((self.path, self.headers["Authorization"]))
            status, body = fake.answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield fake
        server.shutdown()


def said_with(
    url: str, capsys: pytest.CaptureFixture[str], *words: str, login: str | None = None
) -> str:
    """Run a command on a server that cannot be used, and return the one line it says."""
    settings = {
        PREFECT_API_URL: url,
        PREFECT_API_AUTH_STRING: login,
        PREFECT_CLIENT_MAX_RETRIES: 0,
    }
    with temporary_settings(settings), pytest.raises(SystemExit) as ended:
        main(list(words))
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (1, 1), said
    return said


COMMANDS = [("predict", "."), ("train",)]
FAULTS = [
    (Fake(401, b'{"exception_message": "Unauthorized"}'), "refuses the login (401)"),
    (Fake(403, b'{"detail": "Missing CSRF token."}'), "refuses the login (403)"),
    (Fake(500, b"oops"), "fails (500"),
    (Fake(404, b"nobody"), "fails (404"),
    (Fake(200, b"<!doctype html><title>a page</title>"), "does not answer as one of this version"),
    (Fake(200, b'"4.0.0"'), "client: 3"),
    (Fake(200, b'"what"'), "does not answer as one of this version"),
    (Fake(200, b"\x00\xff"), "does not answer as one of this version"),
    (Fake(200, b"[1, 2]"), "does not answer as one of this version"),
    (Fake(200, b'[{"id": 1}]', well=1), "does not answer as one of this version"),
]


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize(("fake", "said"), FAULTS)
def test_a_server_that_cannot_be_used_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], fake: Fake, said: str
) -> None:
    fake.asked.clear()
    with serving(fake):
        assert said in said_with(fake.url, capsys, *words)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_server_that_is_not_there_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    url = f"http://user:secret@127.0.0.1:{free_port()}/api"
    said = said_with(url, capsys, *words)
    assert "does not answer" in said
    assert "secret" not in said


def test_a_server_that_never_answers_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_check, "ANSWER_S", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        assert "does not answer (ReadTimeout" in said_with(url, capsys, "predict", ".")


def test_a_server_that_refuses_in_the_middle_of_a_run_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Fake(401, b"{}", well=3)) as fake:
        assert "refuses the login (401)" in said_with(fake.url, capsys, "predict", ".")
    assert len(fake.asked) > 3


def test_a_foreign_server_is_sent_the_login_of_its_user_and_never_ours(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept_login(home)
    with serving(Fake(500)) as fake:
        said_with(fake.url, capsys, "predict", ".")
        assert {login for _, login in fake.asked} == {None}
        said_with(fake.url, capsys, "predict", ".", login="user:own")
        assert fake.asked[-1][1] == "Basic dXNlcjpvd24="


def test_who_listens_where_a_server_of_ours_did_is_not_sent_its_login(home: Path) -> None:
    with serving(Fake(200, b"[]")) as fake:
        facts = {"port": fake.port, "login": kept_login(home), "key": "k"}
        write_private(home / SERVER_FILE, json.dumps(facts))
        assert running_server() is None
    assert [login for _, login in fake.asked] == [None]


@pytest.mark.parametrize(
    "left", ["", "{}", "[]", '{"api_url": "http://127.0.0.1:1/api", "pid": 1}']
)
def test_what_an_older_or_a_killed_server_has_left_is_no_server(home: Path, left: str) -> None:
    home.mkdir()
    (home / SERVER_FILE).write_text(left)
    assert running_server() is None


def test_the_login_is_made_once_and_for_its_user_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        login = kept_login(home)
    finally:
        os.umask(before)
    assert kept_login(home) == login
    assert (home / LOGIN_FILE).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in home.iterdir()] == [LOGIN_FILE]


@pytest.mark.parametrize("content", ["", "\n", "digitflow:", ":x", "digitflow", "a:b\x1b[0m"])
def test_a_damaged_login_is_an_error(home: Path, content: str) -> None:
    write_private(home / LOGIN_FILE, content)
    with pytest.raises(InputError, match="delete it"):
        kept_login(home)


def test_a_login_that_others_can_read_is_an_error(home: Path) -> None:
    kept_login(home)
    (home / LOGIN_FILE).chmod(0o640)
    with pytest.raises(InputError, match="others can read"):
        kept_login(home)


def test_an_address_is_shown_without_its_login() -> None:
    assert without_login("http://user:p@ss@host:1/api") == "http://host:1/api"
    assert without_login("http://host:1/a@b") == "http://host:1/a@b"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    (folder / "0.png").write_bytes(encoded(bar(3)))
    for number in range(1, FILES):
        os.link(folder / "0.png", folder / f"{number}.png")
    return folder


def starts(command: str) -> bool:
    return "flows.orchestration.server" in command


def reads(command: str) -> bool:
    return "tasks.inference.worker" in command


@pytest.mark.parametrize(
    ("when", "how"),
    [(starts, signal.SIGKILL), (reads, signal.SIGKILL), (reads, signal.SIGINT)],
)
@pytest.mark.slow
def test_a_command_that_is_killed_or_stopped_leaves_no_server_and_no_process(
    tmp_path: Path, many: Path, model_file: Path, when: Callable[[str], bool], how: signal.Signals
) -> None:
    (tmp_path / "prefect").mkdir()
    environment = {
        **os.environ,
        "DIGITFLOW_HOME": str(tmp_path / "home"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    environment.pop("PREFECT_API_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", "predict", str(many), "--model", str(model_file)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not any(map(when, map(_command, children_of(process.pid)))):
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = children_of(process.pid)
    if how == signal.SIGINT:
        for child in filter(lambda child: reads(_command(child)), children):
            os.kill(int(child), signal.SIGSTOP)  # so that the command cannot have ended before
    process.send_signal(how)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == (INTERRUPTED if how == signal.SIGINT else -how), out
    while any(is_running(int(child)) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""
