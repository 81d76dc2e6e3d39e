"""The rows do not depend on how many processes read, and a process that dies is an error."""

import os
import signal
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.decide import Thresholds
from tasks.device import cpu
from tasks.discover import Listing, Shard, discover
from tasks.errors import DigitflowError, ModelError
from tasks.inputs import open_inputs
from tasks.shard import ReadPlan
from tasks.workers import STRETCH, WORTH_A_PROCESS, Workers
from tests.bars import bar, encoded


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    """Return a listing of pictures that take several stretches."""
    base = tmp_path_factory.mktemp("workers")
    (base / "in").mkdir()
    pictures = [encoded(bar(digit)) for digit in range(10)]
    for number in range(4 * STRETCH + 10):
        (base / "in" / f"{number:05}.png").write_bytes(pictures[number % 10])
    return discover(open_inputs(str(base / "in")), base / "listing.parquet")


def plan(listing: Listing) -> ReadPlan:
    """Return what workers have to know."""
    return ReadPlan("run", Path(listing.root), listing.file, Thresholds(0.8))


def read(listing: Listing, model: Path, count: int) -> pa.Table:
    """Return the rows of the last 3 stretches by so many processes."""
    with Workers(plan(listing), model, cpu(), listing.count, count) as workers:
        assert workers.count == count
        return pa.concat_tables(workers.read(Shard(1, STRETCH + 3, listing.count)))


def test_one_process_and_two_give_the_same_rows_in_order(
    listing: Listing, model_file: Path
) -> None:
    one, two = (read(listing, model_file, count).drop(["read_at"]) for count in (1, 2))
    assert one.equals(two)
    numbers = range(STRETCH + 3, listing.count)
    assert one["path"].to_pylist() == [f"{number:05}.png" for number in numbers]
    assert one["digit"].to_pylist() == [number % 10 for number in numbers]


def test_a_process_that_dies_is_an_error_that_says_what_is_safe(
    listing: Listing, model_file: Path
) -> None:
    with Workers(plan(listing), model_file, cpu(), listing.count, 2) as workers:
        assert workers._pool
        stretches = workers.read(Shard(0, 0, listing.count))
        next(stretches)
        for process in list(workers._pool._processes):
            os.kill(process, signal.SIGKILL)
        with pytest.raises(DigitflowError, match="files 0 to 2058 died; what was committed"):
            list(stretches)


def test_few_files_are_read_in_this_process(listing: Listing, model_file: Path) -> None:
    with Workers(plan(listing), model_file, cpu(), WORTH_A_PROCESS - 1, 0) as workers:
        assert workers.count == 1


def test_a_model_that_does_not_load_is_found_before_any_process_starts(
    listing: Listing, tmp_path: Path
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"bad")
    with pytest.raises(ModelError):
        Workers(plan(listing), tmp_path / "bad.onnx", cpu(), listing.count, 2)
