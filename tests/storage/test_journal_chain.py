"""A history that was cut, changed, merged or lost is not read until a person accepts it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import InputError
from tasks.storage.bucket_journal import BucketHistory
from tasks.storage.conditional_objects import Objects
from tasks.storage.journal import FileHistory, History, Kind
from tests.places import BucketPlace, Place

NAME = "history.jsonl"
KIND = Kind(("action", "reason"), "somebody else could win", "digitflow accept")


class Machines:
    """Machines that share one history."""

    def __init__(self, place: Place, homes: Path) -> None:
        """Take the place of the history, and a folder for what each machine has seen."""
        self._place, self._homes = place, homes

    def history(self, machine: str = "one") -> History:
        """Return the history as a machine sees it."""
        seen = self._homes / machine
        if isinstance(self._place, BucketPlace):
            return BucketHistory(Objects(self._place.url), NAME, KIND, seen)
        return FileHistory(Path(self._place.url) / NAME, KIND, seen)

    def write(self, *reasons: str, machine: str = "one") -> None:
        """Append an entry for each reason."""
        for reason in reasons:
            self.history(machine).append(lambda _, why=reason: [{"action": "say", "reason": why}])

    def reasons(self, machine: str = "one") -> list[str]:
        """Return the reasons of all entries."""
        return [entry["reason"] for entry in self.history(machine).entries()]


@pytest.fixture
def machines(place: Place, tmp_path: Path) -> Machines:
    """Return machines that share a history of three entries, which two of them have seen."""
    found = Machines(place, tmp_path / "seen")
    found.write("a", "b", "c")
    assert found.reasons("two") == ["a", "b", "c"]
    return found


Harm = Callable[[list[bytes]], list[bytes]]

HARMS: dict[str, tuple[Harm, str]] = {
    "cut off": (lambda lines: lines[:2], "it has 2 entries, and had 3"),
    "cut within a line": (
        lambda lines: [*lines[:2], lines[2][:-1]],
        "it has 2 entries, and had 3",
    ),
    "empty": (lambda lines: [], "it has 0 entries, and had 3"),
    "without its first": (lambda lines: lines[1:], "line 1 does not follow from the lines"),
    "without one between": (lambda lines: lines[::2], "line 2 does not follow from the lines"),
    "in another order": (lambda lines: lines[::-1], "line 1 does not follow from the lines"),
    "with a line by hand": (
        lambda lines: [*lines, b'{"action": "say", "reason": "d"}\n'],
        "line 4 does not follow from the lines",
    ),
    "with a line twice": (
        lambda lines: [*lines, lines[-1]],
        "line 4 does not follow from the lines",
    ),
    "with another last line": (
        lambda lines: [*lines[:2], lines[2].replace(b'"c"', b'"x"')],
        "its first 3 entries are not those that it had",
    ),
    "with another first line": (
        lambda lines: [lines[0].replace(b'"a"', b'"x"'), *lines[1:]],
        "line 2 does not follow from the lines",
    ),
    "with the ends of lines of another system": (
        lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
        "line 2 does not follow from the lines",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_was_done_to_a_history_stops_reading_and_writing_until_it_is_accepted(
    machines: Machines, place: Place, harm: str
) -> None:
    change, words = HARMS[harm]
    before = place.read(NAME)
    harmed = b"".join(change(before.splitlines(keepends=True)))
    place.write(NAME, harmed)
    for use in (lambda: machines.history().entries(), lambda: machines.write("d")):
        with pytest.raises(InputError) as refused:
            use()
        assert words in str(refused.value)
        assert "so that somebody else could win: restore it, or accept" in str(refused.value)
        assert "`digitflow accept --reason ...`" in str(refused.value)
    assert place.read(NAME) == harmed
    shown = machines.history().entries(checked=False)
    assert len(shown) == harmed.count(b"\n")

    accepted = machines.history().accept({"action": "accept", "reason": "a backup"})
    assert words in accepted["change"]
    machines.write("later")
    assert machines.reasons()[-2:] == ["a backup", "later"]
    assert machines.reasons("two")[-2:] == ["a backup", "later"]
    with pytest.raises(InputError, match="there is nothing to accept"):
        machines.history().accept({"action": "accept", "reason": "once more"})


def test_a_history_that_was_restored_again_is_read_as_before(
    machines: Machines, place: Place
) -> None:
    whole = place.read(NAME)
    place.write(NAME, whole[:-10])
    with pytest.raises(InputError):
        machines.reasons()
    place.write(NAME, whole)
    assert machines.reasons() == ["a", "b", "c"]


def test_a_folder_that_was_restored_with_all_in_it_shows_on_a_machine_that_had_seen_more(
    machines: Machines, place: Place
) -> None:
    backup = {path: place.read(path) for path in place.paths()}
    machines.write("d", machine="two")
    for path, data in backup.items():
        place.write(path, data)
    with pytest.raises(InputError, match="it has 3 entries, and had 4"):
        machines.reasons("two")
    assert machines.reasons("one") == ["a", "b", "c"]  # which had seen no more than that


def test_a_machine_that_has_seen_nothing_goes_by_what_lies_beside_the_history(
    machines: Machines, place: Place
) -> None:
    place.write(NAME, b"".join(place.read(NAME).splitlines(keepends=True)[:1]))
    with pytest.raises(InputError, match="it has 1 entries, and had 3"):
        machines.reasons("a new one")


def test_a_lost_history_is_not_an_empty_one(machines: Machines, place: Place) -> None:
    place.delete(NAME)  # and with it, in a bucket, what lies beside it
    with pytest.raises(InputError, match="it has 0 entries, and had 3"):
        machines.reasons("two")


def test_a_writer_that_died_before_the_head_was_written_locks_nobody_out(
    machines: Machines, place: Place, tmp_path: Path
) -> None:
    head = place.read(f"{NAME}.head")
    shutil.copytree(tmp_path / "seen" / "one", tmp_path / "earlier")
    machines.write("d")
    place.write(f"{NAME}.head", head)
    shutil.rmtree(tmp_path / "seen" / "one")
    (tmp_path / "earlier").rename(tmp_path / "seen" / "one")
    assert machines.reasons() == ["a", "b", "c", "d"]
    machines.write("e")
    assert json.loads(place.read(f"{NAME}.head"))["entries"] == 5


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"7", b'{"entries": 3}', b'{"entries": "3", '
                                  b'"size": 1, "sha256": ""}', b"[" * 100_000])  # fmt: skip
def test_a_damaged_head_is_named_and_written_anew_by_accepting(
    machines: Machines, place: Place, text: bytes
) -> None:
    place.write(f"{NAME}.head", text)
    with pytest.raises(InputError, match=r"history.jsonl.head is damaged .*`digitflow accept --re"):
        machines.reasons()
    machines.history().accept({"action": "accept", "reason": "an editor"})
    assert machines.reasons() == ["a", "b", "c", "an editor"]


def test_lines_of_before_there_were_hashes_go_on_and_are_held_by_the_first_with_one(
    place: Place, tmp_path: Path
) -> None:
    machines = Machines(place, tmp_path / "seen")
    old = [{"action": "say", "reason": reason} for reason in "ab"]
    place.write(NAME, b"".join(json.dumps(entry).encode() + b"\n" for entry in old))
    assert machines.reasons() == ["a", "b"]
    machines.write("c")
    assert machines.reasons("another") == ["a", "b", "c"]
    place.write(NAME, place.read(NAME).replace(b'"a"', b'"x"'))
    with pytest.raises(InputError, match="line 3 does not follow"):
        machines.reasons("a third")


def test_a_machine_whose_home_cannot_be_written_reads_and_still_knows_what_it_saw(
    place: Place, tmp_path: Path
) -> None:
    machines = Machines(place, tmp_path / "seen")
    (tmp_path / "seen").write_text("no folder")
    machines.write("a")
    assert machines.reasons() == ["a"]
    place.write(NAME, b"")
    with pytest.raises(InputError, match="it has 0 entries, and had 1"):
        machines.reasons()


@pytest.mark.parametrize("line", ["7", "null", "[]", '"a"', '{"reason": "b"}', '{"action": 1}',
                                  "[" * 100_000, '{"action": "a", "reason": {}}'])  # fmt: skip
def test_a_line_that_is_no_entry_is_named(place: Place, tmp_path: Path, line: str) -> None:
    machines: Any = Machines(place, tmp_path / "seen")
    place.write(NAME, f'{{"action": "say", "reason": "a"}}\n{line}\n'.encode())
    accept = machines.history().accept
    for use in (machines.reasons, lambda: accept({"action": "accept", "reason": "x"})):
        with pytest.raises(InputError, match=r"history.jsonl, line 2 is damaged \(.*restore the f"):
            use()
