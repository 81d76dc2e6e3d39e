"""Names become text and come back byte for byte, and each place of several is told apart."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.inputs.base import Roots, printable, refusal, unprintable
from tasks.outcomes import Reason

ROOTS = Roots(("/a", "/b/0", "/a/1"))


@given(st.binary())
def test_a_name_of_any_bytes_comes_back_from_its_text(name: bytes) -> None:
    text = printable(name)
    text.encode()  # has no lone surrogates: it goes into tables and pages
    assert unprintable(text) == name


def test_no_two_names_have_one_text() -> None:
    names = [b"caf\xe9", rb"caf\xe9", rb"caf\\xe9", "café".encode(), b"a\\", b"a\\\\"]
    assert len({printable(name) for name in names}) == len(names)


@given(st.sampled_from(range(3)), st.binary())
def test_a_path_of_several_roots_leads_to_its_row_and_back(root: int, below: bytes) -> None:
    path = b"%d/%s" % (root, below)
    assert ROOTS.place(path) == (ROOTS.names[root], printable(below))
    assert ROOTS.path(*ROOTS.place(path)) == path


def test_of_many_roots_a_few_are_named() -> None:
    assert str(Roots(("/a",))) == "/a"
    assert str(Roots(("/a", "/b", "/c"))) == "/a, /b, /c"
    assert str(Roots(("/a", "/b", "/c", "/d", "/e"))) == "/a, /b, /c and 2 more"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(errno.ENOENT, "gone"), Reason.VANISHED),
        (PermissionError(errno.EACCES, "not yours"), Reason.PERMISSION_DENIED),
        (OSError(errno.EIO, "bad\nsector"), Reason.STORAGE_ERROR),
        (RuntimeError("what a library makes of it"), Reason.STORAGE_ERROR),
    ],
)
def test_an_error_of_a_store_is_a_reason_in_one_line(error: Exception, reason: Reason) -> None:
    refused = refusal(error)
    assert refused.reason == reason
    assert "\n" not in refused.detail
    assert type(error).__name__ in refused.detail
