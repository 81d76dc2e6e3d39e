"""An inbox whose batch is held: its files stay, and go with its rows when it is released."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.holding import batch as batch_file
from flows.holding.decisions import decide
from flows.orchestration.inbox import BATCH_FILE, Tick, tick
from flows.orchestration.run_names import name_of_tick
from flows.runner import ThreadRunner
from flows.terminal.console import Console
from tasks.holding.batches import Action
from tasks.results import table
from tasks.settings.reading import InboxSettings
from tests.bars import bar, encoded
from tests.flows.holding.odd import odd_where_half_is_rejected

pytestmark = pytest.mark.processes

BLANK = encoded(bar(3) * 0)


@pytest.fixture
def inbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(batch_file, "findings", odd_where_half_is_rejected)
    folder = home / "inbox"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def look(model_file: Path, tmp_path: Path) -> Callable[..., Tick]:
    """Return what looks at the inbox once, and moves what was read."""
    (tmp_path / "read").mkdir()
    places = {"after": "move", "move_to": str(tmp_path / "read"), "rejected_to": None}

    def looked(**settings: Any) -> Tick:
        given = {"settle": 0, "model": str(model_file), "workers": 1, **places, **settings}
        return tick(InboxSettings(**given), Console(quiet=True), ThreadRunner())

    return looked


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def rows(home: Path) -> list[str]:
    place = str(home / "results")
    return table.select(place)["path"].to_pylist() if table.is_table(place) else []


def test_files_stay_while_their_batch_is_held_and_go_after_its_release(
    home: Path, inbox: Path, look: Any, tmp_path: Path
) -> None:
    for name, content in {"a": BLANK, "b": BLANK, "c": encoded(bar(5))}.items():
        (inbox / f"{name}.png").write_bytes(content)
    batches = tmp_path / "batches"
    done = look(batches_to=str(batches))
    assert (
        name_of_tick(InboxSettings(), done)
        == "inbox: held (rejects): 1 read, 0 for review, 2 rejected"
    )
    assert (names(inbox), names(batches)) == (["a.png", "b.png", "c.png"], [])
    quiet = look(batches_to=str(batches))
    assert (quiet.summary, quiet.moved, names(batches)) == (None, 0, [])
    decide(done.summary.run_id, Action.RELEASED, "fine")
    after = look(batches_to=str(batches))
    assert (after.summary, after.moved) == (None, 1)
    assert (names(inbox), names(tmp_path / "read")) == (["a.png", "b.png"], ["c.png"])
    assert names(batches) == [f"{done.summary.run_id}.csv"]
    assert len((batches / f"{done.summary.run_id}.csv").read_text().splitlines()) == 4
    (batches / f"{done.summary.run_id}.csv").unlink()
    look(batches_to=str(batches))
    assert (names(batches), rows(home)) == ([], ["a.png", "b.png", "c.png"])


def test_files_of_a_dropped_batch_are_left_alone_at_every_tick(
    home: Path, inbox: Path, look: Any, tmp_path: Path
) -> None:
    (inbox / "a.png").write_bytes(BLANK)
    first = look(batches_to=str(tmp_path / "batches"))
    decide(first.summary.run_id, Action.DROPPED, "the wrong folder")
    for _ in range(2):
        assert look(batches_to=str(tmp_path / "batches")).summary is None
    assert (names(inbox), rows(home)) == (["a.png"], [])
    assert not (home / "runs" / first.summary.run_id / BATCH_FILE).exists()
    (inbox / "b.png").write_bytes(encoded(bar(2)))
    assert look().summary.read == 1
    assert (names(inbox), rows(home)) == (["a.png"], ["b.png"])


def test_what_cannot_be_opened_is_not_held_anew_at_each_tick(
    home: Path, inbox: Path, look: Any
) -> None:
    (inbox / "gone.png").symlink_to("nowhere")
    first = look()
    assert first.summary.reasons == {"vanished": 1}
    assert first.summary.held
    for _ in range(2):
        assert look().summary is None
    decide(first.summary.run_id, Action.RELEASED, "so it is")
    assert look().summary is None
    assert rows(home) == ["gone.png"]


def test_a_tick_goes_on_with_a_release_whose_program_was_killed(
    home: Path, inbox: Path, look: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (inbox / "a.png").write_bytes(BLANK)
    run = look().summary.run_id
    with monkeypatch.context() as patch:
        patch.setattr("flows.holding.decisions.bring_into_results", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            decide(run, Action.RELEASED, "fine")
    assert rows(home) == []
    assert look().summary is None
    assert rows(home) == ["a.png"]


def test_a_name_that_is_used_again_after_a_release_is_another_picture(
    home: Path, inbox: Path, look: Any
) -> None:
    (inbox / "a.png").write_bytes(BLANK)
    (inbox / "b.png").write_bytes(encoded(bar(5)))
    held = look().summary
    decide(held.run_id, Action.RELEASED, "fine")
    assert look().moved == 1
    (inbox / "b.png").write_bytes(encoded(bar(6)))
    assert look().summary.read == 1
    assert rows(home) == ["a.png", "b.png", "b.png//2"]
