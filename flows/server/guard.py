"""Lets through to a web application only what its own pages and programs of this machine ask.

Prefect has no setting for two of these: it answers under any host name, so that a page whose name
is led to 127.0.0.1 (DNS rebinding) counts as its own, and browsers ask before they send JSON to a
foreign origin, but not before they open a WebSocket.
"""

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.runs import REPORTS_PATH

PROOF_PATH = "/digitflow/proof"
KEY_VARIABLE = "DIGITFLOW__SERVER_KEY"  # two underscores: between our processes, no setting
POLICY = 1008  # the code with which a WebSocket is closed that breaks a rule
STANDARD_PORTS = {"http": 80, "https": 443}  # which browsers leave out
# the second UI would ask an analytics host, whatever Prefect's settings say
OURS_ALONE = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'; connect-src 'self'",
}
NO_LOGIN = (
    "Unauthorized: this server asks for a login. If `digitflow up` runs it, this gives it to "
    "Prefect's commands: export $(digitflow credentials)"
)


class OwnNames:
    """The names of a server, and the origins of its own pages: nobody else is answered."""

    def __init__(self, origins: Iterable[str]) -> None:
        """Take some origins.

        Args:
            origins: as `http://127.0.0.1:4200`.

        Raises:
            ValueError: an origin is none, as `*`.
        """
        self._origins = {origin.strip().rstrip("/").lower() for origin in origins}
        self._hosts: set[str] = set()
        for origin in self._origins:
            self._hosts |= _hosts(origin)

    def refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that gets no further."""
        headers = Headers(scope=scope)
        if [host.lower() in self._hosts for host in headers.getlist("host")] != [True]:
            return _refused(400, f"this server answers as {' or '.join(sorted(self._origins))}")
        foreign = [o for o in headers.getlist("origin") if o.lower() not in self._origins]
        # what browsers ask beforehand, by OPTIONS, Prefect itself answers with a no
        if foreign and scope.get("method") != "OPTIONS":
            return _refused(403, f"this server is not for pages of {foreign[0]}")
        return None


class Guard:
    """An ASGI application in front of another."""

    def __init__(
        self, app: ASGIApp, origins: Iterable[str], key: str = "", reports: ASGIApp | None = None
    ) -> None:
        """Answer under the names of some origins, and to their pages.

        Args:
            app: what is guarded.
            origins: as `http://127.0.0.1:4200`.
            key: lets who knows it be sure of whom they talk to; none: no proof is given.
            reports: answers below `REPORTS_PATH`.

        Raises:
            ValueError: an origin is none, as `*`.
        """
        self._app, self._key, self._reports = app, key, reports
        self._names = OwnNames(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif refusal := self._names.refusal(scope):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": POLICY})  # before it is opened: 403
            else:
                await refusal(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif self._key and scope["path"] == PROOF_PATH:
            nonce = parse_qs(scope["query_string"].decode("latin-1")).get("nonce", [""])[0]
            await PlainTextResponse(proof(self._key, nonce))(scope, receive, send)
        elif self._reports and scope["path"].startswith(REPORTS_PATH):
            await self._reports(scope, receive, send)
        else:
            await self._app(scope, receive, _Answer(scope, receive, send))


class _Answer:
    """Sends what the application answers, with what every answer has to carry."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer; where a login is missing, say where it is to be found."""
        if message["type"] == "http.response.start" and message["status"] == 401:
            self._replaced = True
            await _refused(401, NO_LOGIN)(self._scope, self._receive, self._send)
        elif not self._replaced:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(OURS_ALONE)
            await self._send(message)


def proof(key: str, nonce: str) -> str:
    """Return what only who knows the key can answer, and what does not tell the key."""
    return hmac.new(key.encode(), nonce.encode(), hashlib.sha256).hexdigest()


def _hosts(origin: str) -> set[str]:
    """Return the `Host` headers under which browsers ask an origin."""
    parts = urlsplit(origin)
    standard = STANDARD_PORTS.get(parts.scheme)
    if standard is None or f"{parts.scheme}://{parts.netloc}" != origin or not parts.hostname:
        raise ValueError(f"{origin!r} is no origin: give them as https://prefect.example.org")
    named = parts.netloc if parts.port else f"{parts.netloc}:{standard}"
    return {named, named.removesuffix(f":{standard}")}


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"exception_message": why}, status, OURS_ALONE)
