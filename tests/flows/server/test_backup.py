"""A team's server on PostgreSQL with its home, backed up and restored as the README says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flows.server.defaults import DEFAULTS
from flows.server.server_process import (
    Server,
    listening_socket,
    start_server,
    stop,
    wait_until_it_answers,
)
from tests import postgres
from tests.flows.server.own_server import ROOT, SERVER_S
from tests.prefect_api import Api

LOGIN = "someone:secret"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.skipif(not postgres.binaries(), reason="no PostgreSQL on this machine"),
]


@contextmanager
def serving(url: str, database: str, folder: Path) -> Iterator[dict[str, str]]:
    """Run a server on a database, and return the variables of its clients."""
    environment = {
        **os.environ,
        **DEFAULTS,
        "PREFECT_HOME": str(folder / database),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"{url.rpartition('/')[0]}/{database}",
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
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_was_backed_up_is_there_again(tmp_path: Path) -> None:
    page = (ROOT / "deployments" / "README.md").read_text()
    commands = re.findall(r"^(?:pg_dump|tar|pg_restore) .*?(?=  #)", page, re.MULTILINE)
    dump, pack, restore = (command.replace("/var/lib", str(tmp_path)) for command in commands)
    with postgres.cluster() as url:
        parts = urlsplit(url)
        clients = {
            "PGHOST": str(parts.hostname),
            "PGPORT": str(parts.port),
            "PGUSER": str(parts.username),
            "PGPASSWORD": str(parts.password),
            "PATH": f"{postgres.binaries()}:{os.environ['PATH']}",
        }

        def shell(command: str) -> None:
            environment = os.environ | clients
            subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path, env=environment)

        shell("createdb prefect")
        (tmp_path / "digitflow" / "results").mkdir(parents=True)
        (tmp_path / "digitflow" / "results" / "row").write_text("1")
        with serving(url, "prefect", tmp_path) as environment:
            assert {line.split()[0] for line in deploy(environment)} == {"Made"}
            api = Api(environment["PREFECT_API_URL"], LOGIN)
            inbox = api.ask("GET", "/deployments/name/predict/inbox")
            api.ask("PATCH", f"/deployments/{inbox['id']}", {"description": "Ours"})
            shell(dump)
            shell(pack)
        shell(f"createdb restored && {restore}")
        shell("rm -r digitflow && mkdir again && tar -xzf digitflow.tgz -C again")
        assert (tmp_path / "again" / "digitflow" / "results" / "row").read_text() == "1"
        with serving(url, "restored", tmp_path) as environment:
            [kept] = [line for line in deploy(environment) if not line.startswith("As declared")]
        assert kept.startswith("Kept         predict/inbox: description: Ours, changed there")
