"""What a lost machine leaves of a table is named, and stepped back from; what is whole stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from flows.cli import main as cli
from flows.predict import predict
from tasks.errors import DigitflowError
from tasks.results import table as results
from tasks.results.commit import make_table
from tasks.results.compact import compact
from tasks.results.repair import ASIDE, damages, repair, require_sound
from tasks.results.table_files import LOG
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.flows.test_predict import Watcher
from tests.results.test_table import read_row, store

COMMITS = 5
Harm = Callable[[Path], object]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of some commits with a row each."""
    folder = tmp_path / "results"
    for number in range(COMMITS):
        store(str(folder), read_row(f"{number}.png", f"run-{number}"))
    return folder


def commit_at(table: Path, place: int) -> Path:
    return sorted((table / LOG).glob("*.json"))[place]


def data_of(table: Path) -> list[Path]:
    return sorted(table.glob("*.parquet"))


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


HARMS: dict[str, tuple[Harm, int]] = {  # and how many rows are left
    "last commit empty": (lambda table: emptied(commit_at(table, -1)), COMMITS - 1),
    "last commit cut off": (lambda table: halved(commit_at(table, -1)), COMMITS - 1),
    "last commit zeros": (lambda table: zeroed(commit_at(table, -1)), COMMITS - 1),
    "a commit in the middle": (lambda table: emptied(commit_at(table, 2)), COMMITS - 1),
    "data empty": (lambda table: emptied(data_of(table)[0]), COMMITS - 1),
    "data cut off": (lambda table: halved(data_of(table)[0]), COMMITS - 1),
    "data zeros": (lambda table: [zeroed(file) for file in data_of(table)[:2]], COMMITS - 2),
    "data missing": (lambda table: data_of(table)[0].unlink(), COMMITS - 1),
    "commits and data": (
        lambda table: [emptied(file) for file in (commit_at(table, -1), *data_of(table))],
        0,
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_damage_is_refused_and_stepped_back_from(table: Path, harm: str) -> None:
    damage, left = HARMS[harm]
    damage(table)
    with pytest.raises(DigitflowError, match=r"results is damaged: .*`digitflow repair`"):
        require_sound(str(table))
    assert repair(str(table))
    assert damages(str(table)) == []
    rows = results.select(str(table), results.Query(history=True))
    assert rows.num_rows == left
    store(str(table), read_row("next.png", "run-9"))
    assert results.select(str(table), results.Query(history=True)).num_rows == left + 1


@pytest.mark.parametrize("harm", [emptied, zeroed, Path.unlink])
def test_a_checkpoint_is_made_good_by_the_commits_before_it(table: Path, harm: Harm) -> None:
    DeltaTable(str(table)).create_checkpoint()
    store(str(table), read_row("later.png", "run-9"))
    harm(next((table / LOG).glob("*.checkpoint.parquet")))
    with pytest.raises(DigitflowError, match="checkpoint of version 5 is damaged"):
        require_sound(str(table))
    repair(str(table))
    assert results.select(str(table)).num_rows == COMMITS + 1


@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize("harm", [emptied, zeroed, halved])
def test_a_checkpoint_that_the_note_does_not_name_yet_is_found(
    table: Path, harm: Harm, noted: bool
) -> None:
    note = table / LOG / "_last_checkpoint"
    if noted:
        DeltaTable(str(table)).create_checkpoint()
        before = note.read_bytes()
    store(str(table), read_row("later.png", "run-9"))
    DeltaTable(str(table)).create_checkpoint()
    note.unlink()
    if noted:
        note.write_bytes(before)
    harm(max((table / LOG).glob("*.checkpoint.parquet")))
    with pytest.raises(DigitflowError, match=r"6\.checkpoint\.parquet is no Parquet file"):
        require_sound(str(table))
    assert len(repair(str(table))) == 1
    assert note.exists() == noted
    assert results.select(str(table)).num_rows == COMMITS + 1


def test_commits_that_a_checkpoint_holds_are_not_needed(table: Path) -> None:
    DeltaTable(str(table)).create_checkpoint()
    (table / LOG / "_last_checkpoint").unlink()
    emptied(commit_at(table, 0))
    require_sound(str(table))
    assert results.select(str(table)).num_rows == COMMITS


def test_a_note_of_the_checkpoint_that_is_no_json_is_set_aside(table: Path) -> None:
    DeltaTable(str(table)).create_checkpoint()
    emptied(table / LOG / "_last_checkpoint")
    repair(str(table))
    assert results.select(str(table)).num_rows == COMMITS


def test_a_lost_compaction_costs_no_row(table: Path) -> None:
    compact(str(table))
    newest = max(data_of(table), key=lambda file: file.stat().st_mtime_ns)
    emptied(commit_at(table, -1))
    emptied(newest)
    repair(str(table))
    assert results.select(str(table)).num_rows == COMMITS


def test_what_was_damaged_is_kept(table: Path) -> None:
    data = min(data_of(table), key=lambda file: file.stat().st_mtime_ns)
    halved(data)
    commit = commit_at(table, -1)
    halved(commit)
    half = commit.read_bytes()
    repair(str(table))
    assert {file.name for file in (table / ASIDE).iterdir()} == {data.name, commit.name}
    assert (table / ASIDE / commit.name).read_bytes() == half


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029", "\x0b", "\x1c", "\n", "\r"])
def test_a_line_end_in_the_name_of_a_folder_is_no_damage(table: Path, end: str) -> None:
    store(str(table), read_row("odd.png", "run-9", root=f"/scans{end}2026"))
    require_sound(str(table))
    assert repair(str(table)) == []
    assert results.select(str(table)).num_rows == COMMITS + 1


def test_a_commit_that_says_nothing_of_itself_is_no_damage(table: Path) -> None:
    commit = commit_at(table, -1)
    lines = commit.read_text().split("\n")
    commit.write_text("\n".join(line for line in lines if "commitInfo" not in line) + "\n")
    assert repair(str(table)) == []
    assert results.select(str(table)).num_rows == COMMITS


def test_a_whole_table_is_left_as_it_is(table: Path) -> None:
    compact(str(table))
    DeltaTable(str(table)).create_checkpoint()
    version = make_table(str(table))
    require_sound(str(table))
    assert repair(str(table)) == []
    assert make_table(str(table)) == version
    for none in (str(table.parent / "not there yet"), "s3://nobody/answers/here"):
        assert (damages(none), repair(none)) == ([], [])


@pytest.mark.parametrize("lost", [0, -1])
def test_what_cannot_be_mended_says_so(table: Path, lost: int) -> None:
    DeltaTable(str(table)).create_checkpoint()
    emptied(next((table / LOG).glob("*.checkpoint.parquet")))
    if lost:
        commit_at(table, 0).unlink()
    else:
        emptied(commit_at(table, 0))
    with pytest.raises(DigitflowError, match=r"cannot be repaired: .* restore the folder"):
        repair(str(table))


@pytest.mark.parametrize("harm", ["last commit zeros", "data empty"])
def test_whoever_asks_a_damaged_table_is_told_the_way_back(table: Path, harm: str) -> None:
    HARMS[harm][0](table)
    with pytest.raises(DigitflowError, match="`digitflow repair`"):
        results.select(str(table))
    with pytest.raises(DigitflowError, match="`digitflow repair`"):
        list(results.scan(str(table), ["path"], lambda _: results.pc.scalar(True)))


@pytest.mark.processes
def test_files_whose_rows_are_gone_are_read_again(
    tmp_path: Path, home: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for digit in range(3):
        (pictures / f"{digit}.png").write_bytes(encoded(bar(digit)))
    settings = PredictSettings(source=str(pictures), model=str(model_file), workers=1)
    predict(settings, Watcher())
    emptied(commit_at(home / "results", -1))
    with pytest.raises(DigitflowError, match="`digitflow repair`"):
        predict(settings, Watcher())
    with pytest.raises(SystemExit) as ended:
        cli.main(["results"])
    assert ended.value.code == 1
    assert "`digitflow repair`" in capsys.readouterr().err
    cli.main(["repair"])
    assert "its commit 1 (0 bytes) is damaged" in capsys.readouterr().out
    assert predict(settings, Watcher()).files == 3
    assert results.select(str(home / "results")).num_rows == 3
    cli.main(["repair"])
    assert "nothing is damaged" in capsys.readouterr().out
