"""Whatever goes wrong, the user reads one line, and the output ends without a word of Python's."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli.error_output import complain, in_a_line
from flows.cli.main import main
from tests.helpers import as_ordinary_user

pytestmark = pytest.mark.processes

CONTROLS = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u202e", "\u2028"} - {"\n"}
COMMAND = (sys.executable, "-m", "flows.cli.main")


@pytest.fixture(autouse=True)
def own_state(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every command away from the state of the user."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that may not be written."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


def ended(*arguments: str, **others: str) -> tuple[int, str]:
    """Run a command as an ordinary user and return its exit code and what it said on stderr."""
    command = as_ordinary_user(*COMMAND, *arguments)
    environment = os.environ | others
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stderr


def test_what_the_machine_refuses_is_named_with_its_file_and_the_cause() -> None:
    line = in_a_line(PermissionError(errno.EACCES, "Permission denied", "/data/x"))
    assert line.startswith("this user may not do that")
    assert line.endswith("(Permission denied: /data/x)")


def test_a_defect_is_one_line_with_its_place_and_a_traceback_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def broken() -> None:
        raise KeyError("http://me:secret@host\n\x1b[2J")

    monkeypatch.setattr("flows.cli.doctor.examine", broken)
    with pytest.raises(SystemExit) as end:
        main(["doctor"])
    said = capfd.readouterr().err
    assert end.value.code == 1
    assert said.startswith("digitflow: unexpected KeyError: ")
    assert ", at flows/cli/commands.py:" in said
    assert said.count("\n") == 1
    file = Path(said.split()[-1])
    assert file.stat().st_mode & 0o777 == 0o600
    assert "in broken" in file.read_text()
    assert "secret" not in said + file.read_text()


def test_no_control_character_and_no_secret_gets_into_the_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    complain("".join(sorted(CONTROLS)) + "\n and http://me:secret@host")
    said = capfd.readouterr().err
    assert not CONTROLS & set(said)
    assert said.count("\n") == 1
    assert "secret" not in said


@pytest.mark.parametrize("words", ["doctor", "doctor --json", "--help", "predict -h", "--version"])
def test_output_that_nobody_reads_ends_it_without_a_word(words: str) -> None:
    unread, output = os.pipe()
    os.close(unread)
    command = [*COMMAND, *words.split()]
    done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
    os.close(output)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_output_that_cannot_be_written_is_an_error(option: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [*COMMAND, "doctor", *option]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"digitflow: no room left on the disk (No space left on device)\n"


def test_what_nobody_can_be_told_changes_no_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "preview", "missing"], stderr=full, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_files_are_no_trouble(closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *COMMAND, "doctor"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "bogus\x1b[2J",
        "predict --bogus\x1b[2J",
        "predict x y\x1b[2J --no-prefect",
        "predict x --workers \udce9\x1b[2J",
        "predict missing\x1b]52;c;x\x07\x9b31m\u202e[/x] --no-prefect",
        "predict x --retry-rejected " + "a" * 300,
        "predict " + "a" * 5000 + " --no-prefect",
        "results --out " + "a" * 300 + ".csv",
        "results --path \udce9",
        "models show \udce9\x1b[2J",
        "predict ~nobody-has-this-name/x --no-prefect",
    ],
)
def test_wrong_words_are_one_line_that_is_safe_to_look_at(arguments: str) -> None:
    code, said = ended(*arguments.split(" ") if arguments else ())
    assert code == 2
    assert said.startswith("digitflow: ")
    assert said.count("\n") == 1
    assert not CONTROLS & set(said)


@pytest.mark.parametrize("what", ["file", "locked", "unknown"])
@pytest.mark.parametrize("command", ["predict", "preview"])
def test_a_home_that_cannot_be_used_is_one_line(
    command: str, what: str, tmp_path: Path, locked: Path, model_file: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").touch()
    (tmp_path / "file").touch()
    home = {"file": tmp_path / "file", "locked": locked, "unknown": "~nobody-has-this-name"}[what]
    options = ["--no-prefect"] if command == "predict" else []
    words = [command, str(tmp_path / "pictures"), "--model", str(model_file), *options]
    code, said = ended(*words, DIGITFLOW_HOME=str(home))
    assert code == 2
    assert "DIGITFLOW_HOME" in said
    assert said.count("\n") == 1


def test_a_home_where_prefect_can_keep_nothing_is_one_line(tmp_path: Path, locked: Path) -> None:
    code, said = ended("predict", str(tmp_path), PREFECT_HOME=str(locked / "prefect"))
    assert code == 2
    assert f"Prefect keeps its state in {locked}/prefect" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["pipe.csv", "locked/out.csv", "read-only.csv", "loop.csv"])
def test_an_output_that_cannot_be_written_is_found_before_the_work(
    name: str, tmp_path: Path, locked: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "read-only.csv").touch(mode=0o444)
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    code, said = ended("results", "--out", str(tmp_path / name))
    assert code == 2
    assert f"--out {tmp_path / name}" in said
    assert said.count("\n") == 1
