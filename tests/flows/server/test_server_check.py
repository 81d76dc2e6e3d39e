"""What is wrong with a server that a command is to use is one line, and its login stays ours."""

import socket
from pathlib import Path

import httpx
import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from flows.cli.main import main
from flows.server import server_check
from flows.server.credentials import kept_login
from flows.server.server_check import said_in_words
from tasks.errors import DigitflowError
from tests.flows.server.fake_server import Fake, serving
from tests.helpers import free_port

pytestmark = pytest.mark.server


def said_with(
    url: str, capsys: pytest.CaptureFixture[str], *words: str, login: str | None = None
) -> str:
    """Run a command on a server that cannot be used, and return the one line it says."""
    settings = {
        PREFECT_API_URL: url,
        PREFECT_API_AUTH_STRING: login,
        PREFECT_CLIENT_MAX_RETRIES: 0,
    }
    with temporary_settings(settings), pytest.raises(SystemExit) as ended:
        main(list(words))
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (1, 1), said
    return said


COMMANDS = [("predict", "."), ("train",)]
FAULTS = [
    (Fake(401, b'{"exception_message": "Unauthorized"}'), "refuses the login (401)"),
    (Fake(403, b'{"detail": "Missing CSRF token."}'), "refuses the login (403)"),
    (Fake(500, b"oops"), "fails (500"),
    (Fake(404, b"nobody"), "fails (404"),
    (Fake(200, b"<!doctype html><title>a page</title>"), "does not answer as one of this version"),
    (Fake(200, b'"4.0.0"'), "client: 3"),
    (Fake(200, b'"what"'), "does not answer as one of this version"),
    (Fake(200, b"\x00\xff"), "does not answer as one of this version"),
    (Fake(200, b"[1, 2]"), "does not answer as one of this version"),
    (Fake(200, b'[{"id": 1}]', well=1), "does not answer as one of this version"),
]


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize(("fake", "said"), FAULTS)
def test_a_server_that_cannot_be_used_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], fake: Fake, said: str
) -> None:
    fake.asked.clear()
    with serving(fake):
        assert said in said_with(fake.url, capsys, *words)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_server_that_is_not_there_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    url = f"http://user:secret@127.0.0.1:{free_port()}/api"
    said = said_with(url, capsys, *words)
    assert "does not answer" in said
    assert "secret" not in said


def test_a_server_that_never_answers_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_check, "ANSWER_S", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        assert "does not answer (ReadTimeout" in said_with(url, capsys, "predict", ".")


def test_a_server_that_refuses_in_the_middle_of_a_run_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Fake(401, b"{}", well=3)) as fake:
        assert "refuses the login (401)" in said_with(fake.url, capsys, "predict", ".")
    assert len(fake.asked) > 3


def test_a_foreign_server_is_sent_the_login_of_its_user_and_never_ours(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept_login(home)
    with serving(Fake(500)) as fake:
        said_with(fake.url, capsys, "predict", ".")
        assert {login for _, login in fake.asked} == {None}
        said_with(fake.url, capsys, "predict", ".", login="user:own")
        assert fake.asked[-1][1] == "Basic dXNlcjpvd24="


REQUEST = httpx.Request("POST", "http://user:secret@host/api/flows/")


def refusal(status: int) -> httpx.HTTPStatusError:
    """Return that a server refused a request."""
    return httpx.HTTPStatusError(
        "refused", request=REQUEST, response=httpx.Response(status, request=REQUEST)
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal(401), "refuses the login (401)"),
        (refusal(422), "fails (422 Unprocessable Entity for /api/flows/)"),
        (httpx.ConnectError("one\nline " + "x" * 999), "does not answer (ConnectError: one line x"),
    ],
)
def test_a_connection_that_broke_is_one_line_also_where_prefect_has_wrapped_the_error(
    error: httpx.HTTPError, said: str
) -> None:
    wrapped = RuntimeError("a hint of Prefect's")
    wrapped.__cause__ = error
    for raised in (error, wrapped):
        with pytest.raises(DigitflowError) as told, said_in_words():
            raise raised
        assert said in str(told.value)
        assert len(str(told.value)) < 500
        assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("a defect"), KeyError("x"), DigitflowError("said already")]
)
def test_what_is_no_trouble_of_the_connection_is_passed_on_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as passed, said_in_words():
        raise error
    assert passed.value is error
