"""Places for results."""

import uuid
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.bucket)])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where results will lie, in a folder and in a bucket in turn."""
    if request.param == "folder":
        return str(tmp_path / "results")
    client: Any = request.getfixturevalue("s3_client")
    bucket = f"bucket-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=bucket)
    return f"s3://{bucket}/shared/results"
