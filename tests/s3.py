"""A real server of the S3 protocol in its own process, and a server in front of it that fails."""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.helpers import free_port

STARTED = 60.0  # seconds, on a busy machine
# A conditional write is one step, as S3 promises; moto looks and writes in two, in many threads.
SERVER = """
import threading
from moto.s3.responses import S3Response
from moto.server import main
lock, put_object = threading.Lock(), S3Response.put_object
def locked(self):
    with lock:
        return put_object(self)
S3Response.put_object = locked
main()
"""
ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>made for a test</Message></Error>"


def access(url: str) -> dict[str, str]:
    """Return the variables by which a process comes to a server, and may do all there."""
    keys = {"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret"}
    regions = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    return {"AWS_ENDPOINT_URL": url, **keys, **regions}


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Start moto's server on a free port, give its URL, and end it."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-c", SERVER, "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTED
    while time.monotonic() < until and process.poll() is None:
        try:
            requests.get(url, timeout=5).raise_for_status()
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{url} did not start: {log.read_text()}")


class Failing(ThreadingHTTPServer):
    """Hands requests on to another server, and answers the first ones with its own troubles."""

    def __init__(self, url: str) -> None:
        """Take a free port; the server behind has this URL."""
        super().__init__(("127.0.0.1", 0), _Hand)
        self.behind = urlsplit(url).netloc
        # S3's error codes with their status; `cut`: half an answer; `lost`: done, but the answer
        # is an error; `unconditional`: as a server that does not know conditions of writes
        self.troubles: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def running(self) -> Iterator["Failing"]:
        thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Hand(BaseHTTPRequestHandler):
    server: Failing
    protocol_version = "HTTP/1.1"  # which knows `Expect: 100-continue`

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        trouble = self.server.troubles.pop(0) if self.server.troubles else ""
        if " " in trouble:
            self._refuse(trouble)
            return
        left_out = ("Expect", "If-Match") if trouble == "unconditional" else ("Expect",)
        headers = {name: value for name, value in self.headers.items() if name not in left_out}
        connection = http.client.HTTPConnection(self.server.behind)
        connection.request(self.command, self.path, sent, headers)
        answer = connection.getresponse()
        body, headers = answer.read(), dict(answer.getheaders())
        connection.close()
        if trouble == "lost":
            self._refuse("500 InternalError")
        else:
            shown = len(body) // 2 if trouble == "cut" else len(body)
            self._send(answer.status, body, headers, shown)

    def _refuse(self, trouble: str) -> None:
        status, code = trouble.split()
        self._send(int(status), ERROR.format(code=code).encode(), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str], sent: int = 10**9) -> None:
        self.send_response_only(status)
        length = {} if self.command == "HEAD" else {"Content-Length": str(len(body))}
        more = length | {"Connection": "close"}
        for name, value in (headers | more).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent])

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""
