"""`digitflow predict` killed, stopped, doubled or out of disk: nothing is lost.

What an undisturbed reading of the same folder says is what every reading has to come to.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows.cli.main import INTERRUPTED
from tasks.results import table as results
from tests.bars import bar, encoded
from tests.inference.test_worker import is_running, wait_until

pytestmark = pytest.mark.processes

FILES = 26_000  # two shards, so that some are left when the first is committed
ROOT = Path(__file__).parents[2]


class Command:
    """The same command line, run again and again in a home of its own."""

    def __init__(self, folder: Path, model: Path, home: Path) -> None:
        """Run nothing yet."""
        self.folder, self.home, self.table = folder, home, str(home / "results")
        options = ["--no-prefect", "--model", str(model), "--workers", "1"]
        self.line = [sys.executable, "-m", "flows.cli.main", "predict", str(folder), *options]

    def start(self, file_size: int | None = None) -> subprocess.Popen[str]:
        """Start it; no file may grow larger than that many KiB."""
        line = self.line
        if file_size:
            line = ["bash", "-c", f'ulimit -f {file_size} && exec "$@"', "bash", *line]
        return subprocess.Popen(
            line,
            cwd=ROOT,
            env={**os.environ, "DIGITFLOW_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> str:
        """Run it to its end and return what it printed."""
        process = self.start()
        out, said = process.communicate()
        assert (process.returncode, said) == (0, ""), out + said
        return out

    def rows(self) -> pa.Table:
        """Return every row but for what tells runs apart, having checked that no file has two."""
        rows = results.select(self.table, results.Query(history=True))
        assert len(set(rows["path"].to_pylist())) == rows.num_rows
        return rows.drop(["run_id", "read_at", "commit_version"])

    def committed(self) -> bool:
        """Tell whether the table has rows; its first version only makes it."""
        return (self.home / "results" / "_delta_log" / f"{1:020}.json").exists()


def stopped(process: subprocess.Popen[str], when: Callable[[], bool], how: int) -> tuple[str, str]:
    """Signal a process when something has happened, and return what it printed."""
    wait_until(lambda: when() or process.poll() is not None)
    children = [int(pid) for pid in children_of(process.pid)]
    process.send_signal(how)
    out, said = process.communicate()
    assert children
    wait_until(lambda: not any(map(is_running, children)))
    return out, said


def children_of(pid: int) -> list[str]:
    """Return the ids of all processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with many digits and some files without one."""
    made = tmp_path_factory.mktemp("many")
    contents = [encoded(bar(digit)) for digit in range(10)] + [b"bring milk"]
    for number, content in enumerate(contents):
        (made / f"{number:05}.png").write_bytes(content)
    for number in range(len(contents), FILES):
        os.link(made / f"{number % len(contents):05}.png", made / f"{number:05}.png")
    return made


@pytest.fixture(scope="module")
def undisturbed(
    folder: Path, model_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> pa.Table:
    """Return the rows of a reading that nothing disturbed."""
    command = Command(folder, model_file, tmp_path_factory.mktemp("undisturbed"))
    command.run()
    return command.rows()


@pytest.fixture
def command(folder: Path, model_file: Path, tmp_path: Path) -> Command:
    """Return the command in a home where nothing was read yet."""
    return Command(folder, model_file, tmp_path / "home")


def test_an_undisturbed_reading_has_a_row_for_every_file(undisturbed: pa.Table) -> None:
    assert undisturbed.num_rows == FILES
    assert set(undisturbed["reason"].to_pylist()) == {"ok", "unsupported_format"}


def test_after_a_kill_the_same_command_reads_the_rest(
    command: Command, undisturbed: pa.Table
) -> None:
    process = command.start()
    stopped(process, command.committed, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = command.rows().num_rows
    assert 0 < before < FILES
    out = command.run()
    [run] = [
        path for path in (command.home / "runs").iterdir() if not (path / "summary.json").exists()
    ]
    assert f"Resumed      {before:,} files stay as read by {run.name}\n" in out
    assert "Up to date" not in out
    assert f" pictures in {FILES - before:,} files" in out
    assert command.rows().equals(undisturbed)


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(command: Command, undisturbed: pa.Table) -> None:
    process = command.start()
    out, said = stopped(process, command.committed, signal.SIGINT)
    assert process.returncode == INTERRUPTED, out + said
    assert said == "digitflow: interrupted\n"
    assert "Interrupted  run predict-" in out
    assert "; the same command goes on from there" in out
    assert 0 < command.rows().num_rows < FILES
    assert "Resumed" in command.run()
    assert command.rows().equals(undisturbed)


@pytest.mark.slow
def test_two_readings_of_one_folder_at_once_read_every_file_once(
    command: Command, undisturbed: pa.Table
) -> None:
    processes = [command.start() for _ in range(2)]
    ended = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    assert command.rows().equals(undisturbed)


@pytest.mark.slow
def test_a_full_disk_is_an_error_and_the_same_command_goes_on_when_there_is_room(
    model_file: Path, tmp_path: Path
) -> None:
    folder, random = tmp_path / "noise", np.random.default_rng(1)
    folder.mkdir()
    for number in range(800):  # rows that cannot be packed
        noise = random.integers(0, 256, (28, 28), np.uint8)
        (folder / f"{number}.png").write_bytes(encoded(noise))
    command = Command(folder, model_file, tmp_path / "home")
    # there is no room for the model that is handed over, then none for the rows
    for kib, message in ((2, "no room left on the disk ("), (40, "cannot be written: ")):
        process = command.start(file_size=kib)
        out, said = process.communicate()
        assert process.returncode == 1, out + said
        assert said.splitlines()[-1].startswith("digitflow: ")
        assert message in said.splitlines()[-1]
        assert "Traceback" not in said
    assert "has read and kept 0 of 800 files; the same command goes on" in out
    command.run()
    assert command.rows().num_rows == 800
