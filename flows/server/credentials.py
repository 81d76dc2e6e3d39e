"""The login of the servers of a home: made once, kept in a file that its user alone can read."""

import os
import secrets
import tempfile
from pathlib import Path

from tasks.errors import InputError

LOGIN_FILE = "login"  # in the home folder
USER = "digitflow"
BYTES = 32  # of chance in a password


def kept_login(home: Path) -> str:
    """Return `user:password`, made at the first call for a home.

    Raises:
        InputError: the file is damaged, or others can read it.
    """
    file = home / LOGIN_FILE
    if not file.exists():
        private_folder(home)
        made = _private_file(home, f"{new_login()}\n")
        try:
            os.link(made, file)
        except FileExistsError:
            pass  # another command has made one at the same time: that one counts
        finally:
            made.unlink()
    if file.stat().st_mode & 0o077:
        raise InputError(
            f"others can read {file}, the login of your server: delete it to get another"
        )
    login = file.read_bytes().decode("utf-8", "surrogateescape").strip()  # not printable
    user, _, password = login.partition(":")
    if not (user and password and login.isprintable()):
        raise InputError(f"{file} holds no user:password: delete it to get another")
    return login


def new_login() -> str:
    """Return a `user:password` that nobody guesses."""
    return f"{USER}:{secrets.token_urlsafe(BYTES)}"


def private_folder(folder: Path) -> Path:
    """Return a folder that is its user's alone if it is made here."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all that its user alone can read."""
    _private_file(private_folder(file.parent), text).replace(file)


def _private_file(folder: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(dir=folder, prefix=".private-")  # made with mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    return Path(name)
