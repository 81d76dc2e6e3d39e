"""A process that reads says what its model is, gives rows back, and says how it ended."""

import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from tasks.device import cpu
from tasks.errors import DigitflowError, ModelError
from tasks.inference.batch import PriorAttempts, ReadPlan
from tasks.inference.decision import Thresholds
from tasks.inference.model_file import model_in
from tasks.inference.session import ModelSession
from tasks.inference.worker import NETWORK, Worker, WorkerStart
from tasks.inputs.base import Entry
from tasks.inputs.open import open_inputs
from tasks.outcomes import Reason, Undecodable
from tasks.processes.watched_process import IDLE, ProcessDied
from tests import mutants
from tests.bars import bar, encoded, save_bar_model
from tests.deadly import CRASH, FETCHED, HANG, OUTSIDE, SLOW, SLOW_S, InMemory, digits, once
from tests.helpers import read_batch

pytestmark = pytest.mark.processes

NEVER_S, SOON_S = 600.0, 0.5
MIB = 2**20
PATIENCE_S = 60.0  # on a busy machine


def plan_of(files: Mapping[bytes, bytes], root: str = "/memory") -> ReadPlan:
    """Return the plan to read files that lie in memory."""
    return ReadPlan("run-1", InMemory(root, files), Thresholds(0.8))


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
def process(model_file: Path) -> Iterator[Worker]:
    """Return a process that has all the time it wants."""
    started = Worker(WorkerStart(model_in(model_file), cpu(), NEVER_S))
    yield started
    started.end()


