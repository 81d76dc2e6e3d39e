"""A commit never names a file that a lost machine could lose."""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tasks.results import table as results
from tasks.results.commit import make_table
from tasks.results.compact import compact
from tasks.results.repair import damages, repair
from tasks.results.schema import SCHEMA
from tasks.results.table_files import LOG
from tests.results.test_table import read_row, store


def noting(table: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    """Return a list of what is synced, and how many commits are there then."""
    synced: list[tuple[Path, int]] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        commits = len(list((table / LOG).glob("*.json")))
        synced.append((Path(f"/proc/self/fd/{handle}").readlink(), commits))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    return synced


def test_commits_without_rows_are_on_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "home" / "results"
    synced = noting(table, monkeypatch)

    def commits_synced() -> list[int]:
        return sorted(int(file.stem) for file, _ in synced if file.suffix == ".json")

    make_table(str(table))
    assert commits_synced() == [0]
    assert {tmp_path, table.parent, table / LOG} <= {file for file, _ in synced}
    earlier = tmp_path / "earlier"
    synced = noting(earlier, monkeypatch)
    DeltaTable.create(str(earlier), pa.schema(list(SCHEMA)[:-2]))
    assert make_table(str(earlier)) == 3
    assert commits_synced() == [0, 1, 2, 3]
    synced = noting(table, monkeypatch)
    for run in ("run-1", "run-2"):
        store(str(table), read_row("a.png", run))
    DeltaTable(str(table)).alter.set_table_properties(
        {"delta.deletedFileRetentionDuration": "interval 0 seconds"}
    )
    synced.clear()
    compact(str(table))
    newest = make_table(str(table))
    assert len(list(table.glob("*.parquet"))) == 1
    assert commits_synced() == [newest - 2, newest - 1, newest]


def test_data_is_on_the_disk_before_its_commit_and_the_commit_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "results"
    store(str(table), read_row("a.png"))
    synced = noting(table, monkeypatch)
    for write in (
        lambda: store(str(table), read_row("b.png", "run-2")),
        lambda: compact(str(table)),
    ):
        before = set(table.glob("*.parquet"))
        commits = len(list((table / LOG).glob("*.json")))
        synced.clear()
        write()
        (data,) = set(table.glob("*.parquet")) - before
        commit = table / LOG / f"{commits:020}.json"
        assert synced == [
            (data, commits),
            (table, commits),
            (commit, commits + 1),
            (table / LOG, commits + 1),
        ]


def test_readers_can_skip_a_file_by_its_bounds(tmp_path: Path) -> None:
    table = str(tmp_path / "results")
    for root in ("/b", "/a", "/c"):
        store(table, read_row("a.png", f"run of {root}", root=root))
    found = DeltaTable(table).get_add_actions(flatten=True)
    assert sorted(found.column("min.root").to_pylist()) == ["/a", "/b", "/c"]
    assert set(found.column("num_records").to_pylist()) == {1}
    assert results.select(table, results.Query(root="/b")).num_rows == 1


def test_names_that_the_log_has_to_encode_are_those_of_files(tmp_path: Path) -> None:
    table = tmp_path / "results"
    for run in ("run-1", "run-2"):
        store(str(table), read_row(f"{run}.png", run))
        commit = max((table / LOG).glob("*.json"))
        old, new = max(table.glob("rows-*.parquet")), table / f"a b 100% {run}.parquet"
        commit.write_text(commit.read_text().replace(old.name, quote(new.name)))
        old.rename(new)
    before = results.select(str(table))
    assert before.num_rows == 2
    assert damages(str(table)) == []
    copied = shutil.copytree(table, tmp_path / "copy")
    assert compact(str(copied))
    assert results.select(str(copied)).equals(before)
    assert len(DeltaTable(str(copied)).file_uris()) == 1
    (table / "a b 100% run-1.parquet").write_bytes(b"")
    assert len(repair(str(table))) == 1
    assert results.select(str(table))["run_id"].to_pylist() == ["run-2"]


def test_a_file_that_could_not_be_written_whole_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "results"
    store(str(table), read_row("a.png"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(Exception, match="No space"):
        store(str(table), read_row("b.png", "run-2"))
    assert len(list(table.glob("*.parquet"))) == 1
