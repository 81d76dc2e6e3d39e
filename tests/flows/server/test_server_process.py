"""A server is found again only if it is ours, and what it says when it does not start is told."""

import http.server
import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.server.credentials import kept_login, write_private
from flows.server.guard import proof
from flows.server.server_process import (
    SERVER_FILE,
    Server,
    announced,
    listening_socket,
    running_server,
    stop,
    trouble_in,
    wait_until_it_answers,
    without_login,
)
from tasks.errors import DigitflowError, InputError
from tests.flows.server.fake_server import Fake, serving
from tests.helpers import free_port


@pytest.mark.server
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


def test_an_address_is_shown_without_its_login() -> None:
    assert without_login("http://user:p@ss@host:1/api") == "http://host:1/api"
    assert without_login("http://host:1/a@b") == "http://host:1/a@b"


@contextmanager
def saying(banner: bytes) -> Iterator[int]:
    """Let a program of somebody else's listen that says the same to each, and return its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def say() -> None:
            try:
                while True:
                    with listening.accept()[0] as connection:
                        connection.recv(1000)
                        connection.sendall(banner)
            except OSError:  # closed
                return

        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(60)


@pytest.mark.parametrize(
    "banner",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
        b"HTTP/1.0 200 OK\r\n\r\n" + "café".encode(),
        b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.0 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.0 500 No\r\n\r\n",
    ],
)
def test_whatever_listens_where_a_server_of_ours_did_is_not_taken_for_it(
    home: Path, banner: bytes
) -> None:
    with saying(banner) as port:
        write_private(home / SERVER_FILE, json.dumps({"port": port, "login": "a:b", "key": "k"}))
        assert running_server() is None


@pytest.mark.parametrize("known", ["the key", "another key"])
def test_who_knows_the_key_is_the_server_and_nobody_else(home: Path, known: str) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(proof(known, self.path.rpartition("=")[2]).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        server = Server(listening.server_port, "digitflow:secret", "the key")
        with announced(server):
            assert running_server() == (server if known == "the key" else None)
        listening.shutdown()


def test_a_server_is_announced_to_its_user_alone_and_only_while_it_runs(home: Path) -> None:
    server = Server(free_port(), "digitflow:secret")
    with pytest.raises(KeyError), announced(server):
        file = home / SERVER_FILE
        assert file.stat().st_mode & 0o777 == 0o600
        assert Server(**json.loads(file.read_text())) == server
        assert running_server() is None  # it does not answer
        raise KeyError
    assert not file.exists()


def test_secrets_of_a_server_are_not_shown_and_no_two_have_one_key() -> None:
    server = Server(4200, "digitflow:secret")
    assert "secret" not in repr(server)
    assert server.key not in repr(server)
    assert server.key != Server(4200, "digitflow:secret").key
    assert "secret" not in str(server.url)


def test_a_server_without_login_asks_for_none_and_one_with_a_login_is_sent_it() -> None:
    both = {
        login: {**Server(4200, login).environment(), **Server(4200, login).client_environment()}
        for login in ("a:b", None)
    }
    assert [value for name, value in both["a:b"].items() if "AUTH_STRING" in name] == ["a:b"] * 2
    assert not [name for name in both[None] if "AUTH_STRING" in name]


def test_a_port_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    with listening_socket(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is taken .*--port"):
            listening_socket(port)
    listening_socket(port).close()  # free again at once


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"", "it said nothing"),
        (b"\n\n", "it said nothing"),
        (b"Starting\nready\n", "ready"),
        (b"OSError: disk full: /x\n  cleaning up\nbye\n", "OSError: disk full: /x"),
        (
            b"ValueError: a: b\nprefect.exceptions.Crash: no\ndb.OperationalError: locked: x\n",
            "db.OperationalError: locked: x",
        ),
        (b"\xff\xfe caf\xe9\n", "\ufffd\ufffd caf\ufffd"),
        (b"x" * 5000, "x" * 300),
    ],
)
def test_of_a_log_the_last_error_is_told_or_else_its_last_line(log: bytes, said: str) -> None:
    file = io.BytesIO(log)
    file.name = 7  # type: ignore[attr-defined] - as that of a file without a name
    assert trouble_in(file) == said


def test_a_log_with_a_name_is_named(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb+") as log:
        log.write(b"ready\n")
        assert trouble_in(log) == f"ready (see {tmp_path}/log)"


@pytest.mark.processes
def test_a_server_that_ends_before_it_answers_is_an_error_with_what_it_said(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", "print('OSError: no room: /x', flush=True)"]
    with (tmp_path / "log").open("wb+") as log:
        process = subprocess.Popen(command, stdout=log)
        server = Server(free_port(), None)
        with pytest.raises(DigitflowError, match=r"did not start: OSError: no room: /x"):
            wait_until_it_answers(server, process, 60, log)


@pytest.mark.processes
def test_a_process_that_is_deaf_to_requests_is_ended_by_force() -> None:
    deaf = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(99)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", f"{deaf}; time.sleep(99)"], **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        began = time.monotonic()
        stop(process, seconds=0.1)
        assert time.monotonic() - began < 30
        assert process.returncode == -9
