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
ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>made for a test</Message></Error>"


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Start moto's server on a free port, give its URL, and end it."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
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
        self.troubles: list[str] = []  # S3's error codes with their status, or `cut`

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

    def do_GET(self) -> None:
        trouble = self.server.troubles.pop(0) if self.server.troubles else ""
        if trouble and trouble != "cut":
            status, code = trouble.split()
            self._send(int(status), ERROR.format(code=code).encode(), {})
            return
        connection = http.client.HTTPConnection(self.server.behind)
        connection.request("GET", self.path, headers=dict(self.headers))
        answer = connection.getresponse()
        body, headers = answer.read(), dict(answer.getheaders())
        connection.close()
        self._send(answer.status, body, headers, len(body) // 2 if trouble else len(body))

    def _send(self, status: int, body: bytes, headers: dict[str, str], sent: int = 10**9) -> None:
        self.send_response_only(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent])

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""
