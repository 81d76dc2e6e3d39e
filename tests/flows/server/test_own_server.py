"""A Prefect server of one's own: prefect.yaml followed to the letter, and workers that come and go.

Each worker has a folder and a home of its own, of which the server and who deploys know nothing.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.bars import bar, encoded, encoded_once
from tests.flows.server.own_server import Own, own_server, until, worker_of
from tests.helpers import register_champion

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with own_server(tmp_path_factory.mktemp("deployer")) as own:
        yield own


def test_a_worker_anywhere_reads_the_inbox_of_its_own_home(
    own: Own, home: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    with worker_of(own, home):
        run = own.ended(own.ask_for({}))
        assert run["state_type"] == "COMPLETED", run["state"]
        assert run["name"] == "inbox: nothing new"
        assert (home / "inbox").is_dir()
        (home / "inbox" / "7.png").write_bytes(encoded(bar(7)))
        run = own.ended(own.ask_for({}))
        assert run["state_type"] == "COMPLETED", run["state"]
        assert run["name"] == "inbox: 1 read, 0 for review, 0 rejected"
        (home / "inbox" / "broken.png").write_bytes(b"not a picture")
        run = own.ended(own.ask_for({"strict": True}))
    assert run["state_type"] == "FAILED"
    assert run["state"]["message"] == ("1 of the pictures that were found are rejected (--strict)")
    assert run["name"] == "inbox: 0 read, 0 for review, 1 rejected"


def test_of_the_runs_that_waited_for_a_worker_one_is_made(
    own: Own, home: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    waited = [own.ask_for({}, late=timedelta(hours=hours)) for hours in (3, 2, 1)]
    with worker_of(own, home):
        states = sorted(own.ended(made)["state_type"] for made in waited)
    assert states == ["CANCELLED", "CANCELLED", "COMPLETED"]


def test_a_run_whose_worker_is_killed_finishes_and_its_state_is_right(
    own: Own, home: Path, model_file: Path, tmp_path: Path
) -> None:
    register_champion(home, model_file)
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(500):
        (folder / f"{number}.png").write_bytes(encoded_once(bar(number % 10), number))
    with worker_of(own, home) as worker:
        # not held: the model of bars reads no control digits
        made = own.ask_for({"source": str(folder), "hold": False})
        until(lambda: own.run(made)["state_type"] == "RUNNING")
        worker.kill()
        worker.wait()
        assert own.run(made)["state_type"] == "RUNNING"
        run = own.ended(made)
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["state"]["message"] == "500 read, 0 for review, 0 rejected"
    until(lambda: any(line.startswith("Report:") for line in own.log_of(made)))


def test_what_one_machine_has_read_is_not_read_again_by_another(
    own: Own, home: Path, model_file: Path, tmp_path: Path
) -> None:
    places = {
        name: str(tmp_path / name.lower()) for name in ("DIGITFLOW_MODELS", "DIGITFLOW_RESULTS")
    }
    register_champion(home, model_file, place=places["DIGITFLOW_MODELS"])
    shared = tmp_path / "scans"
    shared.mkdir()
    (shared / "7.png").write_bytes(encoded(bar(7)))
    names = []
    for machine in ("one", "other"):  # each has a home of its own, and what the README shares
        with worker_of(own, tmp_path / machine / "home", **places):
            names.append(own.ended(own.ask_for({"source": str(shared)}))["name"])
        assert not (tmp_path / machine / "home" / "results").exists()
    assert names == [
        f"{shared}: 1 read, 0 for review, 0 rejected",
        f"{shared}: nothing new",
    ]
