"""Maintenance: each part says what it removed and kept, and one that fails stops no other."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from flows.maintenance import maintain as maintenance
from flows.maintenance.maintain import Unmaintained, maintain
from flows.terminal.console import Console
from tasks.registry.registry import Registry
from tasks.results.commit import commit, writer_of
from tasks.results.table import Query, select
from tasks.settings.base import MaintainSettings, results_table
from tests.flows.maintenance.outdated import make_version
from tests.flows.maintenance.test_run_folders import a_run
from tests.helpers import run
from tests.results.test_table import read_row, table_of

QUIET = Console(quiet=True)


def read_something(commits: int = 3) -> str:
    """Fill the results by so many commits, and return the table."""
    table = results_table()
    for number in range(commits):
        writer = writer_of(table, ["/pictures"], f"run-{number}")
        commit(table_of(read_row(f"{number}.png", f"run-{number}")), f"run-{number}/0", writer)
    return table


def forget_the_week(table: str) -> None:
    """Let files go as soon as they are replaced, as if a week had passed."""
    DeltaTable(table).alter.set_table_properties(
        {"delta.deletedFileRetentionDuration": "interval 0 hours"}
    )


def test_every_part_says_what_it_did_and_no_row_is_lost(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = read_something()
    forget_the_week(table)
    a_run(home, "predict-20260101-000000-0001", 1)
    registry = Registry(home / "models")
    for name in ("a", "b", "c", "d"):
        version = make_version(home, name)
        if name != "d":
            registry.promote(version, "x", against=registry.serving_name(), override=True)
    before = select(table, Query(history=True))
    words = ("--no-prefect", "--keep-runs", "0", "--keep-models", "1")
    assert run("maintain", *words, "--dry-run", "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["dry_run"], len(list((home / "runs").iterdir()))) == (True, 1)
    assert len(registry.names()) == 4
    assert run("maintain", *words) == 0
    said = capfd.readouterr().out
    assert "1 removed (predict-20260101-000000-0001)" in said
    assert "3 small files before, 1 now" in said
    assert "1 kept: b, a rollback leads to it" in said
    assert "1 removed (a)" in said
    assert list((home / "runs").iterdir()) == []
    assert registry.names() == ["b", "c", "d"]
    assert select(table, Query(history=True)).sort_by("path") == before.sort_by("path")
    parts = {part["part"]: part for part in told["parts"]}
    assert parts["models"]["removed"] == ["a"]
    assert parts["run folders"]["removed"] == ["predict-20260101-000000-0001"]
    assert parts["run folders"]["freed"] > 0


def test_what_was_replaced_within_a_week_stays_for_those_who_read_it(home: Path) -> None:
    table = read_something()
    earlier = DeltaTable(table).version()
    done = maintain(MaintainSettings(), QUIET)
    part = next(part for part in done.parts if part.part == "result files")
    assert (part.removed, part.freed) == ([], 0)
    then = DeltaTable(table, version=earlier).to_pyarrow_table()
    assert then.num_rows == 3


def test_files_that_were_replaced_long_ago_are_deleted_and_counted(home: Path) -> None:
    table = read_something()
    maintain(MaintainSettings(), QUIET)
    forget_the_week(table)
    told = maintain(MaintainSettings(dry_run=True), QUIET)
    done = maintain(MaintainSettings(), QUIET)
    parts = [next(p for p in each.parts if p.part == "result files") for each in (told, done)]
    assert [len(part.removed) for part in parts] == [3, 3]
    assert parts[0].freed > 0
    assert parts[1].freed > 0
    assert select(table).num_rows == 3


def test_a_part_that_fails_stops_no_other_and_all_that_failed_is_said(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = read_something(1)
    a_run(home, "predict-20260101-000000-0001", 1)
    [data] = Path(table).glob("*.parquet")
    os.truncate(data, 10)
    assert run("maintain", "--no-prefect", "--keep-runs", "0", "--json") == 1
    printed = capfd.readouterr()
    assert "result files: the results table" in printed.err
    assert "`digitflow repair`" in printed.err
    parts = {part["part"]: part for part in json.loads(printed.out)["parts"]}
    assert parts["run folders"]["removed"] == ["predict-20260101-000000-0001"]
    assert list((home / "runs").iterdir()) == []
    # which versions rows name cannot be found out either: none is deleted
    assert "models" in parts


def test_what_nobody_expected_in_one_part_is_told_as_well(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_settings: MaintainSettings) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(
        maintenance, "PARTS", (("first", broken), ("second", broken), maintenance.PARTS[0])
    )
    with pytest.raises(Unmaintained) as raised:
        maintain(MaintainSettings(), QUIET)
    assert str(raised.value) == "first: RuntimeError: a defect; second: RuntimeError: a defect"
    assert [part.error is None for part in raised.value.maintained.parts] == [False, False, True]


def test_a_home_in_which_nothing_happened_yet_needs_no_maintenance(home: Path) -> None:
    done = maintain(MaintainSettings(), QUIET)
    assert done.freed == 0
    assert [part.removed for part in done.parts] == [[]] * 4
    assert timedelta(days=MaintainSettings().keep_days) == timedelta(days=90)
