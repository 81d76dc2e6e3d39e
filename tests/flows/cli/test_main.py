"""The command line as a script sees it: exit codes, one JSON value, faults that are named."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.registry.registry import ship
from tests.bars import bar, encoded
from tests.helpers import register_champion, run

pytestmark = pytest.mark.processes

COMMANDS = [
    *(
        "demo",
        "train",
        "predict",
        "preview",
        "results",
        "models",
        "acceptance",
        "corrections",
        "up",
    ),
    *("credentials", "doctor", "repair", "review"),
]


@pytest.fixture(autouse=True)
def own_state(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every command away from the state of the user, and from the user's settings."""
    for name in [name for name in os.environ if name.startswith("DIGITFLOW_")]:
        if name != "DIGITFLOW_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two digits."""
    made = tmp_path / "pictures"
    made.mkdir()
    for digit in (3, 8):
        (made / f"{digit}.png").write_bytes(encoded(bar(digit)))
    return made


@pytest.fixture
def predict(folder: Path, model_file: Path) -> list[str]:
    """Return the words that read the folder."""
    return ["predict", str(folder), "--no-prefect", "--model", str(model_file), "--workers", "1"]


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own."""
    command = [sys.executable, "-m", "flows.cli.main", *arguments]
    root = Path(__file__).parents[3]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def answer(capfd: pytest.CaptureFixture[str]) -> Any:
    """Return the one JSON value that was printed."""
    return json.loads(capfd.readouterr().out)


def test_reading_from_a_shell_prints_counts_and_ends_with_0(predict: list[str]) -> None:
    ended = started(*predict)
    assert ended.returncode == 0
    assert "2 read + 0 for review + 0 rejected = 2" in ended.stdout
    assert ended.stderr == ""


def test_json_is_one_value_on_stdout_and_nothing_else(predict: list[str], folder: Path) -> None:
    (folder / "bad.png").write_bytes(encoded(bar(1))[:60])
    ended = started(*predict, "--json")
    summary = json.loads(ended.stdout)
    assert (summary["found"], summary["read"], summary["reasons"]["truncated"]) == (3, 2, 1)
    assert ended.stderr == ""


def test_a_folder_and_a_file_without_encoding_do_not_stop_the_lines_or_the_json(
    predict: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as in every locale but C
    odd = os.fsdecode(b"caf\xe9")
    (folder / odd).mkdir()
    (folder / odd / f"{odd}.png").write_bytes(encoded(bar(5)))
    (folder / odd / odd).touch()
    predict[1] = str(folder / odd)
    lines, value = started(*predict), started(*predict, "--json", "--again")
    assert (lines.returncode, lines.stderr) == (0, "")
    assert "1 read + 0 for review + 1 rejected = 2" in lines.stdout
    assert json.loads(value.stdout)["rejects"][0]["path"] == r"caf\xe9"


def test_strict_ends_with_4_where_something_was_rejected(
    predict: list[str], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(*predict, "--strict") == 0
    (folder / "empty.png").touch()
    assert run(*predict) == 0
    capfd.readouterr()
    assert run(*predict, "--strict", "--json") == 4
    printed = capfd.readouterr()
    # the run before has read it, so that this one had nothing to do
    assert json.loads(printed.out)["files"] == 0
    assert printed.err == "digitflow: 1 of the pictures that were found are rejected (--strict)\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("", "`digitflow --help`"),
        ("bogus", "bogus"),
        ("predct IN", "Did you mean 'predict'?"),
        ("predict", "SOURCE"),
        ("predict IN --bogus", "--bogus"),
        ("predict IN --exlude x", "'--exclude'"),
        ("models promot x", "Did you mean 'promote'?"),
        ("predict IN --workers x", "--workers x:"),
        ("predict IN --workers 999", "--workers 999:"),
        ("predict IN --max-error 2", "--max-error 2:"),
        ("predict IN --no-prefect --model MODEL --max-error 1e-6", "less than this model can"),
        ("preview missing --model MODEL", "missing does not exist"),
        ("preview IN --model MODEL --max-error 1e-6", "less than this model can guarantee"),
        ("preview IN --limit 0", "--limit 0:"),
        ("predict IN --device tpu", "--device tpu:"),
        ("predict IN --retry-rejected truncatd", "truncatd: no such word, give one of all"),
        ("predict IN --retry-rejected truncatd", "(did you mean truncated?)"),
        ("predict IN --retry-rejected ok", "--retry-rejected ok: nothing is rejected as ok"),
        ("predict IN --decode-timeout 0", "--decode-timeout 0:"),
        ("predict missing --no-prefect --model MODEL", "missing does not exist"),
        ("predict EMPTY --no-prefect --model MODEL", "has no files in it"),
        ("predict IN --no-prefect", "no champion yet"),
        ("predict IN --no-prefect --model MODEL --runner dask", "leave out --no-prefect"),
        ("predict IN --address tcp://there:8786", "8786: that is of a cluster; add --runner dask"),
        ("predict IN --no-prefect --model unknown", "no model version 'unknown'"),
        ("predict IN --no-prefect --model missing.onnx", "no file"),
        ("predict IN --no-prefect --model DAMAGED", "does not load as an ONNX model"),
        ("predict IN --no-prefect --model MODEL --out out.xls", "--out out.xls:"),
        ("train --recipe unknown", "--recipe unknown:"),
        ("train --min-accuracy 1.5", "--min-accuracy 1.5:"),
        ("train --no-prefect --data missing", "missing"),
        ("train --no-prefect --slices cells=missing", "missing is no folder"),
        ("train --no-prefect --floors frog=0.5", "a floor for 'frog'"),
        ("train --floors fog=much", "--floors fog=much:"),
        ("train --floors fog", "--floors fog: give NAME=X"),
        ("models show unknown", "no model version 'unknown'"),
        ("models promote unknown --reason x", "no model version 'unknown'"),
        ("models promote unknown", "reason"),
        ("models gc --keep 0", "--keep 0:"),
        ("acceptance add missing", "missing is no folder"),
        ("acceptance remove unknown --reason x", "no acceptance set 'unknown'"),
        ("results", "no results in"),
        ("results --status unknown", "--status unknown:"),
        ("results --limit 0", "--limit 0:"),
        ("up --port 99999", "--port 99999:"),
    ],
)
def test_wrong_usage_or_input_ends_with_2_and_is_named(
    arguments: str,
    named: str,
    folder: Path,
    tmp_path: Path,
    model_file: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged.onnx").write_bytes(model_file.read_bytes()[:100])
    stand_for = {
        "IN": folder,
        "EMPTY": tmp_path / "empty",
        "MODEL": model_file,
        "DAMAGED": tmp_path / "damaged.onnx",
    }
    assert run(*(str(stand_for.get(word, word)) for word in arguments.split())) == 2
    printed = capfd.readouterr()
    assert named in printed.err
    assert "Traceback" not in printed.err
    assert "Outcome" not in printed.out


def test_more_names_than_prefect_stores_are_refused_with_what_to_do_instead(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run("predict", *(f"scans/{number:0100}.png" for number in range(5_000))) == 2
    assert "5,000 sources are more than Prefect stores" in capfd.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    text = capfd.readouterr().out
    assert text.startswith(f"Usage: digitflow {command}")
    assert "--json" in text


def test_the_first_page_names_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    text = capfd.readouterr().out
    assert all(f"\n  {command} " in text for command in COMMANDS)


def test_rows_are_listed_chosen_and_written(
    predict: list[str], folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty.png").touch()
    assert run(*predict, "--json") == 0
    first = answer(capfd)["run_id"]
    assert run(*predict, "--json", "--again") == 0
    second = answer(capfd)["run_id"]
    assert run("results", "--json", "--run", first) == 0
    rows = [(row["path"], row["digit"]) for row in answer(capfd)]
    assert rows == [("3.png", 3), ("8.png", 8), ("empty.png", None)]
    assert run("results", "--json", "--status", "rejected") == 0
    assert [(row["reason"], row["run_id"]) for row in answer(capfd)] == [("empty_file", second)]
    assert run("results", "--json", "--history", "8.") == 0
    assert [(row["digit"], row["run_id"]) for row in answer(capfd)] == [(8, first), (8, second)]
    assert run("results", "--json", "--path", "8.", "--run", first) == 0
    assert [row["path"] for row in answer(capfd)] == ["8.png"]
    assert run("results", "--limit", "1") == 0
    assert "1 of 3 shown" in capfd.readouterr().out
    out = tmp_path / "rows.csv"
    assert run("results", "--out", str(out)) == 0
    assert len(out.read_text().splitlines()) == 4


def test_a_folder_is_read_once_and_what_was_rejected_again_when_asked(
    predict: list[str], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("bring milk")

    def read(*options: str) -> tuple[int, int]:
        assert run(*predict, "--json", *options) == 0
        summary = answer(capfd)
        return summary["files"], summary["unchanged"]

    assert read() == (4, 0)
    assert read() == (0, 4)
    assert read("--again") == (4, 0)
    assert read("--retry-rejected") == read("--retry-rejected", "all") == (2, 2)
    assert read("--retry-rejected", "empty_file") == (1, 3)
    assert read("--retry-rejected", "blank") == (0, 4)
    assert read("--by-content") == (0, 4)


def test_models_are_listed_with_the_champion_marked(
    home: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("models", "--json") == 0
    assert answer(capfd) == []
    register_champion(home, model_file, "older")
    register_champion(home, model_file, "newer")
    assert run("models", "--json") == 0
    assert {row["version"]: row["champion"] for row in answer(capfd)} == {
        "newer": True,
        "older": False,
    }
    assert run("models") == 0
    assert "newer" in capfd.readouterr().out


def test_the_model_that_ships_is_listed_and_reads_until_another_is_promoted(
    home: Path, folder: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ship(register_champion(home.parent / "maker", model_file, "shipped"))
    assert run("models", "--json") == 0
    [row] = answer(capfd)
    assert (row["version"], row["champion"], row["shipped"]) == ("shipped", True, True)
    assert run("predict", str(folder), "--no-prefect", "--json") == 0
    assert answer(capfd)["read"] == 2
    register_champion(home, model_file, "own")
    assert run("models", "--json") == 0
    rows = [(row["version"], row["champion"], row["shipped"]) for row in answer(capfd)]
    assert rows == [("shipped", False, True), ("own", True, False)]


def test_a_preview_is_a_page_and_no_results(
    folder: Path, home: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("preview", str(folder), "--model", str(model_file), "--limit", "1", "--json") == 0
    found = answer(capfd)
    assert (found["files"], found["shown"], found["outcomes"]["read"]) == (2, 1, 1)
    assert Path(found["report"]).read_text().count("<svg") == 1
    assert not (home / "results").exists()


def test_our_variables_are_settings_and_options_win_over_them(
    predict: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DIGITFLOW_JSON", "1")
    monkeypatch.setenv("DIGITFLOW_MAX_ERROR", "0.05")
    (folder / "unsure.png").write_bytes(encoded(bar(6.5)))
    assert run(*predict) == 0
    assert answer(capfd)["read"] == 3
    assert run(*predict, "--again", "--max-error", "0.005") == 0
    assert answer(capfd)["review"] == 1
    monkeypatch.setenv("DIGITFLOW_WORKERS", "many")
    assert run(*predict[:-2]) == 2
    assert "--workers many:" in capfd.readouterr().err
    monkeypatch.setenv("DIGITFLOW_INCLUDE", "*.png")
    assert run(*predict) == 2
    assert 'field "include"' in capfd.readouterr().err


def test_variables_that_are_not_ours_do_nothing(
    predict: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("JSON", "RUN", "STATUS", "LIMIT", "PORT", "OUT", "MODEL", "STRICT", "WORKERS"):
        monkeypatch.setenv(name, "-1")
    for name in COMMANDS:
        monkeypatch.setenv(name.upper(), "x")
    assert run(*predict) == 0
    assert "2 read" in capfd.readouterr().out
    assert run("results") == 0  # PATH is set, as everywhere
    assert "2 of 2 shown" in capfd.readouterr().out


HOSTILE = [
    b"[/red]markup.png",
    b":smile:.png",
    b"title\x1b]0;x\x07.png",
    b"clear\x1b[2J.png",
    b"c1\xc2\x9b31m.png",
    b"c1\x9b31m.png",
    b"right\xe2\x80\xae.png",
    b"line\nrow\r\x08.png",
    b"separator\xe2\x80\xa8.png",
    b"=1+1.png",
]
SAFE = r"""[/red]markup.png :smile:.png title\x1b]0;x\x07.png clear\x1b[2J.png c1\x9b31m.png
right\u202e.png line\nrow\r\x08.png separator\u2028.png =1+1.png"""


def test_names_are_neither_markup_nor_codes_for_the_terminal(
    predict: list[str], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in HOSTILE:
        file = folder / os.fsdecode(name)
        file.parent.mkdir(exist_ok=True)
        file.touch()
    odd = folder.rename(folder.with_name("a[b]\x1b[2J"))
    predict[1] = str(odd)
    assert run(*predict, "--out", str(odd.parent / "c[d].csv")) == 0
    assert run("results") == 0
    assert run("results", "--history", "") == 0
    printed = capfd.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in printed)
    assert all(name in printed for name in SAFE.split())
    assert r"a[b]\x1b[2J: 12 files" in printed


def test_reasons_and_versions_are_neither_markup_nor_codes_for_the_terminal(
    home: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    register_champion(home, model_file, "older")
    register_champion(home, model_file, "newer")
    assert run("models", "rollback", "--reason", "[/b] :smile: \x1b]0;x\x07\u202e") == 0
    for words in (["models"], ["models", "history"], ["models", "show", "older"]):
        assert run(*words) == 0
    printed = capfd.readouterr().out
    assert printed.count(r"[/b] :smile: \x1b]0;x\x07\u202e") == 2
    assert all(character.isprintable() or character == "\n" for character in printed)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["predict", "http://me:h4sh@host/scans"], "SOURCE"),
        (["predict", "s3://KEY:h4sh/h4sh@bucket/*.png", "--no-prefect"], "SOURCE"),
        (["preview", "https://host/a.zip?X-Amz-Signature=h4sh"], "SOURCE"),
        (["predict", "IN", "--include", "http://me:h4sh@host"], "--include"),
        (["predict", "IN", "--model", "http://me:h4sh@host"], "--model"),
        (["predict", "IN", "--runner", "dask", "--address", "tcp://me:h4sh@host"], "--address"),
        (["predict", "IN", "--address", "tcp://me:h4sh@host"], "--address"),
        (["predict", "IN", "--out", "http://me:h4sh@host/out.csv"], "--out"),
        (["train", "--data", "https://h4sh@host/data"], "--data"),
        (["predict", "IN", "--bogus", "http://me:h4sh@host"], "--bogus"),
    ],
)
def test_a_secret_in_a_url_is_refused_and_gets_nowhere(
    arguments: list[str], named: str, home: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(*(str(folder) if word == "IN" else word for word in arguments)) == 2
    said = capfd.readouterr()
    assert named in said.err
    assert "h4sh" not in said.err + said.out
    assert not home.exists()


@pytest.mark.parametrize("variable", ["DIGITFLOW_RESULTS", "DIGITFLOW_MODELS"])
def test_places_with_a_secret_are_refused(
    variable: str, predict: list[str], monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv(variable, "s3://KEY:h4sh@bucket/place")
    assert run(*predict) == 2
    said = capfd.readouterr().err
    assert said.startswith(f"digitflow: {variable}: a URL with a password")
    assert "h4sh" not in said


def test_what_a_reading_leaves_is_for_those_whom_the_umask_lets(
    predict: list[str], home: Path
) -> None:
    command = [sys.executable, "-m", "flows.cli.main", *predict]
    subprocess.run(command, check=True, capture_output=True, umask=0o077)
    made = [home, *home.rglob("*")]
    assert {"results", "runs", "report.html", "listing.parquet"} < {path.name for path in made}
    assert [path for path in made if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("command", [("models", "history"), ("acceptance", "list")])
def test_an_option_before_its_command_is_an_error_and_not_forgotten(
    home: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, str]
) -> None:
    subject, name = command
    assert run(subject, "--json", name) == 2
    assert capsys.readouterr().err == (
        f"digitflow: options of {subject} {name} stand behind {name}. "
        f"See `digitflow {subject} --help`.\n"
    )
    assert run(subject, name, "--json") == 0
