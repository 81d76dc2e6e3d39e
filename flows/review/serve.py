"""Serve the page of review until Ctrl-C: on this machine alone, or for people with a login."""

import hashlib
import ipaddress
import json
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from flows.review.access import Access, ByLogin, ByToken
from flows.review.app import review_app
from flows.review.people import People
from flows.review.pictures import Pictures
from flows.server.credentials import private_folder
from flows.server.guard import OwnNames
from flows.server.only_one import only_one
from tasks.atomic import write_text
from tasks.errors import InputError
from tasks.inputs.base import printable
from tasks.inputs.open import whole
from tasks.results.compact import MANY, compact, small_files
from tasks.results.repair import require_sound
from tasks.results.table import open_table
from tasks.review.answers import settle
from tasks.review.journal import JOURNAL_FILE, AnswerJournal, said_in
from tasks.review.queue import Choice
from tasks.review.session import Keep, PageOf, ReviewSession, hand_over
from tasks.runs import SUMMARY_FILE, open_run, run_lock
from tasks.settings.base import home, results_table
from tasks.storage.journal import actor

LOOPBACK, PORT = "127.0.0.1", 4201
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - names, of which none is one to be asked by
KIND = "review"  # of a run
STOP_S = 5  # seconds for requests that are being answered
LOGIN_NEEDED = (
    "people from elsewhere log in: add each by `digitflow review --add-person NAME`, and start it "
    "again"
)

Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Reviewed:
    """What came of a session."""

    run_id: str
    results: str
    answered: int
    left: int  # that wait
    replayed: int  # answers of earlier sessions that were not in the results yet

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Address:
    """Where the page is served, and under which origins it is reached."""

    host: str
    port: int
    origins: Sequence[str]

    @property
    def alone(self) -> bool:
        """Tell whether nobody but who is at this machine reaches it."""
        names = [self.host, *(urlsplit(origin).hostname or "" for origin in self.origins)]
        return all(map(_is_loopback, names))

    def own_origins(self) -> list[str]:
        """Return the origins that it answers to.

        Raises:
            InputError: they have to be given, or are none.
        """
        if self.origins:
            try:
                OwnNames(self.origins)
            except ValueError as error:
                raise InputError(f"--origin: {error}") from None
            return list(self.origins)
        if self.host in ANY_ADDRESS:
            raise InputError(
                f"--host {self.host}: add --origin with the address under which people open it, as "
                f"--origin https://review.example.org or --origin http://192.0.2.5:{self.port}"
            )
        names = [LOOPBACK, "localhost"] if self.host == LOOPBACK else [self.host]
        return [f"http://{f'[{name}]' if ':' in name else name}:{self.port}" for name in names]


def review(address: Address, choice: Choice, say: Say, keep: Keep | None = None) -> Reviewed:
    """Serve the page until Ctrl-C.

    Args:
        address: where.
        choice: what is looked at; its source may be a relative path.
        say: prints a line.
        keep: is given each picture whose digit a person has said.

    Raises:
        InputError: the address cannot be used, there are no results yet, nobody can log in, or the
            same results are reviewed by another process of this home.
        DigitflowError: the results cannot be read or written.
    """
    table = results_table()
    require_sound(table)
    open_table(table)
    address.own_origins()
    if not address.alone and not People(home()).names():
        raise InputError(LOGIN_NEEDED)
    refusal = "`digitflow review` of these results runs already"
    lock = f"review-{hashlib.sha256(table.encode()).hexdigest()[:16]}.lock"
    with _listening(address) as listening:
        # the port 0 stands for any that is free
        served = Address(address.host, listening.getsockname()[1], address.origins)
        alone = only_one(private_folder(home()), served.own_origins()[0], refusal, lock)
        with alone, closing(Pictures()) as pictures:
            replayed = replay_all(table, home() / "runs", say, keep, pictures.page)
            return _serve(served, listening, table, _found(choice), say, keep, pictures, replayed)


