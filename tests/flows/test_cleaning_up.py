"""`digitflow models gc` takes nothing that is needed: by who serves, by a run, by rows, by age."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.main import main
from tasks.registry.registry import Registry
from tests.bars import bar, encoded, save_bar_model
from tests.helpers import register_champion
from tests.registry.test_registry import card

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
FILES = 3_000  # enough to be stopped at


def cleaned(capfd: pytest.CaptureFixture[str], *more: str) -> tuple[list[str], dict[str, str]]:
    """Delete all versions but one and return what was deleted, and what stayed for which reason."""
    capfd.readouterr()
    main(["models", "gc", "--keep", "1", "--json", *more])
    done = json.loads(capfd.readouterr().out)
    return done["removed"], done["kept"]


def test_the_version_that_a_run_reads_with_stays_before_its_first_commit(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in "abcd":
        register_champion(home, save_bar_model(tmp_path / f"{name}.onnx", version=name), name)
    scans = tmp_path / "scans"
    scans.mkdir()
    for number in range(FILES):
        (scans / f"{number}.png").write_bytes(encoded(bar(number % 10)))
    command = [sys.executable, "-m", "flows.cli.main", "predict", str(scans), "--no-prefect"]
    command += ["--model", "a", "--max-error", "1", "--workers", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout
            while not run.stdout.readline().startswith("Model"):
                assert run.poll() is None
            run.send_signal(signal.SIGSTOP)
            assert not list((home / "results").glob("*.parquet"))  # no rows yet
            kept = {"a": "a run reads with it", "c": "a rollback leads to it"}
            assert cleaned(capfd, "--even-referenced") == (["b"], kept)
            run.send_signal(signal.SIGCONT)
            assert run.wait() == 0
        except BaseException:
            run.kill()  # one that is stopped would be waited for
            raise
    assert cleaned(capfd)[1]["a"] == f"it read {FILES:,} rows of the results"
    assert Registry(home / "models").load("a").name == "a"
    assert cleaned(capfd, "--even-referenced")[0] == ["a"]


def test_the_newest_is_the_one_that_was_registered_last_whatever_the_clock_said(
    home: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(home / "models")
    for name in ("20300101-000000-aaaa", "20200101-000000-bbbb"):  # a clock that was set back
        registry.register(card(name), model_file, model_file)
    assert cleaned(capfd) == (["20300101-000000-aaaa"], {})


def test_a_folder_that_was_never_registered_is_left_to_who_put_it_there(
    home: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(home / "models")
    registry.register(card("v1"), model_file, model_file)
    registry.register(card("v2"), model_file, model_file)
    (home / "models" / "mine").mkdir()
    (home / "models" / "mine" / "card.json").write_text("{}")
    assert cleaned(capfd) == (["v1"], {})
    assert (home / "models" / "mine" / "card.json").exists()
