"""The login of a home is made once, for its user alone, and one that is damaged is refused."""

import os
import threading
from pathlib import Path

import pytest

from flows.server.credentials import (
    LOGIN_FILE,
    kept_login,
    new_login,
    private_folder,
    write_private,
)
from tasks.errors import InputError


def test_the_login_is_made_once_and_for_its_user_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        login = kept_login(home)
    finally:
        os.umask(before)
    assert kept_login(home) == login
    assert (home / LOGIN_FILE).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in home.iterdir()] == [LOGIN_FILE]


@pytest.mark.parametrize("content", ["", "\n", "digitflow:", ":x", "digitflow", "a:b\x1b[0m"])
def test_a_damaged_login_is_an_error(home: Path, content: str) -> None:
    write_private(home / LOGIN_FILE, content)
    with pytest.raises(InputError, match="delete it"):
        kept_login(home)


def test_a_login_that_others_can_read_is_an_error(home: Path) -> None:
    kept_login(home)
    (home / LOGIN_FILE).chmod(0o640)
    with pytest.raises(InputError, match="others can read"):
        kept_login(home)


def test_a_login_that_is_no_text_is_an_error(home: Path) -> None:
    write_private(home / LOGIN_FILE, "")
    (home / LOGIN_FILE).write_bytes(b"digitflow:\xff\xfe")
    with pytest.raises(InputError, match="delete it"):
        kept_login(home)


def test_commands_that_begin_at_once_have_one_login(home: Path) -> None:
    count = 16
    together, logins = threading.Barrier(count), list[str]()

    def begin() -> None:
        together.wait(60)
        logins.append(kept_login(home))

    threads = [threading.Thread(target=begin) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(logins), set(logins)) == (count, {kept_login(home)})
    assert [file.name for file in home.iterdir()] == [LOGIN_FILE]


def test_no_two_logins_are_alike_and_none_ends_the_line_or_the_name_of_its_user() -> None:
    logins = [new_login() for _ in range(100)]
    assert len(set(logins)) == 100
    for login in logins:
        user, password = login.split(":")
        assert (user, len(password) > 40, login.isprintable()) == ("digitflow", True, True)


def test_a_private_file_takes_the_place_of_one_that_others_could_read(home: Path) -> None:
    file = home / "state" / "server.json"
    file.parent.mkdir(parents=True, mode=0o755)
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new \u00e9\n")
    assert file.read_text(encoding="utf-8") == "new \u00e9\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_link_in_the_place_of_a_private_file_is_not_followed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "of another").write_text("theirs")
    private_folder(home)
    (home / "server.json").symlink_to(tmp_path / "of another")
    write_private(home / "server.json", "ours")
    assert (tmp_path / "of another").read_text() == "theirs"
    assert (home / "server.json").read_text() == "ours"
