"""The answer of the gate on one model file, as it is passed on, kept in cards and shown."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from tasks.contracts.base import Contract

SHOWN_FAILURES = 3  # in a sentence; the table has all

# How checks are called that say something of one slice, in verdicts of every version.
ACCURACY_ON, REFUSAL_OF, BY_DEVICE = "accuracy on ", "refusal of ", " by "
RECALL_OF, RECALL_ON = "recall of ", "recall on "  # of one digit; where a digit is missing
OF_A_SLICE = re.compile(
    rf"(?:{ACCURACY_ON}|{REFUSAL_OF}|{RECALL_ON}|{RECALL_OF}\d on )"
    rf"(?P<slice>.+?)(?:{BY_DEVICE}(?:cpu|cuda))?"
)

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]  # SHA-256


class Check(Contract):
    """One requirement, what was measured, and whether that is enough."""

    name: str
    requirement: str
    measured: str
    passed: bool
    explanation: str = ""
    finding: str = ""  # what is wrong, in a few words; empty where it passed
    low: float | None = None  # 95 % bounds of what was measured
    high: float | None = None
    count: int | None = None  # pictures that it was measured on


class Verdict(Contract):
    """All checks of one candidate, and what follows from them."""

    accepted: bool
    checks: list[Check]
    against: str | None = None  # the version that served
    compared: bool = True  # with it, answer by answer; False if it cannot read any more
    acceptance: dict[str, str] = Field({})  # sets it was judged on: digests
    sha256: Digest | None = None  # of the file that was judged
    sentence: str = ""  # the whole answer
    comparison: str = ""  # what it was compared with, in words; empty if nothing served

    def failures(self) -> str:
        """Return one line that names the first failed checks with their figures."""
        return failures(self.checks)

    def passed_slices(self) -> list[str]:
        """Return the slices that it was judged on and passed, each once, in their order."""
        of_slices = list(_of_slices(self.checks))
        failed = {name for name, check in of_slices if not check.passed}
        return [name for name in dict.fromkeys(name for name, _ in of_slices) if name not in failed]


def _of_slices(checks: Sequence[Check]) -> Iterator[tuple[str, Check]]:
    for check in checks:
        if named := OF_A_SLICE.fullmatch(check.name):
            yield named["slice"], check


def failures(checks: Sequence[Check]) -> str:
    """Return one line that names the first failed checks with their figures."""
    findings = [check.finding for check in checks if not check.passed]
    more = len(findings) - SHOWN_FAILURES
    return "; ".join(findings[:SHOWN_FAILURES]) + (f"; and {more} more" if more > 0 else "")
