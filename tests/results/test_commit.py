"""Rows are in the table once, whoever else writes to it at the same time."""

import sys
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tasks.errors import DigitflowError
from tasks.results import table as results
from tasks.results.commit import Committed, WriterContext, commit, make_table, writer_of
from tasks.results.compact import compact, small_files
from tasks.results.repair import repair, require_sound
from tasks.results.schema import SCHEMA
from tests.helpers import answers_at_once
from tests.results.test_table import read_row, rejected_row, table_of

ROOT = Path(__file__).parents[2]
# commits rows of some paths, a few at a time, when it is told to begin
WRITER = """
import sys
from tasks.results.commit import WriterContext, commit, make_table
from tests.results.test_table import read_row, table_of
table, root, run, *paths = sys.argv[1:]
writer = WriterContext(table, root, run, make_table(table))
print("ready", flush=True)
sys.stdin.readline()
kept = left = 0
for shard in range(0, len(paths), 4):
    rows = [read_row(path, run, root=root) for path in paths[shard : shard + 4]]
    done = commit(table_of(*rows), f"{run}/{shard}", writer)
    kept, left = kept + done.rows, left + done.others
print(kept, left)
"""


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return the place of a results table that is not there yet."""
    return str(tmp_path / "results")


def writer(table: str, run: str, root: str = "/pictures") -> WriterContext:
    """Return the context of a run that begins now."""
    return WriterContext(table, root, run, make_table(table))


def paths_in(table: str, **conditions: Any) -> list[str]:
    """Return the paths of all rows, those of superseded readings included."""
    rows = results.select(table, results.Query(history=True, **conditions), ["path"]).to_pylist()
    return [row["path"] for row in rows]


def test_a_table_is_made_once_and_each_commit_is_a_version(table: str) -> None:
    assert make_table(table) == make_table(table) == 0
    first = writer(table, "run-1")
    assert commit(table_of(read_row("a.png")), "run-1/0", first) == Committed(1, 0)
    assert make_table(table) == 1
    assert paths_in(table) == ["a.png"]


def test_a_transaction_is_committed_once_however_often_it_is_tried(table: str) -> None:
    for path in ("a.png", "other.png"):
        commit(table_of(read_row(path)), "run-1/0", writer(table, "run-1"))
    commit(table_of(read_row("b.png")), "run-1/1", writer(table, "run-1"))
    assert paths_in(table) == ["a.png", "b.png"]


def test_threads_that_commit_at_once_all_have_their_rows_once(table: str) -> None:
    ours = writer(table, "run-1")

    def commit_one(number: int) -> None:
        commit(table_of(read_row(f"{number % 6}.png")), f"run-1/{number % 6}", ours)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(commit_one, range(12)))
    assert paths_in(table) == [f"{number}.png" for number in range(6)]


def written_at_once(table: str, writers: Sequence[tuple[str, str, list[str]]]) -> list[list[int]]:
    """Let processes commit rows at the same time; return how many each kept, and left out."""
    answers = answers_at_once(
        [[sys.executable, "-c", WRITER, table, root, run, *paths] for root, run, paths in writers]
    )
    return [[int(number) for number in answer.split()] for answer in answers]


@pytest.mark.processes
def test_what_another_run_has_read_and_taken_away_has_not_vanished(table: str) -> None:
    begun = writer(table, "slow")
    taken, left = read_row("a.png", "quick", original="/read"), read_row("b.png", "quick")
    commit(table_of(taken, left), "quick/0", writer(table, "quick"))
    gone = {"reason": "vanished", "size": None, "mtime_ns": None}
    rows = [rejected_row(name, "slow") | gone for name in ("a.png", "b.png")]
    assert commit(table_of(*rows), "slow/0", begun) == Committed(rows=1, others=1)
    found = results.select(table, columns=["path", "status"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [("a.png", "read"), ("b.png", "rejected")]


def test_two_processes_that_read_the_same_files_at_once_lose_and_double_none(table: str) -> None:
    paths = [f"{number:02}.png" for number in range(24)]
    some, rest = paths[:16], paths[8:]
    kept = written_at_once(
        table, [("/pictures", "run-1", some), ("/pictures", "run-2", rest[::-1])]
    )
    assert paths_in(table) == paths
    assert [sum(answer) for answer in kept] == [16, 16]
    assert sum(answer[0] for answer in kept) == 24
    for run, (count, _) in zip(("run-1", "run-2"), kept, strict=True):
        assert len(paths_in(table, run=run)) == count


@pytest.mark.processes
def test_processes_that_read_different_folders_at_once_leave_nothing_out(table: str) -> None:
    paths = [f"{number:02}.png" for number in range(16)]
    writers = [(f"/folder-{number}", f"run-{number}", paths) for number in range(2)]
    assert written_at_once(table, writers) == [[16, 0], [16, 0]]
    assert Counter(paths_in(table)) == dict.fromkeys(paths, 2)


def test_a_run_of_several_roots_and_a_run_of_one_of_them_leave_each_other_what_they_have_read(
    table: str,
) -> None:
    both, one = writer_of(table, ["/a", "/b"], "run-1"), writer_of(table, ["/b"], "run-2")
    late = writer_of(table, ["/b"], "run-3")
    commit(table_of(read_row("1.png", "run-2", root="/b")), "run-2/0", one)
    same_names = [read_row("1.png", "run-1", root=root) for root in ("/a", "/b")]
    more = read_row("2.png", "run-1", root="/b")
    assert commit(table_of(*same_names, more), "run-1/0", both) == Committed(2, 1)
    theirs = [read_row(f"{number}.png", "run-3", root="/b") for number in (1, 2, 3)]
    assert commit(table_of(*theirs), "run-3/0", late) == Committed(1, 2)
    rows = results.select(table, results.Query(history=True)).select(["root", "path"]).to_pylist()
    places = [f"{row['root']}/{row['path']}" for row in rows]
    assert places == ["/a/1.png", "/b/1.png", "/b/2.png", "/b/3.png"]


def test_only_what_others_have_read_since_the_run_began_is_left_out(table: str) -> None:
    commit(table_of(read_row("old.png", "run-0")), "run-0/0", writer(table, "run-0"))
    ours = writer(table, "run-1")
    theirs = table_of(
        read_row("same.png", "run-2"),
        read_row("changed.png", "run-2"),
        read_row("touched.png", "run-2"),
        read_row("elsewhere.png", "run-2", root="/elsewhere"),
    )
    commit(theirs, "run-2/0", writer(table, "run-2"))
    rows = table_of(
        read_row("old.png"),
        read_row("same.png"),
        read_row("same.png", page=1),
        read_row("changed.png", size=101),
        read_row("touched.png", mtime_ns=1),
        read_row("elsewhere.png"),
    )
    assert commit(rows, "run-1/0", ours) == Committed(4, 1)
    expected = ["changed.png", "elsewhere.png", "old.png", "touched.png"]
    assert paths_in(table, run="run-1") == expected


def test_a_shard_of_which_others_have_read_everything_adds_nothing(table: str) -> None:
    ours = writer(table, "run-1")
    commit(table_of(read_row("a.png", "run-2")), "run-2/0", writer(table, "run-2"))
    version = make_table(table)
    assert commit(table_of(read_row("a.png")), "run-1/0", ours) == Committed(0, 1)
    assert make_table(table) == version


def test_what_could_not_be_looked_at_is_not_doubled_either(table: str) -> None:
    ours = writer(table, "run-1")
    commit(table_of(rejected_row("gone.png", "run-2")), "run-2/0", writer(table, "run-2"))
    assert commit(table_of(rejected_row("gone.png")), "run-1/0", ours) == Committed(0, 1)


def test_a_run_goes_on_to_know_the_others_through_all_its_shards(table: str) -> None:
    ours, theirs = writer(table, "run-1"), writer(table, "run-2")
    for shard, path in enumerate(("a.png", "b.png", "c.png")):
        assert commit(table_of(read_row(path, "run-2")), f"run-2/{shard}", theirs).rows == 1
        kept = commit(table_of(read_row(path), read_row(f"own {path}")), f"run-1/{shard}", ours)
        assert kept == Committed(1, 1)
    assert len(paths_in(table)) == 6


def test_commits_say_which_run_and_folder_they_are_of(table: str) -> None:
    commit(table_of(read_row("a.png")), "run-1/0", writer(table, "run-1"))
    newest = DeltaTable(table).history(1)[0]
    assert (newest["digitflow.root"], newest["digitflow.run"]) == ("/pictures", "run-1")


def test_runs_that_find_a_table_of_an_earlier_version_at_once_all_have_it_whole(
    tmp_path: Path,
) -> None:
    earlier = pa.schema(list(SCHEMA)[:-2])
    for attempt in range(5):
        place = str(tmp_path / str(attempt))
        DeltaTable.create(place, earlier)
        begin = threading.Barrier(4)

        def columns(_: int, place: str = place, begin: threading.Barrier = begin) -> list[str]:
            begin.wait()
            version = DeltaTable(place, version=make_table(place))
            return [field.name for field in version.schema().fields]

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(columns, range(4))) == [SCHEMA.names] * 4


@pytest.mark.parametrize("column", ["root", "status", "digit", "checked_by"])
def test_a_table_that_somebody_has_partitioned_takes_rows(tmp_path: Path, column: str) -> None:
    table, source = str(tmp_path / "results"), str(tmp_path / "source")
    commit(table_of(read_row("a.png"), rejected_row("b.png")), "run-1/0", writer(source, "run-1"))
    rows = DeltaTable(source).to_pyarrow_table()
    rows = rows.append_column("checked_by", pa.array([None, "Ada 100%"]))
    write_deltalake(table, rows, partition_by=[column])
    more = table_of(read_row("c.png", digit=4), rejected_row("d.png"))
    assert commit(more, "run-2/0", writer(table, "run-2")) == Committed(2, 0)
    require_sound(table)
    assert compact(table)
    assert small_files(table) == 0
    found = results.select(table, results.Query(history=True)).to_pylist()
    assert [(row["path"], row["digit"], row["root"]) for row in found] == [
        ("a.png", 3, "/pictures"),
        ("b.png", None, "/pictures"),
        ("c.png", 4, "/pictures"),
        ("d.png", None, "/pictures"),
    ]
    for file in DeltaTable(table).file_uris():
        Path(file).write_bytes(b"")
    repair(table)
    assert results.select(table).num_rows == 0


def test_a_table_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    table = str(tmp_path / "file" / "results")
    with pytest.raises(DigitflowError, match="file/results cannot be written"):
        make_table(table)
