"""A shard has a row for every file, whatever its files do to the processes that read them."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.device import cpu
from tasks.errors import DigitflowError, ModelError
from tasks.inference import shard
from tasks.inference.batch import ReadPlan
from tasks.inference.decision import Thresholds
from tasks.inference.model_file import model_in
from tasks.inference.shard import ShardDone, read_shard
from tasks.inference.worker import WorkerStart
from tasks.inference.worker_pool import WorkerPool
from tasks.results import table as results
from tasks.results.commit import WriterContext, make_table
from tests import mutants
from tests.bars import bar, encoded, save_bar_model
from tests.deadly import (
    CRASH,
    FETCHED,
    HANG,
    IN_FRAME,
    LARGE_ODD,
    OUTSIDE,
    SMALL_ODD,
    InMemory,
    digits,
    once,
)
from tests.inference.test_worker import NEVER_S, SOON_S, is_there, wait_until

pytestmark = pytest.mark.processes

Told = list[tuple[int, int]]


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return the place of a results table that is not there yet."""
    return str(tmp_path / "results")


def read_files(
    files: Mapping[bytes, bytes],
    table: str,
    pool: WorkerPool,
    number: int = 0,
    told: Told | None = None,
    root: str = "/memory",
    log: Path | None = None,
) -> ShardDone:
    """Read files as one shard of a run."""
    inputs = InMemory(root, files, log)
    plan = ReadPlan("run-1", inputs, Thresholds(0.8))
    writer = WriterContext(table, inputs.root, plan.run_id, make_table(table))

    def tell(count: int, rejected: int) -> None:
        if told is not None:
            told.append((count, rejected))

    return read_shard(plan, number, lambda: list(inputs.entries()), pool, writer, tell)


def outcomes(table: str) -> dict[str, tuple[str, int | None]]:
    """Return reason and digit of each path, having checked that each is there once."""
    rows: list[dict[str, Any]] = results.select(table, results.Query(run="run-1")).to_pylist()
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: (row["reason"], row["digit"]) for row in rows}


def of_digits(count: int) -> dict[str, tuple[str, int | None]]:
    """Return the outcomes of `digits`."""
    return {f"{number:04}.png": ("ok", number % 10) for number in range(count)}


def test_a_shard_is_read_in_batches_and_committed_once(
    table: str, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "FILE_BATCH", 8)
    files, told = digits(20) | {b"notes.txt": b"bring milk"}, Told()
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        done = read_files(files, table, pool, told=told)
        assert (done.files, done.rows, done.others) == (21, 21, 0)
        again = read_files(files, table, pool)
        assert (again.files, again.rows, again.others) == (21, 21, 0)
    assert sum(files for files, _ in told) == 21
    assert max(files for files, _ in told) <= 8
    assert told[-1][1] == sum(rejected for _, rejected in told) == 1
    assert outcomes(table) == of_digits(20) | {"notes.txt": ("unsupported_format", None)}
    assert min(*vars(done.seconds).values(), done.commit_seconds) >= 0


def test_files_that_kill_or_hang_their_process_cost_themselves_alone(
    table: str, model_file: Path
) -> None:
    bad = {b"0001-a": CRASH, b"0001-b": HANG, b"0001-c": FETCHED, b"z": CRASH}
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), SOON_S)) as pool:
        done = read_files(digits(6) | bad, table, pool)
    assert (done.files, done.rows) == (10, 10)
    assert outcomes(table) == of_digits(6) | {
        "0001-c": ("decoder_crashed", None),
        "0001-a": ("decoder_crashed", None),
        "0001-b": ("decoder_timeout", None),
        "z": ("decoder_crashed", None),
    }
    details = {row["path"]: row["detail"] for row in results.select(table).to_pylist()}
    assert details["z"] == "ended its process (SIGABRT), twice"
    assert details["0001-b"] == f"longer than {SOON_S:g} s, twice"


def test_what_was_read_before_a_process_died_is_not_read_again(
    table: str, model_file: Path, tmp_path: Path
) -> None:
    bad = {b"%04d-bad" % number: CRASH for number in (0, 3, 4)}
    log = tmp_path / "log"
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        read_files(digits(12) | bad, table, pool, log=log)
    assert len(outcomes(table)) == 15
    times = Counter(log.read_bytes().splitlines())
    assert {path: times.pop(path) for path in bad} == dict.fromkeys(bad, 2)
    assert max(times.values()) == 2  # by the process that died, and for the rows that are kept


def test_a_defect_in_reading_many_small_files_at_once_costs_none_of_them(
    table: str, model_file: Path
) -> None:
    files = digits(6) | {b"0001-a": encoded(IN_FRAME)}
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), SOON_S)) as pool:
        read_files(files, table, pool)
    assert outcomes(table) == of_digits(6) | {"0001-a": ("ok", 5)}


def test_a_process_is_ready_when_the_next_one_dies(table: str, model_file: Path) -> None:
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        read_files(digits(3), table, pool)
        assert len(pool.pids()) == 1
        read_files({b"bad": CRASH}, table, pool, number=1)
        assert len(pool.pids()) == 2


