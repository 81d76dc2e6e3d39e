"""Objects are read whole, and written only where they are as the writer has seen them."""

from typing import Any

import pytest

from tasks.errors import DigitflowError, InputError
from tasks.storage import s3 as s3_file
from tasks.storage.conditional_objects import Objects
from tasks.storage.s3 import Conflict
from tests.helpers import free_port
from tests.places import BucketPlace
from tests.s3 import Failing


@pytest.fixture
def place(s3_client: Any) -> BucketPlace:
    """Return a part of a new bucket."""
    return BucketPlace(s3_client)


def test_objects_are_written_listed_read_and_deleted_below_their_prefix(
    place: BucketPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_file, "PAGE", 2)
    objects = Objects(f"{place.url}/")
    assert (objects.url, objects.below("")) == (place.url, {})
    for number in range(5):
        objects.put(f"v/{number}", b"%d" % number, instead_of=None)
    assert place.paths() == [f"v/{number}" for number in range(5)]
    assert list(objects.below("v/")) == list("01234")
    found = objects.get_each(["v/3", "v/9", "v/0"])
    assert [blob and blob.data for blob in found] == [b"3", None, b"0"]
    objects.delete("v/3")
    objects.delete("v/3")
    assert objects.get("v/3") is None


def test_a_write_is_refused_where_the_object_is_not_as_it_was_seen(place: BucketPlace) -> None:
    objects = Objects(place.url)
    objects.put("one", b"first", instead_of=None)
    seen = objects.get("one")
    assert seen
    with pytest.raises(Conflict):
        objects.put("one", b"second", instead_of=None)
    objects.put("one", b"second", instead_of=seen.etag)
    with pytest.raises(Conflict):
        objects.put("one", b"third", instead_of=seen.etag)
    objects.delete("one")
    with pytest.raises(Conflict):
        objects.put("one", b"third", instead_of=seen.etag)
    assert objects.get("one") is None


def test_trouble_that_passes_is_sat_out_and_what_lasts_is_an_error_with_advice(
    place: BucketPlace, failing: Failing
) -> None:
    objects = Objects(place.url)
    failing.troubles = ["503 SlowDown", "500 InternalError"]
    objects.put("one", b"first", instead_of=None)
    failing.troubles = ["cut", "503 ServiceUnavailable"]
    assert objects.get("one")
    failing.troubles = ["403 AccessDenied"]
    with pytest.raises(DigitflowError, match=r"/two: writing failed: Permission.*AWS_"):
        objects.put("two", b"", instead_of=None)
    failing.troubles = ["403 AccessDenied"]
    with pytest.raises(InputError, match=r"models cannot be read: PermissionError.*AWS_ENDPOINT"):
        objects.get("one")
    assert place.paths() == ["one"]


def test_a_server_that_does_not_keep_conditions_is_refused_before_anything_is_written(
    place: BucketPlace, failing: Failing
) -> None:
    objects = Objects(place.url)
    failing.troubles = ["unconditional"]
    with pytest.raises(InputError, match="does not keep the condition of a write"):
        objects.require_conditions()
    assert place.paths() == []
    failing.troubles = ["403 AccessDenied"]
    with pytest.raises(InputError, match="writing failed: PermissionError"):
        objects.require_conditions()
    objects.require_conditions()


def test_no_bucket_no_name_and_no_server_are_errors_with_their_cause(
    place: BucketPlace, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="names no bucket: give s3://BUCKET"):
        Objects("s3:///models")
    lost = Objects("s3://no-such-bucket/models")
    for ask in (lambda: lost.get("x"), lambda: lost.below(""), lost.require_conditions):
        with pytest.raises(InputError, match=r"no-such-bucket/models.*: FileNotFound"):
            ask()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(InputError, match=r"EndpointConnectionError: .* the endpoint"):
        Objects(place.url).get("x")
