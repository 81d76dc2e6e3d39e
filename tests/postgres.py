"""A PostgreSQL cluster of its own, which nobody but the tests knows and which ends with them."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers import free_port

STARTED_S = 60.0
DEBIAN = Path("/usr/lib/postgresql")  # of one folder for each version, none of which is in the PATH
USER = "prefect"
NOT_ROOT = ("postgres", "nobody")  # whom root lets run it, which refuses to run as root


def binaries() -> Path | None:
    """Return the folder with the programs of the newest PostgreSQL here, if there is one."""
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster, give the URL of its database as SQLAlchemy wants it, and end it.

    It lies below the folder for temporary files, where its user can go; pytest's own folders are
    closed to others.
    """
    programs = binaries()
    if programs is None:
        raise FileNotFoundError("no PostgreSQL: install the package postgresql")
    with tempfile.TemporaryDirectory(prefix="digitflow-postgres-") as name:
        folder, port, password = Path(name), free_port(), secrets.token_urlsafe(16)
        (folder / "password").write_text(password)
        owner = _owner()
        if owner:
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        data, log = folder / "data", folder / "log"
        asks = ["--auth-host=scram-sha-256", "--auth-local=reject", f"--username={USER}"]
        making = [f"{programs}/initdb", f"--pgdata={data}", "--encoding=UTF8", "--no-locale", *asks]
        with log.open("wb") as output:
            command = [*_as(owner), *making, f"--pwfile={folder / 'password'}"]
            subprocess.run(command, stdout=output, stderr=output, check=True, cwd="/")
            serving = [f"{programs}/postgres", "-D", str(data), "-h", "127.0.0.1", "-p", str(port)]
            process = subprocess.Popen(
                [*_as(owner), *serving, "-k", ""], stdout=output, stderr=output, cwd="/"
            )
        try:
            _wait(programs, port, process, log)
            yield f"postgresql+asyncpg://{USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # at once, also with clients
            process.wait(STARTED_S)


def _owner() -> pwd.struct_passwd | None:
    """Return whom it runs as; None: whoever runs the tests."""
    if os.getuid():
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return next(names[name] for name in NOT_ROOT if name in names)


def _as(owner: pwd.struct_passwd | None) -> list[str]:
    """Return the words that run a command as somebody, who is told when these tests are killed."""
    ids = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"] if owner else []
    return ["setpriv", *ids, "--pdeathsig=INT"]


def _wait(programs: Path, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    asking = [f"{programs}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + STARTED_S
    while subprocess.run(asking, check=False).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"PostgreSQL did not start: {log.read_text()}")
        time.sleep(0.1)
