"""What has to be read: everything once, and again what changed or was asked for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.inputs.base import Content, Entry, Inputs, printable
from tasks.inputs.listing import LISTING_SCHEMA, discover, entries_of
from tasks.outcomes import STATUSES, Reason, Status, Undecodable
from tasks.results.pending import FILE_BATCH, Pending, ReprocessPolicy, find_pending
from tests.results.test_table import read_row, store

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Listed(Inputs):
    """Files of which a listing is made: path to size and time, None where they are unknown."""

    files: Mapping[bytes, tuple[int | None, int | None]]
    contents: Mapping[bytes, bytes] | None = None
    root: str = "/pictures"

    def entries(self) -> Any:
        """Yield every file."""
        return (Entry(path, *facts) for path, facts in sorted(self.files.items()))

    def read(self, path: bytes) -> Content:
        """Return a file whose content was given."""
        if not self.contents or path not in self.contents:
            raise Undecodable(Reason.VANISHED, "gone")
        return Content(self.contents[path], 1, 1)


class Results:
    """A results table in which one run after another is told."""

    def __init__(self, folder: Path) -> None:
        """Begin without any run."""
        self.table, self.folder, self.runs = str(folder / "results"), folder, 0

    def read(self, *rows: Mapping[str, Any], run: str | None = None) -> str:
        """Keep the rows of a run, one hour after the last; of each only what differs is given."""
        self.runs += 1
        name = run or f"run-{self.runs}"
        same = {"size": 5, "mtime_ns": 6, "read_at": START + self.runs * HOUR}
        store(self.table, *(read_row("", name) | same | dict(row) for row in rows), shard=self.runs)
        return name

    def pending(self, inputs: Listed, **policy: Any) -> Pending:
        """Return what is pending of the inputs."""
        listing = discover(inputs, self.folder / "listing.parquet", allow_empty=True)
        file = self.folder / "pending.parquet"
        return find_pending(
            listing, inputs, self.table, ReprocessPolicy(**policy), file, lambda model: None
        )

    def paths(self, inputs: Listed, **policy: Any) -> list[bytes]:
        """Return the paths of what is pending, having checked the counts."""
        found = self.pending(inputs, **policy)
        edges = [0, found.listing.count // 3, found.listing.count]
        entries = [
            entry for edge in pairwise(edges) for entry in entries_of(found.listing.file, *edge)
        ]
        assert len(entries) == found.listing.count == len(inputs.files) - found.unchanged
        assert {entry.path: entry[1:] for entry in entries}.items() <= dict(inputs.files).items()
        return [entry.path for entry in entries]


@pytest.fixture
def told(tmp_path: Path) -> Results:
    """Return results in which nothing was read yet."""
    return Results(tmp_path)


def rejected(path: str, reason: Reason, **changes: Any) -> dict[str, Any]:
    """Return what differs in the row of a rejected file."""
    return {"path": path, "status": "rejected", "reason": reason, "digit": None} | changes


THREE = Listed({b"a": (5, 6), b"b": (5, 6), b"c": (5, 6)})


def test_without_results_everything_is_pending_and_nothing_is_written(told: Results) -> None:
    found = told.pending(THREE)
    assert (found.listing.count, found.unchanged, found.resumed) == (3, 0, 0)
    assert not (told.folder / "pending.parquet").exists()
    told.read({"path": "a", "root": "/elsewhere"})
    assert told.paths(THREE) == [b"a", b"b", b"c"]


def test_what_was_read_as_it_is_is_not_read_again(told: Results) -> None:
    told.read({"path": "a"}, {"path": "c"})
    assert told.paths(THREE) == [b"b"]
    told.read({"path": "b"}, {"path": "b", "page": 1})
    assert told.paths(THREE) == []
    assert told.pending(THREE).unchanged == 3


@pytest.mark.parametrize("changed", [(4, 6), (5, 7), (5, 5), (0, 0)])
def test_a_file_whose_size_or_time_changed_is_pending(
    told: Results, changed: tuple[int, int]
) -> None:
    told.read({"path": "a"}, {"path": "b"})
    assert told.paths(Listed({b"a": changed, b"b": (5, 6)})) == [b"a"]


def test_a_file_that_changed_back_is_pending_since_its_last_reading_counts(told: Results) -> None:
    told.read({"path": "a", "size": 5})
    told.read({"path": "a", "size": 9})
    assert told.paths(Listed({b"a": (5, 6)})) == [b"a"]
    assert told.paths(Listed({b"a": (9, 6)})) == []


def test_a_file_that_vanished_and_came_back_is_pending(told: Results) -> None:
    told.read({"path": "a"})
    told.read(rejected("a", Reason.VANISHED, size=None, mtime_ns=None))
    assert told.paths(Listed({b"a": (5, 6)})) == [b"a"]


@pytest.mark.parametrize("listed", [(None, None), (5, None), (None, 6), (5, 6)])
def test_what_could_not_be_looked_at_is_tried_again_each_time(
    told: Results, listed: tuple[int | None, int | None]
) -> None:
    told.read(rejected("a", Reason.PERMISSION_DENIED, size=None, mtime_ns=None))
    assert told.paths(Listed({b"a": listed})) == [b"a"]


@pytest.mark.parametrize("facts", [(None, None), (5, None), (None, 6)])
def test_what_is_listed_without_size_or_time_was_not_seen_before(
    told: Results, facts: tuple[int | None, int | None]
) -> None:
    told.read({"path": "a", "size": facts[0], "mtime_ns": facts[1]})
    assert told.paths(Listed({b"a": facts})) == [b"a"]


def test_names_are_compared_byte_for_byte(told: Results) -> None:
    names = [b"caf\xe9", rb"caf\xe9", "café".encode(), b"a\nb", rb"a\nb", b"\\", b"\\\\", b"-1"]
    inputs = Listed(dict.fromkeys(names, (5, 6)))
    for name in names:
        assert name in told.paths(inputs)
        told.read({"path": printable(name)})
    assert told.paths(inputs) == []


def test_again_means_all_but_what_the_interrupted_runs_have_read(told: Results) -> None:
    told.read({"path": "a"}, {"path": "b"}, {"path": "c"})
    assert told.paths(THREE, again=True) == [b"a", b"b", b"c"]
    run = told.read({"path": "b"})
    assert told.paths(THREE, again=True, resumed=(run,)) == [b"a", b"c"]
    found = told.pending(THREE, again=True, resumed=(run,))
    assert (found.unchanged, found.resumed) == (1, 1)


def test_what_an_interrupted_run_has_read_is_counted_apart(told: Results) -> None:
    told.read({"path": "a"})
    run = told.read({"path": "b"}, {"path": "gone since"})
    found = told.pending(THREE, resumed=(run, "another"))
    assert (found.listing.count, found.unchanged, found.resumed) == (1, 2, 1)


def test_rejected_files_are_read_again_for_the_reason_that_was_asked_for(told: Results) -> None:
    told.read(
        {"path": "a"},
        rejected("b", Reason.BLANK),
        rejected("c", Reason.TRUNCATED),
        {"path": "d", "status": "review", "reason": "low_confidence"},
    )
    inputs = Listed(dict.fromkeys((b"a", b"b", b"c", b"d", b"new"), (5, 6)))
    assert told.paths(inputs, retry_rejected="all") == [b"b", b"c"]
    assert told.paths(inputs, retry_rejected=Reason.BLANK) == [b"b"]
    assert told.paths(inputs, retry_rejected=Reason.TOO_LARGE) == []
    assert told.paths(inputs, retry_rejected=Reason.OK) == []


def test_files_in_review_are_read_again_with_any_page_in_review_and_no_others(
    told: Results,
) -> None:
    review = {"status": "review", "reason": "low_confidence"}
    inputs = Listed(dict.fromkeys((b"a", b"b", b"c", b"d", b"new"), (5, 6)))
    assert told.paths(inputs, retry_review=True) == []  # nothing was read yet
    told.read(
        {"path": "a"},
        rejected("b", Reason.BLANK),
        {"path": "c", "status": "review", "reason": "ambiguous"},
        *({"path": "d", "page": page} | (review if page == 1 else {}) for page in range(3)),
    )
    assert told.paths(inputs, retry_review=True) == [b"c", b"d"]
    assert told.paths(inputs, retry_review=True, retry_rejected="all") == [b"b", b"c", b"d"]
    elsewhere = Listed({b"c": (5, 6)}, root="/elsewhere")
    assert told.paths(elsewhere, retry_review=True) == []
    run = told.read({"path": "c"} | review)
    assert told.paths(inputs, retry_review=True, resumed=(run,)) == [b"d"]
    told.read({"path": "d"})
    assert told.paths(inputs, retry_review=True) == [b"c"]


def test_a_file_with_any_page_rejected_is_tried_again(told: Results) -> None:
    told.read({"path": "a"}, rejected("a", Reason.TRUNCATED, page=1), {"path": "b"})
    assert told.paths(THREE, retry_rejected="all") == [b"a"]


def test_a_rejection_that_was_tried_again_is_not_tried_twice_after_an_interruption(
    told: Results,
) -> None:
    told.read(*(rejected(path, Reason.BLANK) for path in "abc"))
    run = told.read(rejected("a", Reason.BLANK), {"path": "b"})
    assert told.paths(THREE, retry_rejected="all", resumed=(run,)) == [b"c"]
    assert told.paths(THREE, retry_rejected="all") == [b"a", b"c"]


@pytest.mark.parametrize("reason", [r for r in Reason if STATUSES[r] is Status.REJECTED])
def test_every_rejection_can_be_tried_again(told: Results, reason: Reason) -> None:
    told.read(rejected("a", reason), {"path": "b"})
    assert told.paths(THREE, retry_rejected=reason) == [b"a"]


def test_by_content_only_other_bytes_are_read(told: Results) -> None:
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("same", "before")}
    told.read(
        {"path": "touched", "content_hash": hashes["same"]},
        {"path": "forged", "content_hash": hashes["before"]},
        {"path": "gone", "content_hash": hashes["same"]},
        rejected("was unreadable", Reason.PERMISSION_DENIED, content_hash=None),
    )
    inputs = Listed(
        {
            b"forged": (5, 6),
            b"gone": (5, 6),
            b"new": (5, 6),
            b"touched": (5, 99),
            b"was unreadable": (5, 6),
        },
        {b"forged": b"after", b"touched": b"same", b"was unreadable": b"same", b"new": b"same"},
    )
    pending = [b"forged", b"gone", b"new", b"was unreadable"]
    assert told.paths(inputs, by_content=True) == pending


def test_a_listing_of_several_batches_and_groups_is_gone_through_whole(told: Results) -> None:
    names = [b"%06d" % number for number in range(2 * FILE_BATCH + 100)]
    told.read(*({"path": printable(name)} for name in names if int(name) % 5 == 0))
    inputs = Listed(dict.fromkeys(names, (5, 6)))
    assert told.paths(inputs) == [name for name in names if int(name) % 5]


FACTS = st.tuples(st.integers(0, 1), st.integers(0, 1))
NAMES = st.sampled_from([b"a", b"b", b"\xff", b"\\xff", b"c/d"])
READINGS = st.lists(st.dictionaries(NAMES, FACTS, min_size=1), max_size=3)


@settings(max_examples=15, deadline=None)
@given(READINGS, st.dictionaries(NAMES, FACTS, min_size=1))
def test_a_file_is_pending_unless_its_last_reading_was_of_this_size_and_time(
    tmp_path_factory: pytest.TempPathFactory,
    readings: list[dict[bytes, tuple[int, int]]],
    found: dict[bytes, tuple[int, int]],
) -> None:
    told = Results(tmp_path_factory.mktemp("told"))
    last: dict[bytes, tuple[int, int]] = {}
    for reading in readings:
        last |= reading
        told.read(
            *(
                {"path": printable(path), "size": size, "mtime_ns": time}
                for path, (size, time) in reading.items()
            )
        )
    expected = sorted(path for path, facts in found.items() if last.get(path) != facts)
    assert told.paths(Listed(found)) == expected


def test_what_is_pending_is_a_listing_of_its_own(told: Results) -> None:
    told.read({"path": "a"})
    found = told.pending(THREE)
    assert found.listing.root == "/pictures"
    assert pq.read_schema(found.listing.file).equals(LISTING_SCHEMA)


def test_a_file_is_not_read_again_because_the_clock_was_set_back(told: Results) -> None:
    told.read({"path": "a.png", "size": 4, "read_at": START + 99 * HOUR})
    told.read({"path": "a.png", "size": 5})
    assert told.paths(Listed({b"a.png": (5, 6)})) == []
    assert told.paths(Listed({b"a.png": (4, 6)})) == [b"a.png"]


def test_what_a_model_that_is_gone_has_read_is_read_again_if_it_tells_no_error(
    told: Results,
) -> None:
    told.read(
        {"path": "known.png"},
        {"path": "page.tif"},
        {"path": "page.tif", "page": 1, "error_bound": None},
        {"path": "rejected.png", "status": "rejected", "reason": "blank", "error_bound": None},
        {"path": "unknown.png", "error_bound": None},
    )
    files = [b"known.png", b"page.tif", b"rejected.png", b"unknown.png"]
    listed = Listed(dict.fromkeys(files, (5, 6)))
    assert told.paths(listed) == [b"page.tif", b"unknown.png"]
    told.read({"path": "page.tif"}, {"path": "unknown.png"})
    assert told.paths(listed) == []


ANSWERED = {"reason": "answered", "answered_by": "Ada", "answered_at": START}


@pytest.mark.parametrize("policy", [{}, {"again": True}, {"by_content": True}])
def test_what_a_person_has_answered_is_read_again_only_if_it_has_changed(
    told: Results, policy: dict[str, bool]
) -> None:
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("same", "before")}
    first = {"path": "b", "content_hash": hashes["same"]}
    told.read(first, {"path": "b", "page": 1, **ANSWERED}, {"path": "a"})
    same = Listed({b"b": (5, 6)}, {b"b": b"same"})
    assert told.paths(same, **policy) == []
    changed = Listed({b"b": (9, 9)}, {b"b": b"other"})
    assert told.paths(changed, **policy) == [b"b"]
    told.read({"path": "b", "size": 9, "mtime_ns": 9})  # what the model reads then counts
    run = told.read({"path": "b", "size": 5})
    assert told.paths(same, again=True) == [b"b"]
    assert told.paths(same, again=True, resumed=(run,)) == []


def test_what_is_tried_again_leaves_out_what_a_person_has_answered(told: Results) -> None:
    review = {"status": "review", "reason": "low_confidence"}
    told.read(
        {"path": "a", **review},
        {"path": "a", "page": 1, **ANSWERED},
        rejected("b", Reason.NOT_A_DIGIT, answered_by="Ada"),
        rejected("c", Reason.NOT_A_DIGIT),
    )
    assert told.paths(THREE, retry_review=True) == []
    assert told.paths(THREE, retry_rejected="all") == [b"c"]
    changed = Listed(dict.fromkeys((b"a", b"b", b"c"), (9, 9)))
    assert told.paths(changed, retry_review=True) == [b"a"]


def test_a_person_s_answer_does_without_an_error_bound(told: Results) -> None:
    told.read({"path": "a", "error_bound": None, **ANSWERED})
    told.read({"path": "b", "error_bound": None}, {"path": "b", "page": 1, "answered_by": "Ada"})
    assert told.paths(Listed(dict.fromkeys((b"a", b"b"), (5, 6)))) == []
