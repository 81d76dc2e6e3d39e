"""The benchmark of odd batches runs in its small form, and reaches there what is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)
def test_broken_batches_are_held_and_ordinary_ones_are_not(mnist_datasets: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.batches", "--small"],
        cwd=ROOT,
        env={**os.environ, "DIGITFLOW_HOME": str(mnist_datasets.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ordinary batches held: 0 of 20" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout
