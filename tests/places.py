"""The two kinds of places that models may lie in, as tests look at them and damage them."""

import shutil
import uuid
from pathlib import Path
from typing import Any, Protocol


class Place(Protocol):
    """Files by their path below one folder or URL."""

    @property
    def url(self) -> str: ...
    def read(self, path: str) -> bytes: ...
    def write(self, path: str, data: bytes) -> None: ...
    def delete(self, start: str) -> None: ...
    def paths(self) -> list[str]: ...


class FolderPlace:
    """A folder that is not there yet."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._folder, self.url = folder, str(folder)

    def read(self, path: str) -> bytes:
        return (self._folder / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / path).write_bytes(data)

    def delete(self, start: str) -> None:
        """Delete a file, or a folder with all in it."""
        path = self._folder / start
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    def paths(self) -> list[str]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self._folder)) for path in files)


class BucketPlace:
    """A part of a new bucket."""

    def __init__(self, client: Any) -> None:
        """Make the bucket."""
        self._client, self._bucket = client, f"bucket-{uuid.uuid4().hex}"
        client.create_bucket(Bucket=self._bucket)
        self.url = f"s3://{self._bucket}/shared/models"

    def _key(self, path: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"shared/models/{path}"}

    def read(self, path: str) -> bytes:
        data: bytes = self._client.get_object(**self._key(path))["Body"].read()
        return data

    def write(self, path: str, data: bytes) -> None:
        self._client.put_object(**self._key(path), Body=data)

    def delete(self, start: str) -> None:
        """Delete what begins so."""
        for path in self.paths():
            if path.startswith(start):
                self._client.delete_object(**self._key(path))

    def paths(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=self._bucket).get("Contents", ())
        return sorted(one["Key"].removeprefix("shared/models/") for one in found)
