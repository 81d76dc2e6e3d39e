"""Model versions in a bucket, for many machines: the card is written last, and makes a version.

What is read goes into a cache below the home, whole or not at all, in a folder that is named by the
ETags of the objects: what was changed in the bucket has another name, and is fetched.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tasks.atomic import new_folder
from tasks.errors import DigitflowError
from tasks.inference.model_file import KERAS_FILE, ONNX_FILE
from tasks.registry.events import MODELS
from tasks.registry.store import HISTORY_FILE
from tasks.registry.version import CARD_FILE
from tasks.storage.bucket_journal import BucketHistory
from tasks.storage.conditional_objects import Objects
from tasks.storage.s3 import Conflict

# The card first: without it there is no version. A key of another name could lead out of the cache.
FILES = (CARD_FILE, ONNX_FILE, KERAS_FILE)
TRAINED = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")  # how a training names its version
SHORT = 16  # characters of a digest that name a folder


class ModelBucket:
    """The objects `<version>/<file>` below a URL."""

    unseen = timedelta(days=1)  # until the first rows of a run, by far; no lock reaches further

    def __init__(self, url: str, cache: Path, machine: Path | None = None) -> None:
        """Take the URL and a folder for copies; nothing is asked yet.

        Args:
            url: of the versions.
            cache: folder for copies.
            machine: folder in which this machine notes what it has seen of histories.

        Raises:
            InputError: the URL names no bucket.
        """
        self._objects = Objects(url)
        self._cache = cache
        self.place = self._objects.url
        self.history = BucketHistory(self._objects, HISTORY_FILE, MODELS, machine)

    def require_writable(self) -> None:
        """Try a write whose condition cannot hold."""
        self._objects.require_conditions()

    def names(self) -> list[str]:
        """Return what has a card, by name."""
        return sorted(name for name, files in self._folders().items() if CARD_FILE in files)

    def cards(self, names: list[str]) -> dict[str, bytes]:
        """Return the cards of versions; one that is gone is left out."""
        found = self._objects.get_each([f"{name}/{CARD_FILE}" for name in names])
        return {name: blob.data for name, blob in zip(names, found, strict=True) if blob}

    def add(self, name: str, files: Mapping[str, Path], card: str) -> None:
        """Write the files, then the card; none of them over what is there."""
        self._objects.require_conditions()
        for file, source in files.items():
            self._put_once(name, file, source.read_bytes())
        self._put_once(name, CARD_FILE, card.encode())

    def _put_once(self, name: str, file: str, data: bytes) -> None:
        try:
            self._objects.put(f"{name}/{file}", data, instead_of=None)
        except Conflict:
            there = self._objects.get(f"{name}/{file}")
            if there is None or there.data != data:  # else the answer was lost, not the write
                raise DigitflowError(f"model version {name} is already registered") from None

    def fetch(self, name: str, *, anew: bool = False) -> Path | None:
        """Return a copy of what the bucket has at this moment; it is up to the caller to verify."""
        there = self._objects.below(f"{name}/")
        etags = {file: there[file].etag for file in FILES if file in there}
        if CARD_FILE not in etags:
            return None
        folder = self._copy_of(name, etags)
        return folder if folder.is_dir() and not anew else self._fetched(name, list(etags))

    def _fetched(self, name: str, files: list[str]) -> Path | None:
        blobs = self._objects.get_each([f"{name}/{file}" for file in files])
        found = {file: blob for file, blob in zip(files, blobs, strict=True) if blob}
        if CARD_FILE not in found:  # deleted since it was listed
            return None
        folder = self._copy_of(name, {file: blob.etag for file, blob in found.items()})
        self._cache.mkdir(parents=True, exist_ok=True)
        building = new_folder(self._cache, ".writing-")
        try:
            for file, blob in found.items():
                (building / file).write_bytes(blob.data)
            _put_in_place(building, folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return folder

    def _copy_of(self, name: str, etags: Mapping[str, str]) -> Path:
        facts = [self.place, sorted((file, etag.strip('"')) for file, etag in etags.items())]
        state = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:SHORT]
        return self._cache / f"{name}-{state}"

    def copies(self, name: str) -> list[Path]:
        """Return the copies on this machine, of each state that the bucket had."""
        of_name = re.compile(f"{re.escape(name)}-[0-9a-f]{{{SHORT}}}")
        return [folder for folder in self._cache.glob("*") if of_name.fullmatch(folder.name)]

    def delete(self, name: str) -> None:
        """Delete the card, then the other files; what is no file of a version stays."""
        there = self._objects.below(f"{name}/")
        for file in (file for file in FILES if file in there):
            self._objects.delete(f"{name}/{file}")
        for copy in self.copies(name):
            shutil.rmtree(copy, ignore_errors=True)

    def sweep(self, before: float) -> None:
        """Delete files without a card: of registrations and deletions that were killed.

        Other people's objects may lie below the same URL: the names have to be ours, all of them.
        """
        for name, files in self._folders().items():
            ours = TRAINED.fullmatch(name) and set(files) < set(FILES)
            if ours and CARD_FILE not in files and max(files.values()) < before:
                self.delete(name)

    def _folders(self) -> dict[str, dict[str, float]]:
        """Return when each file of each version was written, whole versions or not."""
        found: dict[str, dict[str, float]] = {}
        for path, facts in self._objects.below("").items():
            name, slash, file = path.partition("/")
            if slash and not name.startswith("."):
                found.setdefault(name, {})[file] = facts.modified.timestamp()
        return found


def _put_in_place(building: Path, folder: Path) -> None:
    """Rename a folder; one that is there gets the new files, each of them at once."""
    try:
        building.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        for file in building.iterdir():
            file.replace(folder / file.name)
