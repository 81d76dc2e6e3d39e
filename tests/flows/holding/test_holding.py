"""A batch that is odd is no result before it is released, whatever happens in between."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.holding import batch as batch_file
from flows.holding.decisions import decide, decision_about, held_batches, shown
from flows.predict import predict
from flows.status.events import batch_event, decision_event
from flows.terminal.console import Console
from tasks.errors import DigitflowError, InputError
from tasks.holding.batches import Action, BatchLog
from tasks.holding.held_rows import held_table, runs_held
from tasks.results import table
from tasks.results.summary import Summary
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.flows.holding.odd import odd_where_half_is_rejected
from tests.helpers import answers_at_once, run

pytestmark = pytest.mark.processes

ONCE = ("root", "path", "size", "run_id")
BLANK = encoded(bar(3) * 0)


@pytest.fixture(autouse=True)
def _odd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_file, "findings", odd_where_half_is_rejected)


@pytest.fixture
def folder(tmp_path: Path, home: Path) -> Path:
    """Return an empty folder for pictures; state has a home of its own."""
    made = tmp_path / "pictures"
    made.mkdir()
    return made


def put(folder: Path, **pictures: bytes) -> None:
    """Write files by their names without an ending."""
    for name, content in pictures.items():
        (folder / f"{name}.png").write_bytes(content)


def put_odd(folder: Path) -> None:
    """Write a batch of which most is rejected."""
    put(folder, a=BLANK, b=BLANK, c=encoded(bar(5)))


@pytest.fixture
def read(folder: Path, model_file: Path) -> Any:
    """Return what reads the folder, holding what is odd."""

    def reading(**values: Any) -> Summary:
        usual = {"source": str(folder), "model": str(model_file), "workers": 1, "hold": True}
        return predict(PredictSettings(**(usual | values)), Console(quiet=True))

    return reading


def results(home: Path) -> dict[str, str]:
    """Return the last run of each file that anybody can query; no row is there twice."""
    place = str(home / "results")
    if not table.is_table(place):
        return {}
    rows = table.select(place, table.Query(history=True)).to_pylist()
    assert len({tuple(row[name] for name in ONCE) for row in rows}) == len(rows)
    return {row["path"]: row["run_id"] for row in rows}


def held(home: Path) -> set[str]:
    return runs_held(held_table(str(home / "results")))


def test_a_batch_that_is_like_the_others_is_in_the_results_when_its_run_ends(
    home: Path, folder: Path, read: Any
) -> None:
    put(folder, one=encoded(bar(1)), two=encoded(bar(2)), three=BLANK)
    summary = read()
    assert (summary.found, summary.read, summary.rejected, summary.held) == (3, 2, 1, [])
    assert results(home) == dict.fromkeys(["one.png", "two.png", "three.png"], summary.run_id)
    assert (held(home), held_batches()) == (set(), [])
    assert read().files == 0


def test_an_odd_batch_is_held_and_all_its_rows_are_results_once_it_is_released(
    home: Path, folder: Path, read: Any
) -> None:
    put_odd(folder)
    summary = read()
    assert [each.reason for each in summary.held] == ["rejects"]
    assert (summary.found, summary.read, summary.rejected) == (3, 1, 2)
    assert results(home) == {}
    [entry] = held_batches()
    assert (entry.batch.run_id, entry.batch.pictures) == (summary.run_id, 3)
    again = read()
    assert (again.files, again.unchanged, again.held) == (0, 3, [])
    done = decide(summary.run_id, Action.RELEASED, "blank pages are fine")
    assert (done.rows, done.superseded) == (3, 0)
    assert results(home) == dict.fromkeys(["a.png", "b.png", "c.png"], summary.run_id)
    assert (held(home), held_batches()) == (set(), [])
    assert [(each.action, each.reason) for each in shown(summary.run_id)] == [
        ("held", "rejects"),
        ("released", "blank pages are fine"),
    ]
    assert read().files == 0


def test_a_dropped_batch_is_never_a_result_and_its_files_are_read_when_they_change(
    home: Path, folder: Path, read: Any
) -> None:
    put_odd(folder)
    first = read()
    decide(first.run_id, Action.DROPPED, "the wrong folder")
    assert (read().files, results(home)) == (0, {})
    put(folder, a=encoded(bar(1), compress_level=0))
    second = read()
    assert results(home) == {"a.png": second.run_id}
    third = read(again=True)
    assert (third.files, third.held) == (3, [])
    assert second.run_id != third.run_id
    assert set(results(home).values()) == {third.run_id}


@pytest.mark.parametrize("first", [Action.RELEASED, Action.DROPPED])
@pytest.mark.parametrize("second", [Action.RELEASED, Action.DROPPED])
def test_a_batch_is_decided_once(
    home: Path, folder: Path, read: Any, first: Action, second: Action
) -> None:
    put_odd(folder)
    summary = read()
    decide(summary.run_id, first, "so it is")
    before = results(home)
    with pytest.raises(InputError, match=f"was {first} already, .* so it is"):
        decide(summary.run_id, second, "once more")
    assert results(home) == before


def test_what_passed_and_what_is_unknown_cannot_be_decided(folder: Path, read: Any) -> None:
    put(folder, one=encoded(bar(1)))
    summary = read()
    with pytest.raises(InputError, match="was never held"):
        decide(summary.run_id, Action.DROPPED, "why not")
    with pytest.raises(InputError, match="no batch with rows of a run 'predict-1'"):
        decide("predict-1", Action.RELEASED, "which?")


def test_without_hold_what_is_held_or_dropped_is_not_read_behind_the_back_of_who_decides(
    home: Path, folder: Path, read: Any
) -> None:
    put_odd(folder)
    summary = read()
    assert (read(hold=False).files, results(home)) == (0, {})
    decide(summary.run_id, Action.DROPPED, "no")
    assert (read(hold=False).files, results(home)) == (0, {})
    every = read(hold=False, again=True)
    assert set(results(home).values()) == {every.run_id}


def test_where_held_rows_cannot_lie_a_run_says_how_to_go_without(
    home: Path, folder: Path, read: Any
) -> None:
    put(folder, one=encoded(bar(1)))
    home.mkdir()
    (home / "results-held").write_text("a file")
    with pytest.raises(DigitflowError, match=r"results-held cannot be .*hold: false"):
        read()
    assert read(hold=False).files == 1


def test_what_was_decided_anew_meanwhile_is_no_later_reading_of_a_file_that_changed(
    home: Path, folder: Path, read: Any
) -> None:
    put(folder, a=encoded(bar(6.5)), b=encoded(bar(6.5)))
    read(max_error=0.05)
    put(folder, a=BLANK)
    summary = read(max_error=0.005)
    assert (len(summary.held), summary.files, summary.decided_anew) == (1, 2, 1)
    assert summary.listed == summary.unchanged + summary.others + summary.files
    assert read(max_error=0.005).decided_anew == 1  # of a: what it was before
    done = decide(summary.run_id, Action.RELEASED, "fine")
    assert (done.rows, done.superseded) == (1, 0)
    current = table.select(str(home / "results")).to_pylist()
    assert {row["path"]: row["reason"] for row in current} == {
        "a.png": "blank",
        "b.png": "low_confidence",
    }
    assert read(max_error=0.005).files == 0


def test_a_batch_of_several_sources_is_held_and_released_as_one(
    home: Path, folder: Path, read: Any, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    put_odd(folder)
    put(tmp_path / "more", a=BLANK, d=encoded(bar(1)))
    sources = [str(folder), str(tmp_path / "more")]
    summary = read(source=sources)
    assert (summary.found, len(summary.held), results(home)) == (5, 1, {})
    assert read(source=sources).files == 0
    assert (read().files, read(source=sources[1]).files) == (0, 0)  # also alone
    done = decide(summary.run_id, Action.RELEASED, "fine")
    assert (done.rows, done.superseded) == (5, 0)
    assert sorted(results(home)) == ["a.png", "b.png", "c.png", "d.png"]
    assert read(source=sources).files == 0


def test_a_file_of_rows_has_none_that_are_held_before_they_are_released(
    home: Path, folder: Path, read: Any, tmp_path: Path
) -> None:
    put_odd(folder)
    out = tmp_path / "read.jsonl"
    summary = read(out=out)
    assert out.read_text() == ""
    decide(summary.run_id, Action.RELEASED, "fine")
    read(out=out)
    assert len(out.read_text().splitlines()) == 3


def test_the_server_is_told_what_is_odd_and_who_decided_why(
    home: Path, folder: Path, read: Any
) -> None:
    put_odd(folder)
    summary = read()
    event = batch_event(summary)
    assert event.name == "digitflow.batch.held"
    assert "held for 2 of 3 rejected" in event.payload["message"]
    assert event.payload["held"] == [{"reason": "rejects", "sentence": "2 of 3 rejected"}]
    decide(summary.run_id, Action.DROPPED, "a wrong\nfolder", by="Ada")
    told = decision_event(decision_about(summary.run_id))
    assert told.name == "digitflow.batch.dropped"
    assert told.payload["message"].endswith("3 pictures dropped by Ada: a wrong\\nfolder")
    assert told == decision_event(decision_about(summary.run_id))


def test_what_was_read_again_meanwhile_stays_as_it_was_read_last(
    home: Path, folder: Path, read: Any
) -> None:
    put_odd(folder)
    summary = read()
    put(folder, a=encoded(bar(4)), new=encoded(bar(2)))
    later = read()
    assert later.held == []
    done = decide(summary.run_id, Action.RELEASED, "fine")
    assert (done.rows, done.superseded) == (2, 1)
    assert results(home) == {
        **dict.fromkeys(["a.png", "new.png"], later.run_id),
        **dict.fromkeys(["b.png", "c.png"], summary.run_id),
    }


def test_rows_of_earlier_readings_are_compared_with_the_batches_that_count(
    home: Path, folder: Path, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def count(batch: Any, earlier: Any) -> list[Any]:
        seen.append(len(earlier))
        return odd_where_half_is_rejected(batch, earlier)

    monkeypatch.setattr(batch_file, "findings", count)
    put(folder, one=encoded(bar(1)))
    read()
    put(folder, a=BLANK)
    held_run = read().run_id
    put(folder, two=encoded(bar(2)))
    read()
    decide(held_run, Action.RELEASED, "fine")
    put(folder, three=encoded(bar(3)))
    read()
    assert seen == [0, 1, 1, 1, 3]  # an odd batch is looked at twice


# dies before a step, in a reading or in a decision; `left` is what is undone by then
KILLED = """
import os, sys
from pathlib import Path
from flows.terminal.console import Console
from flows.holding import batch, decisions
from flows.predict import predict
import flows.predict as predict_file
from tasks.holding import release
from tasks.holding.batches import Action, BatchLog
from tasks.settings.reading import PredictSettings
from tests.flows.holding.odd import odd_where_half_is_rejected

