"""The page of review and what it asks for: the next pictures, and what a person says of one.

Each answer is on the disk before the page is told so; see tasks/review/session.py.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from flows.review.access import LOGIN_PAGE, VISITOR, Visitor, body_of
from flows.review.pictures import Pictures
from tasks.errors import DigitflowError
from tasks.review.answers import REASONS
from tasks.review.queue import Choice, WaitingPicture
from tasks.review.session import Refused, ReviewSession
from tasks.visible import visible

AHEAD = 4  # pictures that a page is told of: the one that is looked at, and the next ones
LIKELY = 3  # digits that are shown with their probabilities
FIRST = "x-first"  # header: bytes of the first of two files
LONGEST = 64  # characters of the name that a page gives itself
BYTES = "application/octet-stream"
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
PAGES = {
    "/": "index.html",
    LOGIN_PAGE: "login.html",
    "/review.css": "review.css",
    "/review.js": "review.js",
    "/login.js": "login.js",
}

Facts = dict[str, Any]


def review_app(session: ReviewSession, pictures: Pictures) -> Starlette:
    """Return the application; who asks has been let in by `Access`."""
    desk = _Desk(session, pictures)
    actions = {
        "upcoming": desk.upcoming,
        "answer": desk.answer,
        "undo": desk.undo,
        "skip": desk.skip,
        "again": desk.again,
        "leave": desk.leave,
    }
    posts = [
        Route(f"/api/{name}", _json(action), methods=["POST"]) for name, action in actions.items()
    ]
    shown = Route("/picture/{number:int}", desk.picture)
    pages = [Route(path, _file(name)) for path, name in PAGES.items()]
    return Starlette(routes=[*pages, *posts, Route("/api/choices", desk.choices), shown])


class _Desk:
    """What the page asks for."""

    def __init__(self, session: ReviewSession, pictures: Pictures) -> None:
        self._session, self._pictures = session, pictures

    def upcoming(self, visitor: Visitor, given: Facts) -> Facts:
        """Return what is shown next, and how it stands."""
        choice = Choice(*(_text(given, name) for name in ("reason", "source", "run")))
        found = self._session.upcoming(_reviewer(visitor, given), choice, AHEAD)
        self._pictures.prefetch([picture.as_read for _, picture in found.pictures])
        return {
            "pictures": [_facts(*numbered) for numbered in found.pictures],
            "left": found.left,
            "skipped": found.skipped,
            "answered": found.answered,
            "byAll": found.answered_by_all,
            "trouble": found.trouble,
            "person": visitor.person,
        }

    def answer(self, visitor: Visitor, given: Facts) -> Facts:
        """Take an answer."""
        number, said = _number(given), given.get("said")
        if said not in REASONS:
            raise ValueError(f"said: one of {', '.join(REASONS)}")
        picture = self._session.picture(number)
        if picture and self._pictures.is_unshown(picture.as_read):
            raise Refused("it cannot be shown, so that nobody can say what it is")
        self._session.answer(_reviewer(visitor, given), visitor.person, number, said)
        return self.upcoming(visitor, given)

    def undo(self, visitor: Visitor, given: Facts) -> Facts:
        """Take back the last answer."""
        undone = self._session.undo(_reviewer(visitor, given))
        return self.upcoming(visitor, given) | {"undone": undone}

    def skip(self, visitor: Visitor, given: Facts) -> Facts:
        """Show others first."""
        self._session.skip(_reviewer(visitor, given), _number(given))
        return self.upcoming(visitor, given)

    def again(self, visitor: Visitor, given: Facts) -> Facts:
        """Show what was skipped."""
        self._session.skip_no_more(_reviewer(visitor, given))
        return self.upcoming(visitor, given)

    def leave(self, visitor: Visitor, given: Facts) -> Facts:
        """Let others have what was shown."""
        self._session.leave(_reviewer(visitor, given))
        return {}

    def choices(self, _request: Request) -> Response:
        """Return what may be chosen."""
        found = self._session.choices()
        named = {name: [[each, visible(each)] for each in values] for name, values in found.items()}
        return JSONResponse(named)

    def picture(self, request: Request) -> Response:
        """Return a picture as it is and as the model sees it: two PNG files, one after the other.

        A browser asks for a few things at a time, and an answer must not wait behind pictures.
        """
        picture = self._session.picture(request.path_params["number"])
        if picture is None:
            return PlainTextResponse("it waits no more", 410)
        found = self._pictures.get(picture.as_read)
        if isinstance(found, str):
            return PlainTextResponse(visible(found), 404)
        length = {FIRST: str(len(found.original))}
        return Response(found.original + found.form, 200, length, BYTES)


def _json(action: Callable[[Visitor, Facts], Facts]) -> Callable[[Request], Any]:
    """Return what answers a request of the page by an action, and says what was wrong with it."""

    async def answer(request: Request) -> Response:
        given = await body_of(request)
        try:
            done = await to_thread.run_sync(action, request.scope[VISITOR], given)
        except Refused as error:
            return JSONResponse({"error": str(error), "refused": True}, 409)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except DigitflowError as error:  # a full disk
            return JSONResponse({"error": str(error)}, 507)
        return JSONResponse(done)

    return answer


def _file(name: str) -> Callable[[Request], Any]:
    data = files("flows.review").joinpath("page", name).read_bytes()
    kind = f"{KINDS[name.rpartition('.')[2]]}; charset=utf-8"

    async def answer(_request: Request) -> Response:
        return Response(data, media_type=kind)

    return answer


def _reviewer(visitor: Visitor, given: Facts) -> str:
    """Return who looks: a browser may have several pages open."""
    page = given.get("page")
    if not isinstance(page, str) or not 0 < len(page) <= LONGEST:
        raise ValueError("page: a name of its own")
    return f"{visitor.key}/{page}"


def _number(given: Facts) -> int:
    number = given.get("number")
    if not isinstance(number, int):
        raise ValueError("number: of a picture")
    return number


def _text(given: Facts, name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) and value else None


def _facts(number: int, picture: WaitingPicture) -> Facts:
    """Return what a person may know of a picture: not whether the model was sure, or is checked."""
    return {
        "number": number,
        "path": visible(picture.path),
        "source": visible(picture.root),
        "page": picture.page,
        "why": picture.words,
        "likely": picture.likeliest(LIKELY),
    }
