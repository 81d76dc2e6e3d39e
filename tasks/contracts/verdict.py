"""The answer of the gate on one model file, as it is passed on, kept in cards and shown."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tasks.contracts.base import Contract

SHOWN_FAILURES = 3  # in a sentence; the table has all

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


def failures(checks: Sequence[Check]) -> str:
    """Return one line that names the first failed checks with their figures."""
    findings = [check.finding for check in checks if not check.passed]
    more = len(findings) - SHOWN_FAILURES
    return "; ".join(findings[:SHOWN_FAILURES]) + (f"; and {more} more" if more > 0 else "")