def die(*_, **__):
    os._exit(9)

batch.findings = odd_where_half_is_rejected
what, step, *values = sys.argv[1:]
module, name = {
    "judge": (predict_file, "judge_batch"),
    "record": (BatchLog, "add"),
    "commit": (release, "commit_late"),
    "remove": (release, "remove"),
    "end": (predict_file, "summarise"),
}[step]
setattr(module, name, die)
if what == "read":
    folder, model = values
    settings = PredictSettings(source=folder, model=model, workers=1, hold=True)
    predict(settings, Console(quiet=True))
else:
    decisions.decide(values[0], Action(what), "why not")
"""


def killed(*arguments: str) -> None:
    """Let a program do something, which kills itself before a step."""
    command = [sys.executable, "-c", KILLED, *arguments]
    done = subprocess.run(command, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 9


@pytest.mark.parametrize("step", ["judge", "record", "commit", "remove", "end"])
def test_a_killed_reading_is_gone_on_with_and_each_picture_is_a_result_once(
    home: Path, folder: Path, model_file: Path, read: Any, step: str
) -> None:
    put(folder, one=encoded(bar(1)), two=encoded(bar(2)))
    killed("read", step, str(folder), str(model_file))
    put(folder, three=encoded(bar(3)))
    summary = read()
    assert (summary.files, summary.listed) == (1, 3)
    found = results(home)
    assert sorted(found) == ["one.png", "three.png", "two.png"]
    assert (len(set(found.values())), held(home)) == (2, set())
    assert read().files == 0


@pytest.mark.parametrize("step", ["judge", "record", "end"])
def test_an_odd_batch_of_a_killed_reading_is_held_once_and_whole(
    home: Path, folder: Path, model_file: Path, read: Any, step: str
) -> None:
    put_odd(folder)
    killed("read", step, str(folder), str(model_file))
    read()
    [entry] = held_batches()
    assert (entry.batch.pictures, results(home)) == (3, {})
    decide(entry.batch.run_id, Action.RELEASED, "fine")
    assert sorted(results(home)) == ["a.png", "b.png", "c.png"]


def test_rows_of_a_dead_run_that_nobody_goes_on_with_stand_for_nothing(
    home: Path, folder: Path, model_file: Path, read: Any
) -> None:
    put(folder, one=encoded(bar(1)))
    killed("read", "judge", str(folder), str(model_file))
    summary = read(max_error=0.5)
    assert (summary.files, results(home)) == (1, {"one.png": summary.run_id})


@pytest.mark.parametrize("step", ["record", "commit", "remove"])
@pytest.mark.parametrize("by", ["command", "reading"])
def test_a_killed_release_is_gone_on_with_by_the_command_or_by_the_next_reading(
    home: Path, folder: Path, read: Any, step: str, by: str
) -> None:
    put_odd(folder)
    summary = read()
    killed("released", step, summary.run_id)
    if by == "command" or step == "record":
        decide(summary.run_id, Action.RELEASED, "again")
    else:
        assert read().files == 0
    assert results(home) == dict.fromkeys(["a.png", "b.png", "c.png"], summary.run_id)
    assert held(home) == set()


READER = """
import sys
from flows.terminal.console import Console
from flows.holding import batch
from flows.predict import predict
from tasks.settings.reading import PredictSettings
from tests.flows.holding.odd import odd_where_half_is_rejected

