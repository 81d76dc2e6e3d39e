"""Our errors are one line for people and a code for scripts, as the tree in their file says."""

import inspect
import pickle
import re

import pytest

from tasks import errors
from tasks.errors import DigitflowError, InputError, error_text

BRANCH = re.compile(r"^([| `-]*)(\w+) +(\d)  ", re.MULTILINE)  # of the tree: its depth, name, code
KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


def test_every_error_of_ours_is_one_line_without_codes_and_secrets() -> None:
    error = InputError("no\nline\x1b[2J at http://me:secret@host\udce9")
    assert str(error) == r"no\nline\x1b[2J at http://***@host\xe9"


def test_the_tree_that_is_drawn_is_the_tree_of_the_classes() -> None:
    parents: list[type[Exception]] = []
    drawn = BRANCH.findall(str(errors.__doc__))
    for indent, name, code in drawn:
        kind = getattr(errors, name)
        del parents[len(indent) // 4 :]
        assert kind.__base__ is (parents[-1] if parents else Exception)
        assert kind.exit_code == int(code)
        parents.append(kind)
    assert {name for _, name, _ in drawn} == {kind.__name__ for kind in KINDS}


def test_no_error_ends_as_success_and_refusals_are_told_from_failures() -> None:
    assert all(kind.exit_code > 0 for kind in KINDS)
    assert len({DigitflowError.exit_code, InputError.exit_code, errors.GateRefused.exit_code}) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_another_process_arrives_as_it_was(kind: type[DigitflowError]) -> None:
    error = kind(r"C:\new at s3://KEY:h4sh/h4sh@bucket" + "\n\x1b[2J\udce9 \\x1b")
    other = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(other), str(other)) == (kind, str(error))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("disk\n  full"), "OSError: disk full"),
        (ValueError(), "ValueError: "),
        (KeyError("a\nb"), r"KeyError: 'a\nb'"),
    ],
)
def test_any_error_is_told_in_one_line_with_its_kind(error: Exception, text: str) -> None:
    assert error_text(error) == text
