"""Shows the HTML reports of the runs of a home in the browser, to who has the login of the server.

A page of Prefect's UI may link to a page of the same server, and to no file. What is shown is the
report of a run and nothing else: no script runs in it, and it asks nobody for anything.
"""

import base64
import binascii
import hmac
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from tasks.runs import REPORT_FILE, REPORTS_PATH, RUN_ID

# by a dialog of the browser's; a cookie would be sent to every port of this machine
ASK_FOR_LOGIN = {"WWW-Authenticate": 'Basic realm="digitflow", charset="UTF-8"'}
HARMLESS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Reports:
    """An ASGI application that answers below `REPORTS_PATH`."""

    def __init__(self, home: Path, login: str | None) -> None:
        """Show the reports of a home.

        Args:
            home: of the server.
            login: user:password; None: it asks nobody.
        """
        self._runs, self._login = home / "runs", login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self._response(Request(scope))
        response.headers.update(HARMLESS)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("a report can only be read", 405, {"Allow": "GET, HEAD"})
        if not self._may_read(request.headers.get("authorization", "")):
            return PlainTextResponse("the login of this server is needed", 401, ASK_FOR_LOGIN)
        run = str(request.scope["path"]).removeprefix(REPORTS_PATH)  # `url` drops line breaks
        if RUN_ID.fullmatch(run):
            file = self._runs / run / REPORT_FILE
            try:
                page = await to_thread.run_sync(file.read_bytes)
                return Response(page, media_type="text/html; charset=utf-8")
            except OSError:
                pass
        return PlainTextResponse(f"no run of this name has a report in {self._runs}", 404)

    def _may_read(self, authorization: str) -> bool:
        if self._login is None:
            return True
        kind, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        return kind.lower() == "basic" and hmac.compare_digest(given, self._login.encode())
