"""An inbox at its ticks: what is whole is read once, and taken away when its row is committed.

No server is asked: the same ticks as flow runs are in `test_flows.py`.
"""

import csv
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from flows.orchestration.inbox import Tick, tick
from flows.runner import ThreadRunner
from flows.terminal.console import Console
from tasks.errors import DigitflowError, InputError
from tasks.results import table
from tasks.results.commit import commit, writer_of
from tasks.review.answers import NO_DIGIT
from tasks.review.journal import AnswerJournal
from tasks.review.session import ReviewSession
from tasks.settings.reading import InboxSettings, PredictSettings
from tests.bars import bar, encoded

pytestmark = pytest.mark.processes

UNSURE = encoded(bar(6.5))  # is for review
DONE_S = 60.0


@pytest.fixture
def inbox(home: Path) -> Path:
    folder = home / "inbox"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def look(model_file: Path) -> Callable[..., Tick]:
    """Return what looks at the inbox once, without waiting for files that nobody writes to."""

    def looked(**settings: Any) -> Tick:
        given = {"settle": 0, "model": str(model_file), "workers": 1, "device": "cpu", "audit": 0}
        given |= settings
        return tick(InboxSettings(**given), Console(quiet=True), ThreadRunner())

    return looked


def put(folder: Path, name: str, content: bytes) -> Path:
    """Write a file under another name first, and return it: it is whole when it has this one."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    (folder / "being.part").write_bytes(content)
    (folder / "being.part").rename(file)
    return file


def rows(home: Path, **conditions: Any) -> dict[str, tuple[str, int | None]]:
    """Return status and digit of each current row by its path."""
    found = table.select(str(home / "results"), table.Query(**conditions)).to_pylist()
    named = {row["path"]: (row["status"], row["digit"]) for row in found}
    assert len(named) == len(found)
    return named


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_tick_with_nothing_new_leaves_nothing(home: Path, inbox: Path, look: Any) -> None:
    assert look().sentence() == "nothing new"
    assert [found.name for found in home.iterdir()] == ["inbox"]
    put(inbox, "3.png", encoded(bar(3)))
    assert look().summary.read == 1
    before = sorted(map(str, home.rglob("*")))
    again = look()
    assert (again.summary, again.sentence()) == (None, "nothing new")
    assert sorted(map(str, home.rglob("*"))) == before


def test_what_changes_between_two_looks_is_left_out_and_read_when_it_is_whole(
    home: Path, inbox: Path, look: Any
) -> None:
    whole = encoded(bar(7))
    put(inbox, "1.png", encoded(bar(1)))
    put(inbox, "7.png", whole[: len(whole) // 2])
    os.utime(inbox / "7.png", (0, 0))  # as `cp -p` and `unzip` leave it, long ago
    over = threading.Event()

    def grow() -> None:
        while not over.wait(0.02):
            with (inbox / "7.png").open("ab") as file:
                file.write(b"\0")
            os.utime(inbox / "7.png", (2**33, 2**33))  # and in the year 2242

    writer = threading.Thread(target=grow)
    writer.start()
    done = look(settle=0.3)
    over.set()
    writer.join()
    assert (done.summary.listed, done.summary.read, done.growing) == (1, 1, ["7.png"])
    assert rows(home) == {"1.png": ("read", 1)}
    put(inbox, "7.png", whole)
    assert look(settle=0.1).summary.read == 1
    assert rows(home) == {"1.png": ("read", 1), "7.png": ("read", 7)}


def test_a_name_that_is_not_the_last_one_is_held_whatever_lies_there(
    home: Path, inbox: Path, look: Any
) -> None:
    for name in ("a.png.part", "a.crdownload", "x.TMP", ".scan1.png.aB3xY9", "~$form.png"):
        put(inbox, f"sub/{name}", encoded(bar(1)))
    done = look()
    assert (done.summary, done.sentence()) == (None, "nothing new, 5 files still being written")
    (inbox / "sub" / "a.png.part").rename(inbox / "sub" / "a.png")
    assert look().sentence("one read") == "one read, 4 files still being written"
    assert rows(home) == {"sub/a.png": ("read", 1)}


def test_an_empty_file_is_one_that_was_only_just_made_for_some_minutes(
    inbox: Path, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "new.png").touch()
    assert look(settle=0.01).growing == ["new.png"]
    monkeypatch.setattr("tasks.inputs.stillness.EMPTY_S", 0.01)
    assert look(settle=0.05).summary.reasons == {"empty_file": 1}


def test_a_marker_says_that_a_file_is_whole_and_nothing_else_does(
    home: Path, inbox: Path, look: Any
) -> None:
    for digit in (1, 2, 3):
        put(inbox, f"sub/{digit}.png", encoded(bar(digit)))
    (inbox / "sub" / "1.png.done").touch()
    (inbox / "sub" / "2.done").touch()
    done = look(marker=".done", after="move", move_to=str(home / "read"))
    assert (done.summary.read, done.growing) == (2, ["sub/3.png"])
    assert done.sentence("x") == "x, 1 file without .done beside, 2 files moved"
    assert names(inbox) == ["sub/3.png"]
    assert names(home / "read") == ["sub/1.png", "sub/2.png"]
    assert look(marker=".done").sentence() == "nothing new, 1 file without .done beside"


def test_an_archive_that_is_being_written_is_read_when_it_is_whole(
    home: Path, tmp_path: Path, look: Any
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("4.png", encoded(bar(4)))
    file, over = tmp_path / "today.zip", threading.Event()
    file.write_bytes(packed.getvalue()[:100])

    def grow() -> None:
        while not over.wait(0.02):
            os.utime(file)

    writer = threading.Thread(target=grow)
    writer.start()
    done = look(source=str(file), settle=0.2)
    over.set()
    writer.join()
    assert (done.summary, done.growing) == (None, [str(file)])
    with pytest.raises(InputError, match=r"today\.zip"):  # for good
        look(source=str(file), settle=0.1)
    file.write_bytes(packed.getvalue())
    assert look(source=str(file), settle=0.1).summary.read == 1


def test_what_was_read_is_moved_with_its_folders_and_overwrites_nothing(
    home: Path, inbox: Path, look: Any
) -> None:
    put(home / "read", "sub/1.png", b"of somebody else")
    put(inbox, "sub/1.png", encoded(bar(1)))
    put(inbox, "2.png", encoded(bar(2)))
    put(inbox, "unsure.png", UNSURE)
    put(inbox, "broken.png", b"no picture")
    done = look(after="move", move_to=str(home / "read"))
    assert (done.moved, done.failed) == (2, [])
    assert names(inbox) == ["broken.png", "unsure.png"]
    assert names(home / "read") == ["2.png", "sub/1-2.png", "sub/1.png"]
    assert (home / "read" / "sub" / "1.png").read_bytes() == b"of somebody else"
    assert (home / "read" / "sub" / "1-2.png").read_bytes() == encoded(bar(1))
    # the rejected one goes where the user says, also if that is said later
    done = look(after="move", move_to=str(home / "read"), rejected_to=str(home / "bad"))
    assert done.sentence() == "nothing new, 1 file moved"
    assert names(inbox) == ["unsure.png"]
    assert names(home / "bad") == ["broken.png"]


def test_a_name_that_is_used_again_is_another_picture_and_both_stay_current(
    home: Path, inbox: Path, look: Any, model_file: Path, tmp_path: Path
) -> None:
    move = {"after": "move", "move_to": str(home / "read")}
    for at, digit in enumerate((1, 2, 3)):
        put(inbox, "scan.png", encoded(bar(digit)))
        assert look(**move).summary.read == 1, at
    put(inbox, "scan.png", UNSURE)
    assert look(**move).summary.review == 1
    read = {"scan.png": ("read", 1), "scan.png//2": ("read", 2), "scan.png//3": ("read", 3)}
    waiting = rows(home)
    assert waiting.pop("scan.png//4")[0] == "review"
    assert waiting == read
    for digit, name in ((1, "scan.png"), (2, "scan-2.png"), (3, "scan-3.png")):
        assert (home / "read" / name).read_bytes() == encoded(bar(digit))
    # what lies there still and changes is the same picture, as everywhere
    put(inbox, "scan.png", encoded(bar(5)))
    out = tmp_path / "out.csv"
    assert look(**move, out=str(out)).summary.read == 1
    assert rows(home) == {**read, "scan.png//4": ("read", 5)}
    assert names(inbox) == []
    assert out.read_text().count("scan.png") == 1  # of what lay there
    # and a command that reads the folder knows it, too
    from flows.predict import predict

    put(inbox, "scan.png", encoded(bar(6)))
    plain = PredictSettings(source=str(inbox), model=str(model_file), workers=1, device="cpu")
    assert predict(plain, Console(quiet=True)).read == 1
    assert rows(home) == {**read, "scan.png//4": ("read", 5), "scan.png//5": ("read", 6)}


def test_the_same_file_copied_once_more_is_no_other_picture(
    home: Path, inbox: Path, look: Any
) -> None:
    move = {"after": "move", "move_to": str(home / "read")}
    kept = put(home / "source", "1.png", encoded(bar(1)))
    subprocess.run(["cp", "-p", str(kept), str(inbox)], check=True)
    assert look(**move).summary.read == 1
    subprocess.run(["cp", "-p", str(kept), str(inbox)], check=True)
    assert look(**move).sentence() == "nothing new, 1 file moved"
    assert names(home / "read") == ["1.png"]
    assert rows(home) == {"1.png": ("read", 1)}


def test_what_was_left_before_is_not_read_again_to_be_taken_away(
    home: Path, inbox: Path, look: Any
) -> None:
    put(inbox, "1.png", encoded(bar(1)))
    run = look().summary.run_id
    assert look(after="delete").sentence() == "nothing new, 1 file deleted"
    assert names(inbox) == []
    assert rows(home) == rows(home, run=run) == {"1.png": ("read", 1)}
    put(inbox, "1.png", encoded(bar(2)))
    assert look().summary.read == 1  # is left again
    assert rows(home) == {"1.png": ("read", 1), "1.png//2": ("read", 2)}


def test_a_file_goes_only_if_all_its_pages_are_read(home: Path, inbox: Path, look: Any) -> None:
    for name, digits in (("both", (1, 2)), ("unsure", (3, 6.5)), ("bad", (4, None))):
        pages = [Image.fromarray(bar(digit) if digit else bar(1) * 0) for digit in digits]
        pages[0].save(inbox / f"{name}.tif", save_all=True, append_images=pages[1:])
    assert look(after="delete").deleted == 1
    assert names(inbox) == ["bad.tif", "unsure.tif"]


def test_what_was_drawn_for_the_audit_is_not_deleted_before_a_person_has_answered(
    home: Path, inbox: Path, look: Any
) -> None:
    put(inbox, "1.png", encoded(bar(1)))
    assert look(after="delete", audit=1).sentence("") == ""
    assert names(inbox) == ["1.png"]
    rows = table.select(str(home / "results"))
    assert rows["audit"].to_pylist() == [1.0]
    answered = rows.set_column(
        *(rows.column_names.index("answered_by"), "answered_by", pa.array(["ada"]))
    )
    writer = writer_of(str(home / "results"), rows["root"].to_pylist(), "review-1")
    commit(answered, "review-1/0", replace(writer, redecides=True))
    assert look(after="delete", audit=1).sentence() == "nothing new, 1 file deleted"


KILLED = """
import os, signal, sys
from flows.terminal.console import Console
from flows.orchestration import inbox, sight
from flows.runner import ThreadRunner
from tasks.inputs import taking_away
from tasks.results import commit
from tasks.settings.reading import InboxSettings

