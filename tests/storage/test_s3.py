"""Requests find their credentials, are tried four times, and hold up nobody who wants to leave."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.storage.s3 import ATTEMPTS, Bucket
from tests.places import BucketPlace
from tests.s3 import Failing, access

COUNT = 60  # objects; botocore's `standard` mode would try a hundred times again, then no more
ASK = """
from tasks.storage.s3 import Bucket
print("asking", flush=True)
list(Bucket("bucket", "s3://bucket").get_each(["one", "two"]))
"""


def test_credentials_of_a_profile_are_found(
    s3_client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = BucketPlace(s3_client)
    place.write("one", b"1")
    (tmp_path / ".aws").mkdir()
    keys = "aws_access_key_id = user\naws_secret_access_key = secret\n"
    (tmp_path / ".aws" / "credentials").write_text(f"[scanner]\n{keys}")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "scanner")
    bucket = Bucket(place.url.split("/")[2], place.url)
    assert bucket.get("shared/models/one").data == b"1"


@pytest.mark.slow
def test_each_request_is_tried_four_times_however_many_have_failed(failing: Failing) -> None:
    failing.troubles = ["503 SlowDown"] * ATTEMPTS * COUNT
    found = list(Bucket("bucket", "s3://bucket").get_each(str(number) for number in range(COUNT)))
    assert [type(each).__name__ for each in found] == ["ClientError"] * COUNT
    assert not failing.troubles


def test_a_server_that_is_silent_does_not_hold_up_ctrl_c() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silence = access(f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-c", ASK]
        variables = os.environ | silence
        with subprocess.Popen(
            command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as asking:
            assert asking.stdout
            asking.stdout.readline()
            silent.accept()[0].recv(1)
            began = time.monotonic()
            asking.send_signal(signal.SIGINT)
            assert b"KeyboardInterrupt" in asking.communicate(timeout=60)[1]
            assert time.monotonic() - began < 30  # botocore waits 60 s for an answer
