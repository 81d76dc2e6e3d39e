"""Who may log in: passwords are kept nowhere, and are not guessed."""

from pathlib import Path

import pytest

from flows.review import people as people_file
from flows.review.people import PEOPLE_FILE, TRIES, People
from tasks.errors import InputError

HERE = "192.0.2.1"
WORD = "correct horse"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a try take no time."""
    monkeypatch.setattr(people_file, "COST", {"n": 2, "r": 8, "p": 1})


def test_a_person_enters_by_their_own_password_alone(tmp_path: Path) -> None:
    people = People(tmp_path)
    assert people.names() == []
    assert people.add("Ada", WORD)
    assert people.add("Bülent Ö.", "another one")
    assert people.names() == ["Ada", "Bülent Ö."]
    assert people.may_enter("Ada", WORD, HERE)
    for name, password in (("Ada", "another one"), ("Ada", ""), ("", ""), ("Eve", WORD)):
        assert not people.may_enter(name, password, HERE)
    assert not people.add("Ada", "a new password")
    assert not people.may_enter("Ada", WORD, HERE)
    assert people.may_enter("Ada", "a new password", HERE)


def test_no_password_is_kept_and_nobody_else_reads_the_file(tmp_path: Path) -> None:
    people = People(tmp_path)
    people.add("Ada", WORD)
    people.add("Bob", WORD)
    file = tmp_path / PEOPLE_FILE
    text = file.read_text()
    assert WORD not in text
    assert text.count('"hash"') == len(set(text.split('"hash"'))) - 1  # of one password two
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(InputError, match="others can read"):
        people.may_enter("Ada", WORD, HERE)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", WORD),
        (" Ada", WORD),
        ("A\nB", WORD),
        ("x" * 101, WORD),
        ("Ada", "short"),
    ],
)
def test_odd_names_and_short_passwords_are_refused(
    tmp_path: Path, name: str, password: str
) -> None:
    with pytest.raises(InputError):
        People(tmp_path).add(name, password)
    assert not (tmp_path / PEOPLE_FILE).exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"Ada": 1}', '{"Ada": "x"}'])
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, text: str) -> None:
    file = tmp_path / PEOPLE_FILE
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(InputError, match="damaged"):
        People(tmp_path).may_enter("Ada", WORD, HERE)


def test_who_has_tried_too_often_waits_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People(tmp_path)
    people.add("Ada", WORD)
    for _ in range(TRIES):
        assert not people.may_enter("Ada", "wrong", HERE)
    with pytest.raises(InputError, match="too many tries"):
        people.may_enter("Ada", WORD, HERE)
    assert people.may_enter("Ada", WORD, "192.0.2.2")
    monkeypatch.setattr(people_file, "PAUSE_S", 0.0)
    assert people.may_enter("Ada", WORD, HERE)
