"""Who is let in gets pictures and gives answers; who is not gets nothing, whatever they send."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from flows.review.access import Access, ByLogin, ByToken, Way
from flows.review.app import review_app
from flows.review.people import People
from flows.review.pictures import Pictures
from tasks.results import table as results
from tasks.review.journal import AnswerJournal
from tasks.review.session import ReviewSession
from tests.flows.review.waiting_pictures import bars_in, waits

pytestmark = pytest.mark.processes

ORIGIN, TOKEN, PASSWORD = "http://127.0.0.1:4201", "a-token", "correct horse"
JSON = {"content-type": "application/json"}


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return results in which three bars wait."""
    table = str(tmp_path / "results")
    waits(table, tmp_path / "scans", bars_in(tmp_path / "scans", 3))
    return table


@pytest.fixture
def session(table: str, tmp_path: Path) -> ReviewSession:
    return ReviewSession(table, "review-1", AnswerJournal(tmp_path / "answers.jsonl", table))


@pytest.fixture
def app(session: ReviewSession) -> Iterator[Any]:
    pictures = Pictures()
    yield review_app(session, pictures)
    pictures.close()


def client_of(app: Any, way: Way | None = None, origin: str = ORIGIN) -> TestClient:
    guarded = Access(app, [origin], way or ByToken(TOKEN, "Ada"), "review")
    return TestClient(guarded, base_url=origin, follow_redirects=False)


@pytest.fixture
def client(app: Any) -> TestClient:
    """Return a browser that has come in by the token."""
    client = client_of(app)
    came = client.get(f"/?token={TOKEN}")
    assert (came.status_code, came.headers["location"]) == (303, "/")
    return client


def ask(client: TestClient, action: str, **facts: Any) -> Any:
    return client.post(f"/api/{action}", json={"page": "one", **facts})


def told(client: TestClient, action: str, **facts: Any) -> Any:
    answer = ask(client, action, **facts)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_page_is_there_for_who_has_the_token_and_asks_nobody_else(client: TestClient) -> None:
    page = client.get("/")
    assert "What the model sees" in page.text
    for name in ("/review.css", "/review.js"):
        assert client.get(name).status_code == 200
        assert "http" not in client.get(name).text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "style=" not in page.text


