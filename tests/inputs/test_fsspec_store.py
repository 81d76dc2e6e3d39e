"""Any store of fsspec is listed folder by folder and read; `memory://` stands for them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import fsspec
import pytest

from tasks.errors import InputError
from tasks.inputs import fsspec_store
from tasks.inputs.open import open_inputs
from tasks.outcomes import Reason
from tests.helpers import reason_of

FILES = {"1.png": b"1", "sub/2.png": b"22", "sub/deep/é 3.txt": b"333"}


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a folder with FILES and another file beside it."""
    files = fsspec.filesystem("memory")
    for name, content in FILES.items():
        files.pipe(f"/in/{name}", content)
    files.pipe("/in2/other", b"")
    yield "memory://in"
    files.rm("/in", recursive=True)
    files.rm("/in2", recursive=True)


def test_a_folder_is_listed_in_order_and_read(url: str) -> None:
    inputs = open_inputs(url)
    entries = list(inputs.entries())
    assert [entry.path.decode() for entry in entries] == list(FILES)
    for entry, content in zip(entries, FILES.values(), strict=True):
        read = inputs.read(entry.path)
        assert (read.data, read.size, read.mtime_ns) == (content, *entry[1:])
    assert inputs.root == url


@pytest.mark.parametrize(
    ("place", "root", "paths"),
    [
        ("/sub/2.png", "/sub", ["2.png"]),
        ("/*/*.png", "", ["sub/2.png"]),
        ("/", "", list(FILES)),
    ],
)
def test_a_file_and_a_glob_are_found(url: str, place: str, root: str, paths: list[str]) -> None:
    inputs = open_inputs(url + place)
    assert inputs.root == url + root
    assert [entry.path.decode() for entry in inputs.entries()] == paths
    assert reason_of(inputs, paths[0].encode()) is None


def test_excluded_folders_are_not_entered(url: str) -> None:
    paths = [entry.path for entry in open_inputs(url, exclude=["sub"]).entries()]
    assert paths == [b"1.png"]


def test_what_cannot_be_read_has_its_reason(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = open_inputs(url)
    assert reason_of(inputs, b"gone.png") == Reason.VANISHED
    monkeypatch.setattr(fsspec_store, "MAX_BYTES", 1)
    assert reason_of(inputs, b"sub/2.png") == Reason.TOO_LARGE


def test_nothing_there_is_an_error() -> None:
    with pytest.raises(InputError, match="memory://nowhere cannot be read: FileNotFoundError"):
        open_inputs("memory://nowhere")


@pytest.mark.parametrize(
    ("size", "time", "listed"),
    [
        (3, 1.5, (3, 1_500_000_000)),
        (-1, float("nan"), (None, None)),
        ("3", "yesterday", (None, None)),
        (None, float("inf"), (None, None)),
        (2**64, 1e12, (2**64, 10**21)),
        (0, datetime(2300, 1, 1, tzinfo=UTC), (0, 10_413_792_000 * 10**9)),
    ],
)
def test_what_a_store_says_of_size_and_time_is_a_number_or_unknown(
    url: str, monkeypatch: pytest.MonkeyPatch, size: object, time: object, listed: object
) -> None:
    inputs = open_inputs(url + "/1.png")
    facts = {"name": "/in/1.png", "type": "file", "size": size, "mtime": time}
    monkeypatch.setattr(inputs, "_start", facts)
    [entry] = inputs.entries()
    assert (entry.size, entry.mtime_ns) == listed
