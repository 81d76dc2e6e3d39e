"""A team's server on PostgreSQL with its home, backed up and restored as the README says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.server.defaults import DEFAULTS
from flows.server.server_process import (
    Server,
    listening_socket,
    start_server,
    stop,
    wait_until_it_answers,
)
from tests.helpers import free_port
from tests.prefect_api import Api

ROOT = Path(__file__).parents[3]
SERVER_S = 200.0  # on a busy machine
LOGIN = "someone:secret"
# Debian's, whose programs are not among the commands
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
PROGRAMS = INSTALLED[-1].parent if INSTALLED else None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL in /usr/lib/postgresql"),
]


@pytest.fixture
def postgres() -> Iterator[dict[str, str]]:
    """Run PostgreSQL, and return the variables of its clients."""
    # no folder of pytest's, which are closed to others: PostgreSQL refuses to run as root
    with tempfile.TemporaryDirectory() as folder:
        yield from _postgres_in(Path(folder))


def _postgres_in(folder: Path) -> Iterator[dict[str, str]]:
    assert PROGRAMS
    port = str(free_port())
    as_user = [] if os.getuid() else ["setpriv", "--reuid=nobody", "--clear-groups"]
    if as_user:
        shutil.chown(folder, "nobody")
    data = ["-D", str(folder / "data")]
    init = [*as_user, PROGRAMS / "initdb", *data, "-U", "prefect", "--auth=trust"]
    subprocess.run(init, check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    control = [*as_user, PROGRAMS / "pg_ctl", *data, "-l", folder / "log", "-w"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    clients = {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "prefect"}
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    try:
        yield clients | {"PATH": path}
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def serving(database: str, postgres: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """Run a server on a database, and return the variables of its clients."""
    place = f"prefect@{postgres['PGHOST']}:{postgres['PGPORT']}/{database}"
    environment = {
        **os.environ,
        **DEFAULTS,
        "PREFECT_HOME": str(folder / database),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{place}",
    }
    listening = listening_socket(0)
    server = Server(listening.getsockname()[1], LOGIN)
    with (folder / f"{database}.log").open("wb+") as log:
        with listening:
            process = start_server(server, listening, environment, log)
        try:
            wait_until_it_answers(server, process, SERVER_S, log)
            yield environment | server.client_environment()
        finally:
            stop(process)


def deploy(environment: dict[str, str]) -> list[str]:
    """Return what `digitflow deploy` says."""
    command = [sys.executable, "-m", "flows.cli.main", "deploy"]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_what_was_backed_up_is_there_again(
    postgres: dict[str, str], tmp_path: Path, home: Path
) -> None:
    page = (ROOT / "deployments" / "README.md").read_text()
    commands = re.findall(r"^(?:pg_dump|tar|pg_restore) .*?(?=  #)", page, re.MULTILINE)
    dump, pack, restore = (command.replace("/var/lib", str(tmp_path)) for command in commands)

    def shell(command: str) -> None:
        environment = os.environ | postgres
        subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path, env=environment)

    shell("createdb prefect")
    (tmp_path / "digitflow" / "results").mkdir(parents=True)
    (tmp_path / "digitflow" / "results" / "row").write_text("1")
    with serving("prefect", postgres, tmp_path) as environment:
        assert [line.split()[0] for line in deploy(environment)] == ["Made"] * 3
        api = Api(environment["PREFECT_API_URL"], LOGIN)
        inbox = api.ask("GET", "/deployments/name/predict/inbox")
        api.ask("PATCH", f"/deployments/{inbox['id']}", {"description": "Ours"})
        shell(dump)
        shell(pack)
    shell(f"createdb restored && {restore}")
    shell(f"mkdir again && tar -xzf digitflow.tgz -C again && rm -r {tmp_path / 'digitflow'}")
    assert (tmp_path / "again" / "digitflow" / "results" / "row").read_text() == "1"
    with serving("restored", postgres, tmp_path) as environment:
        kept = [line for line in deploy(environment) if not line.startswith("As declared")]
        assert len(kept) == 1
        assert kept[0].startswith("Kept         predict/inbox: description: Ours, changed there")
