"""Lets in to the page of review who has its address, or a login; and nobody's pages but its own.

On this machine alone the address holds a token that nobody guesses; the first request brings a
cookie in its place. From elsewhere each person logs in, so that each answer has its name.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flows.review.people import People
from flows.server.guard import OwnNames
from tasks.errors import DigitflowError

VISITOR = "digitflow.visitor"  # key of a request's scope
LOGIN_PAGE, LOGIN = "/login", "/api/login"
PUBLIC = ("/review.css", "/login.js", LOGIN_PAGE)  # they hold nothing of anybody
LARGEST = 16_384  # bytes of what a page may send
OPENED_BY = (
    "This page opens by the whole address that `digitflow review` shows, with its token. After a "
    "restart it is another one."
)
HARMLESS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Visitor:
    """A browser that was let in."""

    key: str
    person: str


@dataclass(frozen=True)
class Entered:
    """Who comes in by a request, and what is answered."""

    person: str
    response: Response


class Way(Protocol):
    """A way in."""

    async def entry(self, request: Request) -> Entered | Response | None:
        """Return who comes in by a request, or a refusal; None: it is not about coming in."""

    def refusal(self, path: str) -> Response:
        """Return the answer to who has not come in."""


class ByToken:
    """Who has the token is let in, and answers as one person."""

    def __init__(self, token: str, person: str) -> None:
        """Take both."""
        self._token, self._person = token.encode(), person

    async def entry(self, request: Request) -> Entered | Response | None:
        """Look at the address of the page."""
        given = request.query_params.get("token")
        if given is None or request.scope["path"] != "/":
            return None
        if not hmac.compare_digest(given.encode(), self._token):
            return self.refusal("/")
        return Entered(self._person, RedirectResponse("/", 303))

    def refusal(self, _path: str) -> Response:
        """Say how the page opens."""
        return PlainTextResponse(OPENED_BY, 401)


class ByLogin:
    """Each person has a login."""

    def __init__(self, people: People) -> None:
        """Take who may come in."""
        self._people = people

    async def entry(self, request: Request) -> Entered | Response | None:
        """Look at a name and a password."""
        if request.scope["path"] != LOGIN or request.method != "POST":
            return None
        given = await body_of(request)
        name, password = str(given.get("name", "")), str(given.get("password", ""))
        place = request.client.host if request.client else ""
        try:
            entered = await to_thread.run_sync(self._people.may_enter, name, password, place)
        except DigitflowError as error:
            return JSONResponse({"error": str(error)}, 429)
        if not entered:
            return JSONResponse({"error": "this name has another password, or is not known"}, 401)
        return Entered(name, JSONResponse({}))

    def refusal(self, path: str) -> Response:
        """Show the page to log in, or say that it is needed."""
        if path == "/":
            return RedirectResponse(LOGIN_PAGE, 303)
        return PlainTextResponse("Log in first.", 401)


class Access:
    """An ASGI application in front of the page."""

    def __init__(self, app: ASGIApp, origins: list[str], way: Way, cookie: str) -> None:
        """Answer under the names of some origins.

        Args:
            app: is given requests of visitors, each with its `Visitor`, and for what is public.
            origins: as `http://127.0.0.1:4201`; cookies are for TLS alone where all of them are.
            way: how visitors come in.
            cookie: its name; all ports of a machine share their cookies.
        """
        self._app, self._names, self._way, self._cookie = app, OwnNames(origins), way, cookie
        self._secure = all(origin.startswith("https:") for origin in origins)
        self._visitors: dict[str, Visitor] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']}")
        request = Request(scope, receive)
        response = self._names.refusal(scope) or await self._answer(request)
        if response is None:
            await self._app(scope, receive, _WithHeaders(send))
        else:
            response.headers.update(HARMLESS)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        """Return the answer to a request that is not passed on."""
        if request.method == "POST" and not _is_json(request):
            return PlainTextResponse("send JSON", 415)
        entered = await self._way.entry(request)
        visitor = self._visitors.get(request.cookies.get(self._cookie, ""))
        if isinstance(entered, Entered):
            known = visitor is not None and visitor.person == entered.person
            return entered.response if known else self._with_cookie(entered)
        if entered is not None:
            return entered
        if visitor is None and request.scope["path"] not in PUBLIC:
            return self._way.refusal(request.scope["path"])
        request.scope[VISITOR] = visitor
        return None

    def _with_cookie(self, entered: Entered) -> Response:
        visitor = Visitor(secrets.token_urlsafe(32), entered.person)
        self._visitors[visitor.key] = visitor
        entered.response.set_cookie(
            self._cookie, visitor.key, httponly=True, samesite="strict", secure=self._secure
        )
        return entered.response


class _WithHeaders:
    """Sends what the application answers, with what every answer has to carry."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            ours = [(name.lower().encode(), value.encode()) for name, value in HARMLESS.items()]
            message = message | {"headers": [*message.get("headers", []), *ours]}
        await self._send(message)


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that a page has sent; an empty one where it is none."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_json(request: Request) -> bool:
    """Tell whether it is what no page of another origin can send without asking beforehand."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "application/json"
