"""A shell completes what can be typed, by a script that each of them is given."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from flows.cli.completion import SHELLS, completion
from tests.helpers import run

COMMAND = (sys.executable, "-m", "flows.cli.main")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("digitflow mod", ["plain,models"]),
        ("digitflow models roll", ["plain,rollback"]),
        ("digitflow predict --retry-r", ["plain,--retry-rejected", "plain,--retry-review"]),
        ("digitflow predict --device c", ["plain,cpu", "plain,cuda"]),
        ("digitflow predict --retry-rejected no", ["plain,not_a_digit", "plain,no_answer"]),
        ("digitflow predict sca", ["file,sca"]),
    ],
)
def test_a_shell_completes_commands_options_words_and_files(
    line: str,
    offered: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = line.split()
    monkeypatch.setenv("_DIGITFLOW_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert run() == 0
    assert capfd.readouterr().out.splitlines() == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    done = subprocess.run([*COMMAND, "completion", shell], capture_output=True, check=True)
    assert b"_DIGITFLOW_COMPLETE" in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, check=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_for_what_the_program_answers_to(
    shell: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    done = CliRunner().invoke(completion, [shell])
    assert done.exit_code == 0
    asked = f"_DIGITFLOW_COMPLETE={shell}_complete"
    assert asked in done.stdout
    monkeypatch.setenv(*asked.split("=", 1))
    monkeypatch.setenv("COMP_WORDS", "digitflow pred")
    monkeypatch.setenv("COMP_CWORD", "pred" if shell == "fish" else "1")
    assert run() == 0
    assert "predict" in capfd.readouterr().out


@pytest.mark.parametrize("shell", ["", "powershell", "bash; rm -rf /"])
def test_another_shell_is_refused_with_those_that_there_are(shell: str) -> None:
    done = CliRunner().invoke(completion, [shell])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert all(known in done.stderr for known in SHELLS)
