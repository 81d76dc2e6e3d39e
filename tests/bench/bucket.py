"""A bucket on the S3 server of the tests, for as long as an attack lasts."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.s3 import access, s3_server


class Bucket:
    """Objects by their keys."""

    def __init__(self, server: str) -> None:
        """Make the bucket, which is new, on the server of that URL."""
        import boto3

        client = boto3.client("s3", endpoint_url=server)
        self._client, self._name = client, f"attack-{uuid.uuid4().hex[:8]}"
        self.server = server
        client.create_bucket(Bucket=self._name)
        self.url = f"s3://{self._name}"

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self._client.put_object(Bucket=self._name, Key=key, Body=data)

    def upload(self, folder: Path, start: str) -> None:
        """Write each file below a folder, to the key that begins so and ends in its path."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(start + path.relative_to(folder).as_posix(), path.read_bytes())

    def copy(self, start: str, other: str) -> None:
        """Copy each object whose key begins with the one to the key that begins with the other."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix=start
        )
        for found in [one for page in pages for one in page.get("Contents", ())]:
            key = found["Key"]
            source = {"Bucket": self._name, "Key": key}
            self._client.copy_object(
                Bucket=self._name, Key=other + key.removeprefix(start), CopySource=source
            )


@contextmanager
def lent_bucket(log: Path) -> Iterator[Bucket]:
    """Start the server, and let the environment, also of started processes, lead to it."""
    before = dict(os.environ)
    with s3_server(log) as url:
        os.environ.update(access(url))
        try:
            yield Bucket(url)
        finally:
            os.environ.clear()
            os.environ.update(before)