def test_a_process_that_is_started_again_loads_the_model_that_was_found(
    table: str, tmp_path: Path
) -> None:
    file = save_bar_model(tmp_path / "model.onnx")
    with WorkerPool(WorkerStart(model_in(file), cpu(), NEVER_S)) as pool:
        pool.session_facts()
        mutants.mutant(file, file, mutants.swapped_labels)
        read_files(digits(10) | {b"bad": CRASH}, table, pool)
    assert outcomes(table) == of_digits(10) | {"bad": ("decoder_crashed", None)}


@pytest.mark.parametrize("least", [1, 4])
def test_a_network_that_never_ends_is_an_error_that_names_the_model(
    table: str, model_file: Path, tmp_path: Path, least: int
) -> None:
    endless = mutants.mutant(model_file, tmp_path / "endless.onnx", mutants.never_ends(least))
    with (
        WorkerPool(WorkerStart(model_in(endless), cpu(), NEVER_S, network_timeout=0.5)) as pool,
        pytest.raises(ModelError, match=r"endless.onnx does not answer within 0.5 s, twice"),
    ):
        pool.session_facts()
        read_files(digits(6), table, pool)
    assert not is_there(pool.pids()[0])


def test_an_answer_that_is_not_a_number_costs_its_picture_alone(
    table: str, model_file: Path, tmp_path: Path
) -> None:
    mutate = mutants.odd_answers(bar(3), float("nan"))
    model = mutants.mutant(model_file, tmp_path / "nan.onnx", mutate)
    with WorkerPool(WorkerStart(model_in(model), cpu(), NEVER_S)) as pool:
        read_files(digits(5), table, pool)
    assert outcomes(table) == of_digits(5) | {"0003.png": ("no_answer", None)}


def test_a_picture_that_brings_up_a_defect_costs_itself_alone(table: str, model_file: Path) -> None:
    odd = {b"0001-a": SMALL_ODD, b"0001-b": LARGE_ODD}
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        read_files(digits(6) | odd, table, pool)
    assert outcomes(table) == of_digits(6) | dict.fromkeys(
        ("0001-a", "0001-b"), ("decoder_crashed", None)
    )
    details = {row["path"]: row["detail"] for row in results.select(table).to_pylist()}
    expected = "ended its process (exit code 1: ArithmeticError: 9 by 7 px), twice"
    assert details["0001-a"] == details["0001-b"] == expected


def test_a_process_that_is_killed_once_costs_nothing(
    table: str, model_file: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "decoding"
    files = digits(3) | {b"slow": once(marker)}
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        victims = pool.pids()

        def kill() -> None:
            wait_until(marker.exists)
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        done = read_files(files, table, pool)
        killer.join()
        assert not set(victims) & set(pool.pids())
    assert (done.files, done.rows) == (4, 4)
    assert outcomes(table) == of_digits(3) | {"slow": ("ok", 7)}


def test_a_process_that_was_killed_while_it_was_idle_costs_nothing(
    table: str, model_file: Path
) -> None:
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        pool.session_facts()
        [idle] = pool.pids()
        os.kill(idle, signal.SIGKILL)
        read_files(digits(3), table, pool)
        assert idle not in pool.pids()
    assert outcomes(table) == of_digits(3)


def test_processes_that_die_outside_of_any_picture_are_an_error_that_says_so(
    table: str, model_file: Path
) -> None:
    with (
        WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool,
        pytest.raises(DigitflowError, match=r"SIGABRT\) outside of any picture: is there enough"),
    ):
        read_files(digits(3), table, pool, root=OUTSIDE)
    assert not results.select(table).num_rows


def test_shards_beside_each_other_share_the_processes(table: str, model_file: Path) -> None:
    parts = [
        {path: data for path, data in digits(40).items() if int(path[:4]) % 4 == part}
        for part in range(4)
    ]
    parts[0][b"0004"] = CRASH
    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        pool.resize(2)
        assert len(pool.pids()) == 2
        threads = [
            threading.Thread(target=read_files, args=(part, table, pool, number))
            for number, part in enumerate(parts)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pool.pids()) <= 3  # one is ready to follow
    assert outcomes(table) == of_digits(40) | {"0004": ("decoder_crashed", None)}


def test_no_process_is_left_even_of_those_that_are_reading(
    table: str, model_file: Path, tmp_path: Path
) -> None:
    marker, errors = tmp_path / "decoding", list[Exception]()

    def read() -> None:
        try:
            read_files({b"slow": once(marker)}, table, pool)
        except Exception as error:
            errors.append(error)

    with WorkerPool(WorkerStart(model_in(model_file), cpu(), NEVER_S)) as pool:
        pool.resize(3)
        reading = threading.Thread(target=read)
        reading.start()
        wait_until(marker.exists)
        pids = pool.pids()
    reading.join()
    assert len(pids) == 3
    assert not any(map(is_there, pids))
    assert len(errors) == 1
    assert not results.select(table).num_rows
    with pytest.raises(DigitflowError, match="the run is being ended"):
        read_files(digits(1), table, pool)


def test_a_model_that_does_not_load_is_said_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not onnx at all")
    with (
        WorkerPool(WorkerStart(model_in(tmp_path / "bad.onnx"), cpu(), NEVER_S)) as pool,
        pytest.raises(ModelError, match="does not load"),
    ):
        pool.session_facts()