def replay_all(
    table: str, runs: Path, say: Say, keep: Keep | None = None, page_of: PageOf | None = None
) -> int:
    """Commit what sessions that were killed have left in their journals; return how many rows.

    Args:
        table: folder or URL of the results.
        runs: folder of the runs of this machine.
        say: prints a line.
        keep: is given each picture whose digit a person has said.
        page_of: loads it.

    Raises:
        InputError: a journal is damaged.
        DigitflowError: the results cannot be written.
    """
    replayed = 0
    for folder in sorted(runs.glob(f"{KIND}-*")):
        file = folder / JOURNAL_FILE
        if (folder / SUMMARY_FILE).exists() or not file.is_file():
            continue
        said = said_in(file, table)
        if said is None:
            continue
        done = settle(table, folder.name, said.open())
        hand_over(done, keep, page_of)
        if done.rows:
            say("Replayed", f"{len(done.rows):,} answers of {folder.name}, which was killed")
        for key, why in done.left.items():
            say("", f"{key.path}: its answer is left, for {why}")
        answered = Reviewed(folder.name, table, len(said.answers), 0, 0)
        write_text(folder / SUMMARY_FILE, json.dumps(answered.to_dict()) + "\n")
        replayed += len(done.rows)
    return replayed


def _serve(
    address: Address,
    listening: socket.socket,
    table: str,
    choice: Choice,
    say: Say,
    keep: Keep | None,
    pictures: Pictures,
    replayed: int,
) -> Reviewed:
    import uvicorn

    run = open_run(KIND, home())
    with run_lock(run, {KIND: table}, open_table(table).version()):
        journal = AnswerJournal(run / JOURNAL_FILE, table)
        session = ReviewSession(table, run.name, journal, choice, keep, pictures.page)
        origins, cookie = address.own_origins(), f"digitflow-review-{address.port}"
        token = secrets.token_urlsafe(32)
        way = ByToken(token, actor()) if address.alone else ByLogin(People(home()))
        app = Access(review_app(session, pictures), origins, way, cookie)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_S,
        )
        session.start()
        _welcome(address, token, session.left, say)
        try:
            with _ended_by_signals():
                uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            pass
        finally:
            session.stop()
        done = Reviewed(run.name, table, session.answered, session.left, replayed)
        write_text(run / SUMMARY_FILE, json.dumps(done.to_dict()) + "\n")
    if small_files(table) >= MANY:
        compact(table)
    say("Answered", f"{done.answered:,} pictures; {done.left:,} wait")
    return done


def _found(choice: Choice) -> Choice:
    """Return the choice with its source as rows have it."""
    source = choice.source
    if source and "://" not in source:
        source = printable(os.fsencode(whole(source)))
    return Choice(choice.reason, source and source.rstrip("/"), choice.run)


def _welcome(address: Address, token: str, left: int, say: Say) -> None:
    say("Waiting", f"{left:,} pictures")
    origins = address.own_origins()
    if address.alone:
        say("Page", f"{origins[0]}/?token={token}")
        say("", "The address is a secret: who has it answers in your name.")
    else:
        for label, origin in zip(["Page", *[""] * len(origins)], origins, strict=False):
            say(label, origin)
        if not all(origin.startswith("https:") for origin in origins):
            say("", "Passwords and pictures cross the network as they are: put a proxy with TLS")
            say("", "in front, and give its address by --origin https://...")
    say("", "Ctrl-C ends it.")


@contextmanager
def _listening(address: Address) -> Iterator[socket.socket]:
    """Give a socket that listens.

    Raises:
        InputError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # with its protocol named, without which asyncio lets small answers wait for 40 ms (Nagle)
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((address.host, address.port))
        except OSError as error:
            raise InputError(
                f"{address.host} port {address.port} cannot be used ({error.strerror}): give "
                "another --host or --port"
            ) from None
        listening.listen()
        yield listening


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