batch.findings = odd_where_half_is_rejected
print("ready", flush=True)
sys.stdin.readline()
folder, model = sys.argv[1:]
settings = PredictSettings(source=folder, model=model, workers=1, hold=True)
summary = predict(settings, Console(quiet=True))
print(summary.listed, summary.unchanged, summary.others, summary.files, len(summary.held))
"""


@pytest.mark.parametrize("odd", [False, True])
def test_two_runs_at_once_share_a_folder_and_each_picture_is_a_result_once(
    home: Path, folder: Path, model_file: Path, read: Any, odd: bool
) -> None:
    content = BLANK if odd else encoded(bar(4))
    put(folder, **{f"p{number:02}": content for number in range(30)})
    command = [sys.executable, "-c", READER, str(folder), str(model_file)]
    said = [[int(word) for word in each.split()] for each in answers_at_once([command] * 2)]
    for listed, unchanged, others, files, _ in said:
        assert listed == unchanged + others + files == 30
    waiting = held_batches()
    assert bool(waiting) == odd
    assert sum(entry.batch.files for entry in waiting) == 30 * odd
    for entry in waiting:
        decide(entry.batch.run_id, Action.RELEASED, "fine")
    assert len(results(home)) == 30
    assert held(home) == set()
    assert read().files == 0


def test_of_programs_that_decide_at_once_one_does_and_the_others_are_told(
    home: Path, folder: Path, read: Any
) -> None:
    put_odd(folder)
    summary = read()
    command = [sys.executable, "-m", "flows.cli.main", "held"]
    given = [summary.run_id, "--reason", "at once"]
    programs = [
        subprocess.Popen([*command, verb, *given], env=dict(os.environ), stderr=subprocess.PIPE)
        for verb in ("release", "release", "drop")
    ]
    said = [program.communicate()[1].decode() for program in programs]
    assert sorted(program.returncode for program in programs)[0] == 0
    assert all("already" in each for each, p in zip(said, programs, strict=True) if p.returncode)
    decisions = [each for each in shown(summary.run_id) if each.action != Action.HELD]
    assert len(decisions) == 1
    assert len(results(home)) == (3 if decisions[0].action == Action.RELEASED else 0)


def test_the_commands_list_show_release_and_say_it_in_json(
    home: Path, folder: Path, read: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    put_odd(folder)
    summary = read()
    capfd.readouterr()
    assert run("held") == 0
    assert summary.run_id in capfd.readouterr().out
    assert run("held", "--json") == 0
    assert json.loads(capfd.readouterr().out)[0]["reasons"] == "rejects"
    assert run("held", "show", summary.run_id) == 0
    assert "2 of 3 rejected" in capfd.readouterr().out
    assert run("take-back", summary.run_id, "--reason", "wrong") == 2
    assert "held drop" in capfd.readouterr().err
    assert run("held", "release", summary.run_id) == 2
    assert "--reason" in capfd.readouterr().err
    assert run("held", "release", summary.run_id, "--reason", "fine", "--json") == 0
    assert json.loads(capfd.readouterr().out)["rows"] == 3
    assert run("held", "drop", summary.run_id, "--reason", "no") == 2
    assert "take-back" in capfd.readouterr().err


def test_the_log_of_batches_is_one_that_only_grows(home: Path, folder: Path, read: Any) -> None:
    put_odd(folder)
    summary = read()
    log = BatchLog(str(home / "results"))
    batch = shown(summary.run_id)[0].batch
    assert not log.add(Action.HELD, batch, "twice")
    assert log.add(Action.DROPPED, batch, "once", by="somebody")
    assert not log.add(Action.RELEASED, batch, "too late")
    assert [entry.by for entry in log.entries([batch.run_id])] == ["digitflow", "somebody"]
