"""A bucket's objects are listed page by page and read whole, from a server of the S3 protocol."""

import pickle
import sys
import tracemalloc
import uuid
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import InputError
from tasks.inputs import s3 as buckets
from tasks.inputs.base import Content, Inputs
from tasks.inputs.open import open_inputs
from tasks.inputs.path_filter import PathFilter
from tasks.inputs.s3 import S3Bucket
from tasks.outcomes import Reason, Undecodable
from tasks.storage import s3 as s3_file
from tests.helpers import free_port, reason_of
from tests.s3 import Failing

KEYS = ("scans/1.png", "scans/sub/2.png", "scans/sub/3.txt", "scans2/4.png", "top.png")
ODD = ("é ü.png", "a+b%20c&<d>.png", "/slash", "a/../b", "a//b", "?x=*[1].png")


@pytest.fixture
def bucket(s3_client: Any) -> "Bucket":
    """Return an empty bucket that the environment leads to."""
    return Bucket(f"bucket-{uuid.uuid4().hex}", s3_client)


class Bucket:
    """A bucket of the server, and how to fill it."""

    def __init__(self, name: str, client: Any) -> None:
        """Make the bucket."""
        self.name, self._client = name, client
        self.url = f"s3://{name}"
        self.ask("create_bucket")

    def ask(self, method: str, **arguments: Any) -> None:
        """Call a method of the protocol."""
        getattr(self._client, method)(Bucket=self.name, **arguments)

    def put(self, *keys: str, prefix: str = "") -> None:
        """Write objects that hold their own key."""
        for key in keys:
            self.ask("put_object", Key=prefix + key, Body=key.encode())


def contents(inputs: Inputs) -> dict[str, bytes]:
    entries = list(inputs.entries())
    read = {entry.path.decode(): inputs.read(entry.path) for entry in entries}
    assert [entry[1:] for entry in entries] == [(c.size, c.mtime_ns) for c in read.values()]
    return {path: content.data for path, content in read.items()}


@pytest.mark.parametrize(
    ("place", "root", "paths"),
    [
        ("", "", KEYS),
        ("/scans", "/scans", ("1.png", "sub/2.png", "sub/3.txt")),
        ("/scans/", "/scans", ("1.png", "sub/2.png", "sub/3.txt")),
        ("/scans/1.png", "/scans", ("1.png",)),
        ("/top.png", "", ("top.png",)),
        ("/scans/**/*.png", "/scans", ("1.png", "sub/2.png")),
        ("/s*/*.png", "", ("scans/1.png", "scans2/4.png")),
        ("/nothing", "/nothing", ()),
    ],
)
def test_a_bucket_a_prefix_an_object_and_a_glob_are_listed_and_read(
    bucket: Bucket, place: str, root: str, paths: tuple[str, ...]
) -> None:
    bucket.put(*KEYS)
    bucket.ask("put_object", Key="scans/", Body=b"")  # as some programs mark a folder
    inputs = open_inputs(bucket.url + place)
    assert inputs.root == bucket.url + root
    read = contents(inputs)
    assert tuple(read) == paths
    assert all(content.decode().endswith(path) for path, content in read.items())


def test_keys_with_odd_characters_are_read_under_their_own_name(bucket: Bucket) -> None:
    bucket.put(*ODD, prefix="in/")
    assert contents(open_inputs(f"{bucket.url}/in")) == {key: key.encode() for key in ODD}


def test_a_listing_of_several_pages_has_each_object_once(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_file, "PAGE", 7)
    keys = [f"{number:03}.png" for number in range(30)]
    bucket.put(*keys)
    paths = [entry.path.decode() for entry in open_inputs(bucket.url).entries()]
    assert paths == keys


def test_patterns_apply_to_objects(bucket: Bucket) -> None:
    bucket.put(*KEYS)
    assert list(contents(open_inputs(bucket.url, ["*.png"], ["sub/"]))) == [
        "scans/1.png",
        "scans2/4.png",
        "top.png",
    ]