def test_a_cookie_takes_the_place_of_the_token(app: Any) -> None:
    client = client_of(app)
    cookie = client.get(f"/?token={TOKEN}").headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert "set-cookie" not in client.get(f"/?token={TOKEN}").headers  # it is the same browser


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/?token=%C3%BC", "/review.js"])
def test_without_the_token_there_is_nothing(app: Any, path: str) -> None:
    client = client_of(app)
    assert client.get(path).status_code == 401
    for name in ("/picture/0", "/api/choices"):
        assert client.get(name).status_code == 401
    assert ask(client, "answer", number=0, said="7").status_code == 401
    client.cookies.set("review", "guessed")
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1", "127.0.0.1:1", "localhost:4201"])
def test_it_answers_under_its_own_name_alone(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_is_refused_whatever_it_knows(
    client: TestClient, session: ReviewSession, origin: str
) -> None:
    told(client, "upcoming")
    for headers in ({"origin": origin, **JSON}, {"content-type": "text/plain"}, {}):
        body = '{"page": "one", "number": 0, "said": "7"}'
        answer = client.post("/api/answer", content=body, headers=headers)
        assert answer.status_code in (403, 415)
    assert session.answered == 0


def test_pictures_come_as_they_are_and_as_the_model_sees_them(client: TestClient) -> None:
    found = told(client, "upcoming")
    assert [picture["path"] for picture in found["pictures"]] == [
        "0000.png",
        "0001.png",
        "0002.png",
    ]
    assert (found["left"], found["answered"], found["person"]) == (3, 0, "Ada")
    first = found["pictures"][0]
    assert first["likely"][0][0] == 1
    assert "audit" not in first
    answer = client.get(f"/picture/{first['number']}")
    at = int(answer.headers["x-first"])
    for file in (answer.content[:at], answer.content[at:]):
        picture = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        assert picture.shape == (28, 28)
    assert client.get("/picture/99").status_code == 410


def test_an_answer_is_taken_and_the_next_picture_is_told_with_it(
    client: TestClient, session: ReviewSession, table: str
) -> None:
    number = told(client, "upcoming")["pictures"][0]["number"]
    found = told(client, "answer", number=number, said="0")
    assert found["pictures"][0]["path"] == "0001.png"
    assert (found["left"], found["answered"]) == (2, 1)
    session.commit()
    [row] = results.select(table, results.Query(reason="answered")).to_pylist()
    assert (row["path"], row["digit"], row["answered_by"]) == ("0000.png", 0, "Ada")
    assert told(client, "undo")["undone"]
    assert told(client, "upcoming")["pictures"][0]["path"] == "0000.png"
    assert not told(client, "undo")["undone"]


def test_two_pages_of_one_browser_get_different_pictures(client: TestClient) -> None:
    first = told(client, "upcoming", page="one")["pictures"]
    assert told(client, "upcoming", page="two")["pictures"] == []
    answer = ask(client, "answer", page="two", number=first[0]["number"], said="7")
    assert (answer.status_code, answer.json()["refused"]) == (409, True)
    told(client, "leave", page="one")
    assert len(told(client, "upcoming", page="two")["pictures"]) == 3


def test_what_is_skipped_comes_again_when_it_is_asked_for(client: TestClient) -> None:
    first = told(client, "upcoming")["pictures"][0]["number"]
    found = told(client, "skip", number=first)
    assert (len(found["pictures"]), found["skipped"], found["left"]) == (2, 1, 3)
    assert len(told(client, "again")["pictures"]) == 3


def test_only_what_is_chosen_is_shown(client: TestClient, tmp_path: Path) -> None:
    choices = client.get("/api/choices").json()
    assert choices["source"] == [[str(tmp_path / "scans")] * 2]
    assert told(client, "upcoming", source="/elsewhere")["left"] == 0
    assert told(client, "upcoming", source=str(tmp_path / "scans"), reason="")["left"] == 3


@pytest.mark.parametrize(
    "facts",
    [
        {"number": 0, "said": "11"},
        {"number": 0},
        {"number": 0, "said": ["7"]},
        {"number": "0", "said": "7"},
        {"said": "7"},
        {"number": 0, "said": "7", "page": None},
        {"number": 0, "said": "7", "page": "x" * 99},
        {"number": 0, "said": "7", "page": "x" * 99_999},
    ],
)
def test_what_no_page_of_ours_sends_is_refused(
    client: TestClient, session: ReviewSession, facts: dict[str, Any]
) -> None:
    told(client, "upcoming")
    assert ask(client, "answer", **facts).status_code == 400
    assert session.answered == 0


def test_what_cannot_be_shown_can_be_skipped_and_not_answered(
    client: TestClient, tmp_path: Path
) -> None:
    (tmp_path / "scans" / "0000.png").write_bytes(b"another picture")
    (tmp_path / "scans" / "0001.png").unlink()
    first, second, _ = told(client, "upcoming")["pictures"]
    for picture, why in ((first, "has changed since it was read"), (second, "FileNotFound")):
        answer = client.get(f"/picture/{picture['number']}")
        assert (answer.status_code, why in answer.text) == (404, True)
        refused = ask(client, "answer", number=picture["number"], said="7")
        assert (refused.status_code, refused.json()["refused"]) == (409, True)
        told(client, "skip", number=picture["number"])


def test_an_answer_that_a_full_disk_does_not_take_is_said_and_can_be_given_again(
    client: TestClient, session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = told(client, "upcoming")["pictures"][0]["number"]
    with monkeypatch.context() as full:
        full.setattr("os.pwrite", lambda *_: 3)
        answer = ask(client, "answer", number=number, said="7")
        assert (answer.status_code, "the disk is full" in answer.json()["error"]) == (507, True)
    assert session.answered == 0
    assert told(client, "upcoming")["pictures"][0]["number"] == number
    assert told(client, "answer", number=number, said="7")["answered"] == 1


def test_each_person_logs_in_and_answers_in_their_name(
    app: Any, session: ReviewSession, table: str, tmp_path: Path
) -> None:
    people = People(tmp_path)
    people.add("Ada", PASSWORD)
    client = client_of(app, ByLogin(people), "https://review.example.org")
    assert client.get("/").headers["location"] == "/login"
    assert "Password" in client.get("/login").text
    assert client.get("/login.js").status_code == 200
    assert client.get(f"/?token={TOKEN}").status_code == 303
    assert ask(client, "upcoming").status_code == 401
    wrong = client.post("/api/login", json={"name": "Ada", "password": "wrong"})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    entered = client.post("/api/login", json={"name": "Ada", "password": PASSWORD})
    assert "Secure" in entered.headers["set-cookie"]
    number = told(client, "upcoming")["pictures"][0]["number"]
    told(client, "answer", number=number, said="no digit")
    session.commit()
    [row] = results.select(table, results.Query(reason="not_a_digit")).to_pylist()
    assert row["answered_by"] == "Ada"


def test_a_login_is_not_tried_without_end(app: Any, tmp_path: Path) -> None:
    people = People(tmp_path)
    people.add("Ada", PASSWORD)
    client = client_of(app, ByLogin(people))
    tries = [{"name": "Ada", "password": f"{number}"} for number in range(6)]
    codes = [client.post("/api/login", json=each).status_code for each in tries]
    assert codes == [401] * 5 + [429]
    assert client.post("/api/login", content=b"x", headers=JSON).status_code == 401