def kill(*_): os.kill(os.getpid(), signal.SIGKILL)

module, name = {"commit": (commit, "_add"), "committed": (sight, "take_away_read"),
                "named": (taking_away, "_remove")}[sys.argv[2]]
assert hasattr(module, name)
setattr(module, name, kill)
inbox.tick(InboxSettings.model_validate_json(sys.argv[1]), Console(quiet=True), ThreadRunner())
"""


@pytest.mark.parametrize("when", ["commit", "committed", "named"])
def test_a_tick_that_is_killed_loses_nothing_and_reads_nothing_twice(
    home: Path, inbox: Path, look: Any, model_file: Path, when: str
) -> None:
    put(inbox, "old.png", encoded(bar(9)))
    assert look().summary.read == 1
    for digit in (1, 2):
        put(inbox, f"{digit}.png", encoded(bar(digit)))
    move = {"after": "move", "move_to": str(home / "read")}
    given = {"settle": 0, "model": str(model_file), "workers": 1, "device": "cpu", **move}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, InboxSettings(**given).model_dump_json(), when],
        check=False,
        timeout=DONE_S,
    )
    assert killed.returncode == -signal.SIGKILL
    done = look(**move)
    assert (done.summary.read if done.summary else 0) == (2 if when == "commit" else 0)
    assert names(inbox) == []
    assert names(home / "read") == ["1.png", "2.png", "old.png"]
    assert rows(home) == {f"{name}.png": ("read", int(name)) for name in "12"} | {
        "old.png": ("read", 9)
    }
    every = table.select(str(home / "results"), table.Query(history=True))
    assert every["path"].to_pylist().count("1.png") == 1


def test_a_folder_inside_the_inbox_is_not_read_again(home: Path, inbox: Path, look: Any) -> None:
    put(inbox, "sub/read [1]/9.png", encoded(bar(9)))  # a folder of that name elsewhere
    put(inbox, "1.png", encoded(bar(1)))
    move = {"after": "move", "move_to": str(inbox / "read [1]")}
    assert look(**move).summary.read == 2
    assert names(inbox) == ["read [1]/1.png", "read [1]/sub/read [1]/9.png"]
    assert look(**move).sentence() == "nothing new"


def test_links_go_as_links_and_what_they_lead_to_stays(
    home: Path, inbox: Path, look: Any, tmp_path: Path
) -> None:
    target = put(tmp_path, "far.png", encoded(bar(1)))
    (inbox / "1.png").symlink_to("../../far.png")
    (inbox / "lost.png").symlink_to("nowhere")
    move = {"after": "move", "move_to": str(home / "deep")}
    done = look(**move)
    assert (done.summary.read, done.summary.reasons["vanished"]) == (1, 1)
    assert (home / "deep" / "1.png").is_symlink()
    assert (home / "deep" / "1.png").read_bytes() == target.read_bytes()
    # what could not be opened, and still cannot, is no news
    assert look(**move).sentence() == "nothing new"
    assert [found.name for found in inbox.iterdir()] == ["lost.png"]


def test_what_cannot_be_taken_away_is_told_up_front(
    home: Path, inbox: Path, look: Any, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("1.png\n")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("4.png", encoded(bar(4)))
    for source in (str(tmp_path / "list.txt"), str(tmp_path / "a.zip")):
        with pytest.raises(InputError, match="is no local folder"):
            look(source=source, after="delete")
    with pytest.raises(InputError, match="its own files"):
        look(after="move", move_to=str(inbox))
    with pytest.raises(InputError, match=r"move_to: .*/gone/read cannot be made"):
        look(after="move", move_to=str(tmp_path / "gone" / "read"))
    assert not (home / "runs").exists()


def test_what_could_not_be_moved_is_told_and_moved_next_time(
    home: Path, inbox: Path, look: Any
) -> None:
    put(inbox, "sub/1.png", encoded(bar(1)))
    (home / "read").mkdir()
    (home / "read" / "sub").touch()  # where its folder has to be
    move = {"after": "move", "move_to": str(home / "read")}
    done = look(**move)
    assert done.summary.read == 1
    with pytest.raises(DigitflowError, match=r"1 file could not be moved .*sub/1\.png: "):
        done.require_taken_away()
    (home / "read" / "sub").unlink()
    done = look(**move)
    done.require_taken_away()
    assert done.sentence() == "nothing new, 1 file moved"
    assert names(home / "read") == ["sub/1.png"]


def test_several_folders_are_one_inbox(home: Path, look: Any, tmp_path: Path) -> None:
    sources = [str(tmp_path / name) for name in ("post", "fax")]
    move = {"source": sources, "after": "move", "move_to": str(tmp_path / "read")}
    for turn in range(2):
        for at, source in enumerate(sources):
            put(Path(source), "scan.png", encoded(bar(2 * turn + at)))
        assert look(**move).summary.read == 2
    assert len(names(tmp_path / "read")) == 4
    found = table.select(str(home / "results"))
    named = list(zip(*(found[name].to_pylist() for name in ("root", "path", "digit")), strict=True))
    post, fax = sources
    assert sorted(named) == [
        *((fax, "scan.png", 1), (fax, "scan.png//2", 3)),
        *((post, "scan.png", 0), (post, "scan.png//2", 2)),
    ]


def test_another_file_system_gets_a_copy_first(home: Path, inbox: Path, look: Any) -> None:
    shared = Path("/dev/shm", f"digitflow-test-{os.getpid()}")  # noqa: S108 - our own
    if not shared.parent.is_dir() or shared.parent.stat().st_dev == inbox.stat().st_dev:
        pytest.skip("there is no other file system here")
    shared.mkdir()
    try:
        put(inbox, "1.png", encoded(bar(1)))
        put(shared, "1.png", b"of somebody else")
        times = (inbox / "1.png").stat().st_mtime_ns
        assert look(after="move", move_to=str(shared)).moved == 1
        assert names(inbox) == []
        assert names(shared) == ["1-2.png", "1.png"]
        assert (shared / "1-2.png").stat().st_mtime_ns == times
    finally:
        for file in shared.iterdir():
            file.unlink()
        shared.rmdir()


def test_a_looser_error_decides_again_without_a_new_file(
    home: Path, inbox: Path, look: Any
) -> None:
    put(inbox, "unsure.png", UNSURE)
    assert look().summary.review == 1
    assert look(after="delete").sentence() == "nothing new"
    done = look(after="delete", max_error=0.5)
    assert done.summary.decided_anew == 1
    assert rows(home)["unsure.png"][0] == "read"
    assert done.deleted == 1
    assert names(inbox) == []


def test_each_batch_is_a_csv_file_of_its_own_rows_where_that_was_asked_for(
    inbox: Path, look: Callable[..., Tick], tmp_path: Path
) -> None:
    batches = tmp_path / "for the office"
    put(inbox, "=1+1.png", encoded(bar(3)))
    first = look(batches_to=str(batches)).summary
    assert look(batches_to=str(batches)).summary is None
    put(inbox, "b.png", encoded(bar(4)))
    second = look(batches_to=str(batches)).summary
    assert first
    assert second
    assert sorted(file.name for file in batches.iterdir()) == sorted(
        f"{summary.run_id}.csv" for summary in (first, second)
    )
    rows = {}
    for summary in (first, second):
        with (batches / f"{summary.run_id}.csv").open(newline="") as opened:
            [row] = csv.DictReader(opened)
        rows[row["path"]] = (row["digit"], row["run_id"])
    assert rows == {"'=1+1.png": ("3", first.run_id), "b.png": ("4", second.run_id)}


def test_a_folder_for_batches_that_cannot_be_used_is_refused_before_anything_is_read(
    inbox: Path, look: Callable[..., Tick], tmp_path: Path
) -> None:
    put(inbox, "a.png", encoded(bar(3)))
    for place in (inbox, inbox / "csv"):
        with pytest.raises(InputError, match=r"batches_to: .* lies in .*inbox, which is read"):
            look(batches_to=str(place))
    with pytest.raises(InputError, match=r"batches_to: .*missing/folder cannot be made"):
        look(batches_to=str(tmp_path / "missing" / "folder"))
    assert look().summary is not None


def test_what_a_person_has_answered_goes_with_the_next_tick_and_is_never_read_again(
    home: Path, tmp_path: Path, inbox: Path, look: Any
) -> None:
    for name, picture in (("a.png", UNSURE), ("b.png", UNSURE), ("c.png", UNSURE)):
        put(inbox, name, picture)
    move = {"after": "move", "move_to": str(home / "read"), "rejected_to": str(home / "bad")}
    assert look(**move).summary.review == 3
    assert names(inbox) == ["a.png", "b.png", "c.png"]
    results = str(home / "results")
    session = ReviewSession(results, "review-1", AnswerJournal(tmp_path / "said", results))
    for said in ("4", NO_DIGIT):
        [(number, _)] = session.upcoming("Ada").pictures
        session.answer("Ada", "Ada", number, said)
    session.stop()
    assert look(**move, again=True).moved == 2
    assert names(inbox) == ["c.png"]
    assert (names(home / "read"), names(home / "bad")) == (["a.png"], ["b.png"])
    assert look(**move, retry_review=True).moved == 0
    expected = {"a.png": ("read", 4), "b.png": ("rejected", None), "c.png": ("review", 7)}
    assert rows(home) == expected