def peak_memory(process: Worker) -> int:
    """Return the most memory that a process has had, bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def died(process: Worker, files: Mapping[bytes, bytes], root: str = "/memory") -> ProcessDied:
    """Return how the process died over files."""
    plan = plan_of(files, root)
    with pytest.raises(ProcessDied) as death:
        list(process.read(plan, list(plan.inputs.entries()), PriorAttempts()))
    process.end()
    assert not is_there(process.pid)
    return death.value


def test_it_says_which_model_reads_and_gives_the_rows_that_are_read_here(
    process: Worker, model_file: Path
) -> None:
    session = ModelSession(model_in(model_file), cpu())
    session_facts = process.session_facts()
    assert (session_facts.version, session_facts.provider) == (session.version, session.provider)
    plan = plan_of(digits(12) | {b"notes.txt": b"bring milk"})
    entries = list(plan.inputs.entries())
    for batch in (entries, entries[:1], entries[3:]):  # one process reads many
        [(files, rows, seconds)] = process.read(plan, batch, PriorAttempts())
        assert files == len(batch)
        expected = read_batch(plan, batch, session).rows
        assert rows.drop("read_at").equals(expected.drop("read_at"))
        assert min(vars(seconds).values()) >= 0


def test_files_that_are_quarantined_are_rows_and_are_not_opened(process: Worker) -> None:
    plan = plan_of(digits(3) | {b"crash": CRASH, b"fetched": FETCHED})
    entries = list(plan.inputs.entries())
    blame = Undecodable(Reason.DECODER_CRASHED, "as was seen")
    [(_, rows, _)] = process.read(plan, entries, PriorAttempts({3: blame, 4: blame}))
    last = rows.to_pylist()[-2:]
    assert [(row["path"], row["reason"], row["detail"]) for row in last] == [
        ("crash", "decoder_crashed", "as was seen"),
        ("fetched", "decoder_crashed", "as was seen"),
    ]
    assert (last[0]["size"], last[0]["mtime_ns"], last[0]["digit"]) == (len(CRASH), 1, None)


def test_a_crash_names_the_file_and_the_signal(process: Worker) -> None:
    death = died(process, digits(3) | {b"crash": CRASH})
    assert (death.item, death.how, death.timed_out) == (3, "SIGABRT", False)


def test_a_file_that_takes_too_long_is_named(model_file: Path) -> None:
    process = Worker(WorkerStart(model_in(model_file), cpu(), SOON_S))
    death = died(process, {b"0": HANG} | digits(1))
    assert (death.item, death.timed_out) == (0, True)


def test_a_death_before_a_file_is_decoded_names_it_too(process: Worker) -> None:
    assert died(process, digits(3) | {b"fetched": FETCHED}).item == 3


def test_a_death_outside_of_any_file_names_none(process: Worker) -> None:
    assert died(process, digits(3), root=OUTSIDE).item == IDLE


def test_what_lies_before_a_suspect_is_handed_over_first(process: Worker) -> None:
    plan = plan_of(digits(5) | {b"crash": CRASH})
    entries = list(plan.inputs.entries())
    parts = process.read(plan, entries, PriorAttempts(suspects=frozenset({2, 5})))
    assert [next(parts).files, next(parts).files] == [2, 3]
    with pytest.raises(ProcessDied) as death:
        next(parts)
    assert death.value.item == 5


def test_slow_storage_takes_nothing_of_the_time_to_decode(model_file: Path) -> None:
    process = Worker(WorkerStart(model_in(model_file), cpu(), SLOW_S / 2))
    [(_, rows, _)] = process.read(plan_of({b"0": SLOW}), [Entry(b"0", None, None)], PriorAttempts())
    process.end()
    assert rows["digit"].to_pylist() == [8]


def test_all_that_is_done_with_the_content_of_a_file_takes_of_its_time(
    model_file: Path, tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "large.zip", "w", ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("hashed", bytes(200 * MIB))
    inputs = open_inputs(str(tmp_path / "large.zip"))
    process = Worker(WorkerStart(model_in(model_file), cpu(), 0.02))
    with pytest.raises(ProcessDied) as death:
        list(
            process.read(
                ReadPlan("run", inputs, Thresholds(0.8)), list(inputs.entries()), PriorAttempts()
            )
        )
    process.end()
    assert (death.value.item, death.value.timed_out) == (0, True)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is seen in /proc")
@pytest.mark.parametrize(
    ("start", "checksum", "reason"),
    [
        (encoded(bar(3))[:-12], None, "ok"),
        (b"no picture", None, "unsupported_format"),
        (encoded(bar(3))[:-12], b"\1\2\3\4", "unreadable"),
    ],
    ids=["picture", "no picture", "damaged member"],
)
def test_memory_is_that_of_one_file_whatever_is_wrong_with_it(
    process: Worker, tmp_path: Path, start: bytes, checksum: bytes | None, reason: str
) -> None:
    text, count = b"tEXtkey\0" + bytes(16 * MIB), 8
    chunk = (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)
    content = start + chunk + encoded(bar(3))[-12:]
    archive = tmp_path / "large.zip"
    with ZipFile(archive, "w", ZIP_DEFLATED, compresslevel=1) as opened:
        for number in range(count):
            opened.writestr(str(number), content)
    if checksum:
        right = zlib.crc32(content).to_bytes(4, "little")
        archive.write_bytes(archive.read_bytes().replace(right, checksum))
    inputs = open_inputs(str(archive))
    process.session_facts()
    before = peak_memory(process)
    plan = ReadPlan("run", inputs, Thresholds(0.8))
    parts = list(process.read(plan, list(inputs.entries()), PriorAttempts()))
    assert [name for part in parts for name in part.table["reason"].to_pylist()] == [reason] * count
    assert peak_memory(process) - before < 80 * MIB


def test_a_process_that_is_killed_says_so(process: Worker, tmp_path: Path) -> None:
    marker = tmp_path / "decoding"
    files = digits(2) | {b"slow": once(marker)}

    def kill() -> None:
        wait_until(marker.exists)
        os.kill(process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    death = died(process, files)
    killer.join()
    assert (death.item, death.how, death.timed_out) == (2, "SIGKILL", False)


def test_a_defect_in_fetching_a_file_ends_the_process_and_names_it(
    process: Worker,
) -> None:
    plan = plan_of(digits(2))
    entries = list(plan.inputs.entries())
    unheard = entries[0]._replace(path=b"unheard of")
    with pytest.raises(ProcessDied, match="KeyError: b'unheard of'") as death:
        list(process.read(plan, [*entries, unheard], PriorAttempts()))
    assert death.value.item == 2


def test_a_defect_elsewhere_is_an_error_and_the_process_goes_on(process: Worker) -> None:
    plan = plan_of(digits(2))
    entries = list(plan.inputs.entries())
    broken = replace(plan, thresholds=Thresholds("none"))  # type: ignore[arg-type]
    with pytest.raises(DigitflowError, match=r"reading failed: .*Error"):
        list(process.read(broken, entries, PriorAttempts()))
    [(files, _, _)] = process.read(plan, entries, PriorAttempts())
    assert files == 2


@pytest.mark.parametrize("least", [1, 4])
def test_a_network_that_never_ends_is_named_whether_it_is_tried_or_reads(
    model_file: Path, tmp_path: Path, least: int
) -> None:
    endless = mutants.mutant(model_file, tmp_path / "endless.onnx", mutants.never_ends(least))
    process = Worker(WorkerStart(model_in(endless), cpu(), NEVER_S, network_timeout=0.5))
    death = died(process, digits(4))
    assert (death.item, death.timed_out) == (NETWORK, True)


@pytest.mark.parametrize("damage", ["empty", "no onnx", "other form"])
def test_a_model_that_does_not_load_is_an_error_of_its_own(tmp_path: Path, damage: str) -> None:
    model = tmp_path / "bad.onnx"
    if damage == "other form":
        save_bar_model(model, form="0")
    else:
        model.write_bytes(b"" if damage == "empty" else b"not onnx at all")
    process = Worker(WorkerStart(model_in(model), cpu(), NEVER_S))
    with pytest.raises(ModelError, match=r"canonical form 0|bad.onnx does not load"):
        process.session_facts()
    process.end()


def test_a_process_that_does_not_start_says_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_file: Path
) -> None:
    (tmp_path / "cv2.py").write_text("raise SystemExit('no such library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = Worker(WorkerStart(model_in(model_file), cpu(), NEVER_S))
    with pytest.raises(ProcessDied, match=r"ended with 1: no such library"):
        process.session_facts()
    process.end()


def test_it_ends_when_its_parent_is_gone_whether_it_waits_or_reads(
    model_file: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "decoding"
    program = f"""
import os, sys, threading
from tasks.device import cpu
from tasks.inference.model_file import model_in
from tasks.inference.worker import Worker, WorkerStart
from tasks.inference.batch import PriorAttempts
from tests.inference.test_worker import plan_of
from tests.deadly import once
from pathlib import Path
start = WorkerStart(model_in(Path({str(model_file)!r})), cpu(), 2.0)
waits, reads = Worker(start), Worker(start)
waits.session_facts(), reads.session_facts()
plan = plan_of({{b"slow": once(Path({str(marker)!r}))}})
parts = reads.read(plan, list(plan.inputs.entries()), PriorAttempts())
reading = threading.Thread(target=next, args=(parts,))
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
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=False).stdout
