"""Pictures in a bucket are read into results in a bucket, by one run or by two at once."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.results import table
from tests.bars import bar, encoded
from tests.s3 import access

pytestmark = pytest.mark.processes

COUNT = 40


@pytest.fixture
def bucket(s3: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a bucket with digits below `scans/`; the results are to lie in it, too."""
    import boto3

    variables = access(s3) | {"DIGITFLOW_RESULTS": "s3://digits/results"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client: Any = boto3.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="digits")
    for number in range(COUNT):
        key = f"scans/{number % 4}/{number:03}.png"
        client.put_object(Bucket="digits", Key=key, Body=encoded(bar(number % 10)))
    return "s3://digits"


@pytest.mark.slow
def test_two_runs_at_once_put_each_picture_of_a_bucket_into_its_results_once(
    bucket: str, model_file: Path
) -> None:
    command = [sys.executable, "-m", "flows.cli.main", "predict", f"{bucket}/scans", "--no-prefect"]
    command += ["--model", str(model_file)]
    runs = [
        subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    rows = table.select(f"{bucket}/results", table.Query(history=True)).to_pylist()
    assert Counter(row["path"] for row in rows) == Counter(
        f"{number % 4}/{number:03}.png" for number in range(COUNT)
    )
    assert {row["root"] for row in rows} == {f"{bucket}/scans"}
    assert all(row["digit"] == int(row["path"][-7:-4]) % 10 for row in rows)
    again = subprocess.run(
        command, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert f"Up to date   {COUNT} files" in again.stdout
