"""Servers as their users see them: started on a socket of ours, recognised, and found again."""

import hmac
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import IO

from flows.server.credentials import write_private
from flows.server.guard import KEY_VARIABLE, PROOF_PATH, proof
from tasks.errors import DigitflowError, InputError
from tasks.settings.base import home

HOST, PORT = "127.0.0.1", 4200  # of `digitflow up`, if it is given no other
CODE = Path(__file__).resolve().parents[2]  # the folder that holds flows/
SERVER_FILE = "server.json"  # in the home folder while `digitflow up` runs: its server
ANSWER_S = 5.0
AN_ERROR = re.compile(r"[\w.]*(Error|Exception)\b.*: ")  # the last line of a traceback
STOP_S = 20.0  # for a process to stop by itself


@dataclass(frozen=True)
class Server:
    """A server of ours."""

    port: int
    login: str | None = field(repr=False)  # user:password; None: it asks nobody
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def url(self) -> str:
        """Return the address of its UI."""
        return f"http://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        """Return the address of its API."""
        return f"{self.url}/api"

    def client_environment(self) -> dict[str, str]:
        """Return the variables by which Prefect finds it and logs in."""
        login = {"PREFECT_API_AUTH_STRING": self.login} if self.login else {}
        return {"PREFECT_API_URL": self.api_url} | login

    def environment(self) -> dict[str, str]:
        """Return the variables by which it answers its user alone."""
        names = [self.url, f"http://localhost:{self.port}"]
        login = {"PREFECT_SERVER_API_AUTH_STRING": self.login} if self.login else {}
        return {
            KEY_VARIABLE: self.key,
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ",".join(names),
            "PREFECT_UI_URL": self.url,  # of the links in what it sends
            "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
            **login,
        }

    def answers(self) -> bool:
        """Tell whether it answers, and not somebody else who has taken its port meanwhile.

        Nobody is sent the login who does not know the key first.
        """
        nonce = secrets.token_hex(16)
        url = f"{self.url}{PROOF_PATH}?nonce={nonce}"
        try:
            with _direct.open(url, timeout=ANSWER_S) as answer:
                said: bytes = answer.read(200)
        except (OSError, HTTPException, ValueError):  # HTTPException: it does not speak HTTP
            return False
        return hmac.compare_digest(said, proof(self.key, nonce).encode())


# a proxy that the environment names is not asked for this machine, nor is it told the login
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def listening_socket(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine alone; 0: any that is free.

    Raises:
        InputError: the port is taken.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise InputError(f"port {port} is taken ({error.strerror}): give another --port") from None
    listening.listen()
    return listening


def start_server(
    server: Server, listening: socket.socket, environment: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start the process of a server; it ends with this one."""
    command = [sys.executable, "-P", "-m", "flows.server.app", str(listening.fileno())]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        command,
        env={
            **environment,
            **server.environment(),
            "PYTHONPATH": with_our_code(environment),
        },
        pass_fds=[listening.fileno()],
        stdin=subprocess.PIPE,  # held open as long as this process lives
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches this process, which stops it in order
    )


def with_our_code(environment: Mapping[str, str]) -> str:
    """Return the PYTHONPATH by which a process imports the same code as this one, in any folder."""
    return os.pathsep.join(filter(None, (str(CODE), environment.get("PYTHONPATH", ""))))


def wait_until_it_answers(
    server: Server, process: subprocess.Popen[bytes], seconds: float, log: IO[bytes]
) -> None:
    """Wait for a server that was started.

    Raises:
        DigitflowError: it ended, or does not answer in time.
    """
    deadline = time.monotonic() + seconds
    while not server.answers():
        if process.poll() is not None:
            raise DigitflowError(f"the Prefect server did not start: {trouble_in(log)}")
        if time.monotonic() > deadline:
            raise DigitflowError(
                f"the Prefect server does not answer after {seconds:.0f} s: {trouble_in(log)}"
            )
        time.sleep(0.1)


def stop(process: subprocess.Popen[bytes], seconds: float = STOP_S) -> None:
    """End a process, by force if it does not do so itself."""
    if process.stdin is None:
        raise ValueError("a process that is stopped here was started with a pipe as stdin")
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdin.close()


def trouble_in(log: IO[bytes]) -> str:
    """Return the last line of a log that names an error, or else its last, and where it lies."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").split("\n")
    named = [line for line in lines if AN_ERROR.match(line)] or [line for line in lines if line]
    said = named[-1].strip()[:300] if named else "it said nothing"
    return f"{said} (see {log.name})" if isinstance(log.name, str) else said


@contextmanager
def announced(server: Server) -> Iterator[None]:
    """Let other `digitflow` commands of this home find a server while it runs."""
    file = home() / SERVER_FILE
    write_private(file, json.dumps(asdict(server)) + "\n")
    try:
        yield
    finally:
        if _announced_in(file) == server:  # and not another one, of an older digitflow
            file.unlink()


def running_server() -> Server | None:
    """Return the server that `digitflow up` runs for this home, if it is that which answers."""
    server = _announced_in(home() / SERVER_FILE)
    return server if server and server.answers() else None


def _announced_in(file: Path) -> Server | None:
    try:
        return Server(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none, or one of an older digitflow
        return None


def without_login(url: str) -> str:
    """Return an address without the login that it may carry."""
    before, slashes, rest = url.partition("//")
    place, slash, path = rest.partition("/")
    return before + slashes + place.rpartition("@")[2] + slash + path