def test_several_objects_at_once_come_in_order_with_their_troubles(bucket: Bucket) -> None:
    keys = [f"{number:03}.png" for number in range(2 * s3_file.IN_FLIGHT + 3)]
    bucket.put(*keys)
    bucket.ask("delete_object", Key=keys[1])
    inputs = pickle.loads(pickle.dumps(open_inputs(bucket.url)))  # noqa: S301 - our own
    read = list(inputs.read_each(key.encode() for key in keys))
    assert [each.data.decode() for each in read if isinstance(each, Content)] == [
        keys[0],
        *keys[2:],
    ]
    assert isinstance(read[1], Undecodable)
    assert read[1].reason == Reason.VANISHED
    only_first = inputs.read_each(key.encode() for key in keys)
    assert isinstance(next(only_first), Content)
    only_first.close()


def test_large_objects_are_not_held_ahead_of_their_turn(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, keys = 2 * 2**20, [f"large-{number:02}" for number in range(20)]
    for key in keys:
        bucket.ask("put_object", Key=key, Body=key.encode() + bytes(size))
    bucket.put("small")
    monkeypatch.setattr(buckets, "AHEAD", size // 2)
    inputs = open_inputs(bucket.url)
    tracemalloc.start()
    found = []
    for content in inputs.read_each(key.encode() for key in [*keys, "small"]):
        assert isinstance(content, Content)
        found.append((content.data.rstrip(b"\0").decode(), content.size))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [*((key, len(key) + size) for key in keys), ("small", 5)]
    assert peak < 6 * size


def test_an_object_over_the_limit_is_refused_with_its_size(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("large")
    monkeypatch.setattr(buckets, "MAX_BYTES", 4)
    inputs = open_inputs(bucket.url)
    with pytest.raises(Undecodable) as caught:
        inputs.read(b"large")
    assert (caught.value.reason, caught.value.size) == (Reason.TOO_LARGE, 5)


def test_a_name_that_no_key_can_have_has_vanished(bucket: Bucket) -> None:
    assert reason_of(open_inputs(bucket.url), b"caf\xe9") == Reason.VANISHED


@pytest.mark.parametrize(
    ("troubles", "reason"),
    [
        (["503 SlowDown", "500 InternalError", "cut"], None),
        (["503 ServiceUnavailable"] * 4, Reason.STORAGE_ERROR),
        (["cut"] * 4, Reason.STORAGE_ERROR),
        (["403 AccessDenied"], Reason.PERMISSION_DENIED),
        (["403 InvalidObjectState"], Reason.PERMISSION_DENIED),
    ],
)
def test_trouble_that_passes_is_sat_out_and_what_lasts_is_a_reason(
    bucket: Bucket, failing: Failing, troubles: list[str], reason: Reason
) -> None:
    bucket.put("one.png")
    inputs = open_inputs(bucket.url)
    failing.troubles = list(troubles)
    assert reason_of(inputs, b"one.png") == reason
    assert not failing.troubles
    failing.troubles = list(troubles)
    if reason:
        with pytest.raises(InputError, match="cannot be listed: "):
            list(inputs.entries())
    else:
        assert [entry.path for entry in inputs.entries()] == [b"one.png"]


def test_no_bucket_no_name_and_no_credentials_are_errors_with_their_cause(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"s3://no-such-bucket/x cannot be listed: FileNotFound"):
        open_inputs("s3://no-such-bucket/x")
    with pytest.raises(InputError, match="names no bucket: give s3://BUCKET"):
        open_inputs("s3://")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(InputError, match=r"NoCredentialsError: .*AWS_ACCESS_KEY_ID"):
        open_inputs(bucket.url)


def test_a_server_that_does_not_answer_is_an_error(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(InputError, match=r"EndpointConnectionError: .* the endpoint"):
        open_inputs(bucket.url)


def test_an_archive_in_a_bucket_is_an_error_that_says_what_to_do(bucket: Bucket) -> None:
    bucket.put("scans.zip")
    with pytest.raises(InputError, match=r"/scans.zip is an archive: copy it to a disk"):
        open_inputs(f"{bucket.url}/scans.zip")


def test_without_boto3_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    with pytest.raises(InputError, match=r"pip install 'digitflow\[s3\]'"):
        S3Bucket("bucket/scans", PathFilter())
