"""The benchmark programs run, and the GPU check refuses what it should refuse."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from tasks.contracts.verdict import Verdict
from tasks.device import usable_cores
from tasks.imaging.canonical import canonical
from tasks.inference.model_file import KERAS_FILE, ONNX_FILE
from tasks.registry import registry
from tasks.registry.card import CardContent
from tasks.registry.registry import Registry
from tasks.registry.version import Version
from tasks.settings.training import TrainSettings

pytestmark = pytest.mark.processes

BENCH = Path(__file__).parent / "bench"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the program as a module; it finds its neighbours as it does when it is run."""
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("gpu")


@pytest.fixture
def champion(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    """Return an untrained champion, in both forms, in a new DIGITFLOW_HOME."""
    monkeypatch.syspath_prepend(BENCH)
    made = tmp_path / "made"
    made.mkdir()
    importlib.import_module("predict_vs_keras").make_models(made)
    card = CardContent(version="untrained", verdict=Verdict(accepted=True, checks=[]))
    registry = Registry(home / "models")
    version = registry.register(card, made / ONNX_FILE, made / KERAS_FILE)
    registry.promote(version, "made for a test", against=None)
    return version


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of this run of the tests, which its first lines name."""
    return int(request.config.getoption("randomly_seed"))


def run(
    program: str, *arguments: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCH / program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_without_a_gpu_the_gpu_check_says_why_in_one_line_and_exits_77() -> None:
    done = run("gpu.py", "any.onnx", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 77
    assert done.stdout.startswith("no GPU: ")
    assert done.stdout.count("\n") == 1
    assert not done.stderr


def test_the_gpu_check_of_reading_needs_nothing_else_of_this_project() -> None:
    code = "import gpu, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, cwd=BENCH, capture_output=True, text=True, check=True)
    assert not {"tasks", "flows", "tensorflow", "cv2"} & set(loaded.stdout.split())


def test_its_pictures_are_the_same_for_the_same_seed_and_bright_on_black(gpu: ModuleType) -> None:
    pictures = gpu.strokes(50)
    assert (pictures == gpu.strokes(50)).all()
    assert (pictures != gpu.strokes(50, seed=2)).any()
    assert (pictures.max((1, 2)) == 255).all()
    assert not pictures[:, [0, -1]].any()
    assert not pictures[:, :, [0, -1]].any()


def test_a_profile_tells_on_which_provider_the_nodes_ran(gpu: ModuleType, model_file: Path) -> None:
    profile = gpu.profiled(model_file, gpu.ON_CPU, gpu.strokes(3))
    assert set(profile.nodes) == {gpu.ON_CPU.provider}
    assert gpu.ran_there(profile, gpu.ON_CPU).passed
    assert not gpu.ran_there(profile, gpu.ON_GPU).passed


def test_bound_pictures_give_the_answers_of_a_plain_run(gpu: ModuleType, model_file: Path) -> None:
    pictures, session = gpu.strokes(20), gpu.open_session(model_file, gpu.ON_CPU)
    bound = gpu.Bound(session, gpu.ON_CPU, pictures)
    bound.forget()
    assert np.isnan(bound.answers()).all()
    bound.start()
    np.testing.assert_array_equal(bound.answers(), gpu.read(session, pictures))
    checks = gpu.same_answers(model_file, gpu.ON_CPU, pictures, bound.answers())
    assert all(check.passed for check in checks)
    checks = gpu.same_answers(model_file, gpu.ON_CPU, pictures, bound.answers()[:, ::-1])
    assert not any(check.passed for check in checks)


def test_a_run_that_did_not_wait_for_its_stream_proves_nothing(gpu: ModuleType) -> None:
    expected = np.full((4, 10), 0.1, np.float32)
    good = gpu.Held(2, True, gpu.HOLD_MS + 1, 0.8, 3, expected)
    assert all(check.passed for check in gpu.device_checks(good, expected, 900))
    for flaw in (
        gpu.replace(good, done_ms=gpu.HOLD_MS - 1),
        gpu.replace(good, device_ms=0),
        gpu.replace(good, processor_ms=880),
        gpu.replace(good, answers=expected * np.nan),
    ):
        assert not all(check.passed for check in gpu.device_checks(flaw, expected, 900))


@pytest.mark.training
@pytest.mark.slow
def test_both_readers_read_the_same_digits_from_the_same_files(
    gpu: ModuleType, champion: Version, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    forms = [canonical(picture)[0] for picture in gpu.strokes(40)]
    # Keras sees the pixels as they are: we do only where they are in canonical form already
    ready = [form for form in forms if np.array_equal(canonical(form)[0], form)]
    for number, form in enumerate(ready[:12]):
        cv2.imwrite(str(pictures / f"{number:06}-{number % 10}.png"), form)
    done = run("predict_vs_keras.py", "--folder", pictures, "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert f"12 files, {usable_cores()} cores, champion {champion.name}" in done.stdout
    assert "same digit in 12 of 12 files" in done.stdout
    assert all(name in done.stdout for name in ("digitflow predict", "Keras", "cv2.imread"))


@pytest.mark.training
@pytest.mark.slow
def test_a_writer_is_read_better_once_his_corrections_are_learned(
    npz_sample: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.bench import corrections

    monkeypatch.setattr(registry, "READY", Path(registry.__file__).parent / "bundled_model")
    settings = TrainSettings(
        **{"data": str(npz_sample), "recipe": "quick", "device": "cpu", "judge_on": "clean"},
        promote=False,
    )
    shipped, without, learned = corrections.compare(home, settings, corrections=100, others=300)
    assert shipped.accuracy is None
    assert learned.right > without.right + 0.05
    told = [check for check in learned.verdict.checks if "corrections" in check.name]
    assert [check.requirement for check in told] == ["told", "told"]


def test_the_listing_benchmark_prints_a_row_for_each_count() -> None:
    command = [sys.executable, "-m", "tests.bench.listing", "10", "2000"]
    answer = subprocess.run(
        command, cwd=BENCH.parents[1], capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ["files", "10", "2,000"]


@pytest.mark.slow
def test_runs_killed_at_a_random_moment_end_with_the_rows_of_an_undisturbed_one(seed: int) -> None:
    from tests.bench.chaos import rounds

    done = rounds(2, files=3_000, seed=seed)
    assert all(one.same and not one.twice and not one.exit_code for one in done), done


@pytest.mark.slow
def test_attacks_in_small_find_every_promise_kept(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    from tests.bench import faults, hostile_files, swaps, together

    monkeypatch.setattr(hostile_files, "LIMITS_S", (2,))
    monkeypatch.setattr(faults, "SHARES", (0,))  # those that are sat out would take too long
    for name in ("mutants", "swaps", "together", "storage"):
        (tmp_path / name).mkdir()
    lines = [
        *hostile_files.mutants(tmp_path / "mutants", model_file, count=30, seed=seed),
        *swaps.swaps(tmp_path / "swaps", model_file, count=30, seed=seed),
        *together.on_disk(tmp_path / "together", model_file, rounds={2: 1}),
        *faults.faults(tmp_path / "storage", model_file, rounds=1, seed=seed),
    ]
    assert [line for line in lines if line.broken] == []


def test_a_promise_that_broke_is_in_the_table_and_in_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.bench import attack
    from tests.bench.attempt import Line

    broken = [Line("kills", "all rows", 9, 8, "one lost"), Line("kills", "no row", 0, 0, "untried")]
    monkeypatch.setitem(attack.ATTACKS, "kills", lambda *_: iter(broken))
    monkeypatch.setitem(attack.ATTACKS, "swaps", lambda *_: iter([Line("swaps", "all", 2, 2, "")]))
    assert attack.main(["kills", "swaps"]) == 1
    shown = capsys.readouterr().out
    assert "one lost" in shown
    assert "1 of 3 promises held" in shown
    assert attack.main(["swaps"]) == 0


def test_rows_of_two_checkouts_that_differ_are_told_with_what_differs() -> None:
    from tests.bench.same_rows import differences

    rows = [{"path": name, "page": 0, "digit": 3, "p3": 0.75} for name in "abc"]
    assert differences(rows, rows[::-1]) == []
    [changed, gone] = differences(rows, [rows[0], rows[1] | {"p3": 0.7500001}])
    assert changed == "('b', 0): p3 0.75 -> 0.7500001"
    assert gone.startswith("('c', 0): path 'c' -> 'missing', ")
    [column] = differences(rows[:1], [rows[0] | {"new": None}])
    assert column == "('a', 0): new 'missing' -> None"


def test_the_time_at_a_file_ends_with_the_next_opening_or_with_a_process() -> None:
    from tests.bench.attempt import attempts_of

    opened = [(0.0, "a"), (1.0, "b"), (5.0, "c"), (5.5, "d")]
    times = {one.name: one.seconds for one in attempts_of(opened, gone=[3.0, 9.0], end=8.0)}
    assert times == {"a": 1.0, "b": 2.0, "c": 0.5, "d": 2.5}
