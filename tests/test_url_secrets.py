"""What lets somebody in is found in every usual form of URL, and what is no secret is let be."""

import pytest

from tasks.url_secrets import has_secret, without_secrets

SECRET = [
    "http://user:SECRET@host/scans",
    "https://SECRET@host/scans",
    "git+https://SECRET@host/scans",
    "HTTPS://User:SECRET@Host:8443/scans/*.png",
    "ftp://user:SECRET@host",
    "http://user:SEC@RET@host/",
    "http://user:SECRET@[::1]:80/",
    "http://:SECRET@host/",
    "s3://AKIAKEY:SECRET@bucket/scans",
    "s3://AKIAKEY:SEC/RET+SECRET@bucket/scans",
    "simplecache::http://user:SECRET@host/scans",
    "zip://a.png::https://user:SECRET@host/scans.zip",
    "tcp://user:SECRET@scheduler:8786",
    "https://host/a.zip?X-Amz-Expires=60&X-Amz-Signature=SECRET",
    "https://host/a.zip?X-Amz-Security-Token=SECRET&X-Amz-Date=2",
    "https://a.blob.core.windows.net/c/a.zip?sv=2022&sig=SECRET%3D",
    "https://storage.googleapis.com/b/a?GoogleAccessId=me&Signature=SECRET",
    "https://b.s3.amazonaws.com/a?AWSAccessKeyId=SECRET&Expires=1",
    "https://host/a?token=SECRET",
    "https://host/a?page=1&access_token=SECRET#x",
    "https://host/a#api_key=SECRET",
    "https://host/a?password=SECRET",
]
NO_SECRET = [
    "s3://bucket/scans/*.png",
    "s3://bucket/a:b@c/scans",
    "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/scans/a@b",
    "http://host:8080/scans@2x/a:b@c.png",
    "http://[::1]:8080/a@b",
    "http://host:80?x=a@b",
    "sftp://user@host/scans",
    "abfs://container@account.dfs.core.windows.net/scans",
    "https://host/a?page=1&design=flat&author=me&keyword=x&monkeys=2",
    "file:///home/me/a:b@c",
    "tcp://scheduler:8786",
    "/home/user:name@host/scans?token=x",
    "user:name@host",
    "mail me@host",
]


@pytest.mark.parametrize("url", SECRET)
def test_what_is_secret_in_a_url_is_found_and_left_out(url: str) -> None:
    assert has_secret(url)
    assert has_secret(repr({"source": [url]}))
    shown = without_secrets(f"GET {url} failed, url='{url}'")
    assert "SECRET" not in shown
    assert "RET" not in shown
    assert "***" in shown
    assert shown.endswith("'")


@pytest.mark.parametrize("url", NO_SECRET)
def test_what_is_no_secret_is_let_be(url: str) -> None:
    assert not has_secret(url)


@pytest.mark.parametrize("url", NO_SECRET[:-3])
def test_a_text_without_secrets_stays_as_it_is(url: str) -> None:
    assert without_secrets(f"{url} cannot be read: 404") == f"{url} cannot be read: 404"


def test_the_rest_of_a_url_stays_to_be_recognised() -> None:
    assert without_secrets("at http://me:pw@host/a?sig=x&page=2") == (
        "at http://***@host/a?sig=***&page=2"
    )
