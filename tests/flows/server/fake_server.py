"""A server that answers as it is told, as one that is no Prefect server or a broken one does."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import prefect


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
