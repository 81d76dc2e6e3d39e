"""Who may log in to the page of review from elsewhere: names, and what proves their passwords.

A password itself is kept nowhere (scrypt, RFC 7914; its cost is that of OWASP's password storage
cheat sheet for 32 MiB).
"""

import hashlib
import hmac
import json
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from flows.server.credentials import write_private
from tasks.errors import InputError

PEOPLE_FILE = "reviewers.json"  # in the home folder
COST = {"n": 2**15, "r": 8, "p": 3}
MEMORY = 64 * 2**20  # bytes that scrypt may take: twice what it needs
SHORTEST = 8  # characters of a password
LONGEST_NAME = 100  # characters
TRIES, PAUSE_S = 5, 60.0  # wrong passwords for a name from one place, and how long it waits then


class People:
    """The people of a home."""

    def __init__(self, home: Path) -> None:
        """Take the home; its file need not be there."""
        self._file = home / PEOPLE_FILE
        self._one_at_a_time = threading.Lock()  # so that many tries take no more memory than one
        self._failed: dict[tuple[str, str], list[float]] = {}

    def names(self) -> list[str]:
        """Return who may log in.

        Raises:
            InputError: the file is damaged, or others can read it.
        """
        return sorted(self._read())

    def add(self, name: str, password: str) -> bool:
        """Let somebody log in, or give them another password; tell whether they are new.

        Raises:
            InputError: the name or the password cannot be taken.
        """
        if not (name == name.strip() and name.isprintable() and 0 < len(name) <= LONGEST_NAME):
            raise InputError(f"a name has 1 to {LONGEST_NAME} characters that can be printed")
        if len(password) < SHORTEST:
            raise InputError(f"a password has at least {SHORTEST} characters")
        people = self._read()
        salt = secrets.token_bytes(16)
        entry = {"salt": salt.hex(), "hash": _hashed(password, salt).hex()}
        write_private(self._file, json.dumps(people | {name: entry}, indent=1) + "\n")
        return name not in people

    def may_enter(self, name: str, password: str, place: str) -> bool:
        """Tell whether it is the password of that name.

        Args:
            name: as it was typed.
            password: as it was typed.
            place: where it was typed.

        Raises:
            InputError: too many tries have failed, or the file is damaged.
        """
        with self._one_at_a_time:
            now = time.monotonic()
            lately = {
                who: [at for at in times if at > now - PAUSE_S]
                for who, times in self._failed.items()
            }
            self._failed = {who: times for who, times in lately.items() if times}
            failed = self._failed.get((name, place), [])
            if len(failed) >= TRIES:
                raise InputError("too many tries: wait a minute")
            entry = self._read().get(name)
            # as long for a name that is not there as for one that is
            salt, proof = (
                (bytes.fromhex(entry[key]) for key in ("salt", "hash")) if entry else (b"", b"")
            )
            if hmac.compare_digest(_hashed(password, salt), proof):
                self._failed.pop((name, place), None)
                return True
            self._failed[name, place] = [*failed, now]
            return False

    def _read(self) -> dict[str, Any]:
        try:
            if self._file.stat().st_mode & 0o077:
                raise InputError(f"others can read {self._file}: chmod 600 it, or delete it")
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return {str(name): dict(entry) for name, entry in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError) as error:
            raise InputError(f"{self._file} is damaged ({error}): delete it") from None


def _hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, maxmem=MEMORY, dklen=32, **COST)
