"""A process that reads says what its model is, gives rows back, and says how it ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tasks.decide import Thresholds
from tasks.decode import Undecodable
from tasks.device import cpu
from tasks.errors import DigitflowError, ModelError
from tasks.reader import Reader
from tasks.reading_process import ProcessDied, ReadingProcess, Start
from tasks.reasons import Reason
from tasks.stretch import ReadPlan, read_stretch
from tests.bars import save_bar_model
from tests.deadly import CRASH, HANG, OUTSIDE, InMemory, digits, once

NEVER_S, SOON_S = 600.0, 0.2
PATIENCE_S = 60.0  # on a busy machine


def plan_of(files: Mapping[bytes, bytes]) -> ReadPlan:
    """Return the plan to read files that lie in memory."""
    return ReadPlan("run-1", InMemory("/memory", files), Thresholds(0.8))


def is_there(pid: int) -> bool:
    """Tell whether a process is, ended or not."""
    return Path(f"/proc/{pid}").exists()


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def process(model_file: Path) -> Iterator[ReadingProcess]:
    """Return a process that has all the time it wants."""
    started = ReadingProcess(Start(model_file, cpu(), NEVER_S))
    yield started
    started.end()


def died(process: ReadingProcess, files: Mapping[bytes, bytes]) -> ProcessDied:
    """Return how the process died over files."""
    plan = plan_of(files)
    with pytest.raises(ProcessDied) as death:
        process.read(plan, list(plan.inputs.entries()), {})
    process.end()
    assert not is_there(process.pid)
    return death.value


def test_it_says_which_model_reads_and_gives_the_rows_that_are_read_here(
    process: ReadingProcess, model_file: Path
) -> None:
    reader = Reader(model_file, cpu())
    facts = process.facts()
    assert (facts.version, facts.provider) == (reader.version, reader.provider)
    plan = plan_of(digits(12) | {b"notes.txt": b"bring milk"})
    entries = list(plan.inputs.entries())
    for stretch in (entries, entries[:1], entries[3:]):  # one process reads many
        rows, seconds = process.read(plan, stretch, {})
        expected = read_stretch(plan, stretch, reader).rows
        assert rows.drop("read_at").equals(expected.drop("read_at"))
        assert min(vars(seconds).values()) >= 0


def test_files_that_are_blamed_are_rows_and_are_not_opened(process: ReadingProcess) -> None:
    plan = plan_of(digits(3) | {b"crash": CRASH, b"outside": OUTSIDE})
    entries = list(plan.inputs.entries())
    blame = Undecodable(Reason.DECODER_CRASHED, "as was seen")
    rows, _ = process.read(plan, entries, {3: blame, 4: blame})
    last = rows.to_pylist()[-2:]
    assert [(row["path"], row["reason"], row["detail"]) for row in last] == [
        ("crash", "decoder_crashed", "as was seen"),
        ("outside", "decoder_crashed", "as was seen"),
    ]
    assert (last[0]["size"], last[0]["mtime_ns"], last[0]["digit"]) == (len(CRASH), 1, None)


def test_a_crash_names_the_file_and_the_signal(process: ReadingProcess) -> None:
    death = died(process, digits(3) | {b"crash": CRASH})
    assert (death.number, death.how, death.timed_out) == (3, "SIGABRT", False)


def test_a_file_that_takes_too_long_is_named(model_file: Path) -> None:
    process = ReadingProcess(Start(model_file, cpu(), SOON_S))
    death = died(process, {b"0": HANG} | digits(1))
    assert (death.number, death.timed_out) == (0, True)


def test_a_death_outside_of_any_picture_blames_none(process: ReadingProcess) -> None:
    assert died(process, digits(3) | {b"outside": OUTSIDE}).number is None


def test_a_process_that_is_killed_says_so(process: ReadingProcess, tmp_path: Path) -> None:
    marker = tmp_path / "decoding"
    files = digits(2) | {b"slow": once(marker)}

    def kill() -> None:
        wait_until(marker.exists)
        os.kill(process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    death = died(process, files)
    killer.join()
    assert (death.number, death.how, death.timed_out) == (2, "SIGKILL", False)


def test_a_defect_in_reading_is_an_error_and_the_process_goes_on(process: ReadingProcess) -> None:
    plan = plan_of(digits(2))
    entries = list(plan.inputs.entries())
    unheard = entries[0]._replace(path=b"unheard of")
    with pytest.raises(DigitflowError, match="reading failed: KeyError"):
        process.read(plan, [unheard], {})
    assert process.read(plan, entries, {})[0].num_rows == 2


@pytest.mark.parametrize("damage", ["empty", "no onnx", "other form"])
def test_a_model_that_does_not_load_is_an_error_of_its_own(tmp_path: Path, damage: str) -> None:
    model = tmp_path / "bad.onnx"
    if damage == "other form":
        save_bar_model(model, form="0")
    else:
        model.write_bytes(b"" if damage == "empty" else b"not onnx at all")
    process = ReadingProcess(Start(model, cpu(), NEVER_S))
    with pytest.raises(ModelError, match=r"canonical form 0|bad.onnx does not load"):
        process.facts()
    process.end()


def test_a_process_that_does_not_start_says_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_file: Path
) -> None:
    (tmp_path / "cv2.py").write_text("raise SystemExit('no such library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = ReadingProcess(Start(model_file, cpu(), NEVER_S))
    with pytest.raises(ProcessDied, match=r"ended with 1: no such library"):
        process.facts()
    process.end()


def test_it_ends_when_its_parent_is_gone_whether_it_waits_or_reads(
    model_file: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "decoding"
    program = f"""
import os, sys, threading
from tasks.device import cpu
from tasks.reading_process import ReadingProcess, Start
from tests.test_reading_process import plan_of
from tests.deadly import once
from pathlib import Path
start = Start(Path({str(model_file)!r}), cpu(), 2.0)
waits, reads = ReadingProcess(start), ReadingProcess(start)
waits.facts(), reads.facts()
plan = plan_of({{b"slow": once(Path({str(marker)!r}))}})
reading = threading.Thread(target=reads.read, args=(plan, list(plan.inputs.entries()), {{}}))
reading.start()
print(waits.pid, reads.pid, flush=True)
while not os.path.exists({str(marker)!r}):
    pass
os.kill(os.getpid(), 9)
"""
    pids = [int(pid) for pid in run_to_its_end(program).split()]
    assert len(pids) == 2
    wait_until(lambda: not any(map(is_running, pids)))


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended; one that nobody waits for stays as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def run_to_its_end(program: str) -> str:
    """Run a program in a process of its own, whatever its end, and return what it printed."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=False).stdout
