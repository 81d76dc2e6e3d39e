"""`digitflow review` as a command: where it serves and to whom, and what a killed one leaves."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.cli.review import Review
from flows.review.people import PEOPLE_FILE, People
from flows.review.pictures import Pictures
from flows.review.serve import Address, replay_all
from tasks.errors import InputError
from tasks.results import table as results
from tasks.review.answers import NO_DIGIT, Row
from tasks.runs import needed_runs
from tests.flows.review.serving import ROOT, Serving, serving
from tests.flows.review.waiting_pictures import bars_in, waits
from tests.helpers import run

pytestmark = pytest.mark.processes

ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - a name, at which nothing listens here


@pytest.fixture
def table(home: Path, tmp_path: Path) -> str:
    """Return the results of the home, in which four bars wait."""
    table = str(home / "results")
    waits(table, tmp_path / "scans", bars_in(tmp_path / "scans", 4))
    return table


def browser(server: Serving) -> httpx.Client:
    client = httpx.Client(base_url=server.url.partition("/?")[0], timeout=60)
    client.get(server.url)
    return client


def answers(client: httpx.Client, *said: str) -> None:
    for each in said:
        found = client.post("/api/upcoming", json={"page": "one"}).json()
        facts = {"page": "one", "number": found["pictures"][0]["number"], "said": each}
        assert client.post("/api/answer", json=facts).status_code == 200


def digits(table: str) -> list[int | None]:
    rows = results.select(table, columns=["path", "digit", "answered_by"]).to_pylist()
    return [row["digit"] for row in rows if row["answered_by"]]


def test_answers_are_in_the_results_when_the_server_has_ended(table: str, home: Path) -> None:
    for number, word in ((signal.SIGINT, "7"), (signal.SIGTERM, "8")):
        with serving() as server:
            assert "pictures" in server.said
            answers(browser(server), word)
            assert "Answered     1 pictures" in server.stop(number)
            assert server.process.returncode == 0
    assert digits(table) == [7, 8]
    assert needed_runs(home.joinpath("runs").glob("review-*")) == {}


def test_what_a_killed_server_was_told_is_in_the_results_with_the_next_one(
    table: str, home: Path
) -> None:
    with serving() as server:
        client = browser(server)
        answers(client, "7", "8", "9")
        assert client.post("/api/undo", json={"page": "one"}).json()["undone"]
        server.process.kill()
    [folder] = home.joinpath("runs").glob("review-*")
    assert folder in needed_runs([folder])  # maintenance leaves it alone
    with serving() as server:
        assert "2 left" not in server.said
        assert digits(table) == [7, 8]
        assert "Waiting      2 pictures" in server.said
        server.stop()
    assert needed_runs([folder]) == {}
    with serving() as server:
        assert "Replayed" not in server.said


def test_what_a_killed_server_was_told_is_handed_over_by_the_next_one(
    table: str, home: Path
) -> None:
    with serving() as server:
        answers(browser(server), "7", NO_DIGIT)
        server.process.kill()
        server.process.wait()
    kept = list[tuple[int | None, str]]()

    def keep(page: Any, digit: int | None, row: Row) -> None:
        assert page.shape == (28, 28, 3)
        kept.append((digit, row["path"]))

    with closing(Pictures()) as pictures:
        arguments = (table, home / "runs", lambda *_: None, keep, pictures.page)
        assert replay_all(*arguments) == 2
        assert sorted(kept, key=str) == [(7, "0000.png"), (None, "0001.png")]
        # one that was killed once more, just after it had committed
        next((home / "runs").glob("review-*/summary.json")).unlink()
        assert replay_all(*arguments) == 0
        assert len(kept) == 4


def test_the_same_results_are_reviewed_by_one_server_at_a_time(
    table: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving() as server:
        assert run("review", "--port", "0") == 2
        said = capfd.readouterr().err
        assert "of these results runs already" in said
        assert server.url.partition("/?")[0] in said
        assert server.url not in said


def test_a_port_that_is_taken_is_said(table: str, capfd: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        port = server.url.partition("/?")[0].rpartition(":")[2]
        assert run("review", "--port", port) == 2
        assert f"port {port} cannot be used" in capfd.readouterr().err


def test_without_results_there_is_nothing_to_review(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("review", "--port", "0") == 2
    assert "run `digitflow predict FOLDER` first" in capfd.readouterr().err


def test_only_what_was_asked_for_waits(table: str, tmp_path: Path) -> None:
    for words, count in (
        (("--source", str(tmp_path / "scans") + "/"), 4),
        (("--source", os.path.relpath(tmp_path / "scans", ROOT)), 4),
        (("--source", "elsewhere"), 0),
        (("--reason", "ambiguous"), 0),
        (("--run", "run-1"), 4),
    ):
        with serving(*words) as server:
            assert f"Waiting      {count} pictures" in server.said, words


@pytest.mark.parametrize(
    ("host", "origins", "alone"),
    [
        ("127.0.0.1", [], True),
        ("::1", [], True),
        ("localhost", [], True),
        ("192.0.2.5", [], False),
        (ALL_ADDRESSES, ["http://192.0.2.5:4201"], False),
        ("127.0.0.1", ["https://review.example.org"], False),  # a proxy leads others here
    ],
)
def test_who_comes_from_elsewhere_logs_in(host: str, origins: list[str], alone: bool) -> None:
    assert Address(host, 4201, origins).alone == alone


def test_an_address_that_stands_for_all_has_to_be_named() -> None:
    with pytest.raises(InputError, match="--origin"):
        Address(ALL_ADDRESSES, 4201, []).own_origins()
    assert Address("::1", 4201, []).own_origins() == ["http://[::1]:4201"]
    assert Address("192.0.2.5", 4201, []).own_origins() == ["http://192.0.2.5:4201"]


def test_without_a_login_nobody_is_served_elsewhere(
    table: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere = ("--origin", "http://review.test:1")
    assert run("review", "--port", "0", *elsewhere) == 2
    assert "--add-person" in capfd.readouterr().err
    People(home).add("Ada", "correct horse")
    with serving(*elsewhere) as server:
        assert "token" not in server.said
        assert "put a proxy with TLS" in server.said
        server.stop()
    assert run("review", "--port", "0", "--origin", "review.test") == 2
    assert "is no origin" in capfd.readouterr().err


def test_a_person_is_added_with_a_password_that_is_typed_twice(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["correct horse", "corect horse", "correct horse", "correct horse"])
    monkeypatch.setattr("flows.cli.review.getpass", lambda _: next(typed))
    with pytest.raises(InputError, match="two passwords"):
        Review(add_person="Ada").run()
    assert not (home / PEOPLE_FILE).exists()
    Review(add_person="Ada").run()
    assert "Ada may log in" in capfd.readouterr().out
    assert People(home).names() == ["Ada"]


def test_the_page_loads_no_prefect() -> None:
    program = "import sys, flows.review.serve; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
