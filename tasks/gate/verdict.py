"""One requirement and what was measured, and all of them together: the values a gate makes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.metrics.classification import Z_95, Share

MISSING = "missing"
SHOWN_FAILURES = 3  # in a sentence; the table has all


@dataclass(frozen=True)
class Check:
    """One requirement, what was measured, and whether that is enough."""

    name: str
    requirement: str
    measured: str
    passed: bool
    explanation: str
    finding: str = ""  # what is wrong, in a few words; empty where it passed
    low: float | None = None  # 95 % bounds of what was measured
    high: float | None = None
    count: int | None = None  # pictures that it was measured on


@dataclass(frozen=True)
class Verdict:
    """All checks of one candidate; it is accepted when there are some and all passed."""

    accepted: bool = field(init=False)
    checks: Sequence[Check]
    against: str | None = None  # the version that served
    compared: bool = True  # with it, answer by answer; False if it cannot read any more
    acceptance: Mapping[str, str] = field(default_factory=dict)  # sets it was judged on: digests
    sha256: str | None = None  # of the file that was judged

    def __post_init__(self) -> None:
        """Accept what passed everything, if there was anything."""
        passed = bool(self.checks) and all(check.passed for check in self.checks)
        object.__setattr__(self, "accepted", passed)

    def facts(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self) | {"sentence": self.sentence(), "comparison": self.comparison()}

    def failures(self) -> str:
        """Return one line that names the first failed checks with their figures."""
        findings = [check.finding for check in self.checks if not check.passed]
        more = len(findings) - SHOWN_FAILURES
        return "; ".join(findings[:SHOWN_FAILURES]) + (f"; and {more} more" if more > 0 else "")

    def comparison(self) -> str:
        """Return in words what the candidate was compared with; empty if nothing served."""
        if not self.against:
            return ""
        if self.compared:
            return f"compared with {self.against}"
        return f"not compared with {self.against}, which this digitflow cannot read"

    def sentence(self) -> str:
        """Return the whole answer in one sentence."""
        if self.accepted:
            return f"Accepted: all {len(self.checks)} checks passed"
        return f"Refused: {self.failures() or 'nothing was checked'}"


def at_least(name: str, share: Share, floor: float, explanation: str) -> Check:
    """Require the lower bound of a share to reach a floor."""
    passed = share.low >= floor
    if not passed and (needed := _needed(floor)) > share.count:
        explanation += (
            f"; {share.count:,} pictures are too few: even all right would not do, "
            f"{needed:,} are needed"
        )
    return Check(
        name=name,
        requirement=f"at least {floor:.4f}",
        measured=f"{share.low:.4f} ({share.right:,} of {share.count:,})",
        passed=passed,
        explanation=explanation,
        finding="" if passed else f"{name} {share.low:.4f} < {floor:.4f}",
        low=share.low,
        high=share.high,
        count=share.count,
    )


def within(
    name: str,
    value: float,
    *,
    explanation: str,
    lowest: float | None = None,
    highest: float | None = None,
    form: str = ".4f",
    count: int | None = None,
) -> Check:
    """Require a number to be at least `lowest` and at most `highest`; not a number fails."""
    low_enough = highest is None or value <= highest
    high_enough = lowest is None or value >= lowest
    limits = [f"at least {lowest:{form}}"] if lowest is not None else []
    limits += [f"at most {highest:{form}}"] if highest is not None else []
    sign, limit = (">", highest) if high_enough else ("<", lowest)
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        finding = f"{name} is not a number"
    else:
        finding = f"{name} {value:{form}} {sign} {limit:{form}}" if limit is not None else ""
    passed = low_enough and high_enough
    return Check(
        name=name,
        requirement=" and ".join(limits),
        measured=f"{value:{form}}",
        passed=passed,
        explanation=explanation,
        finding="" if passed else finding,
        count=count,
    )


def holds(name: str, requirement: str, measured: str, passed: bool, explanation: str) -> Check:
    """Require something that is so or not."""
    finding = "" if passed else f"{name}: {measured}"
    return Check(name, requirement, measured, passed, explanation, finding)


def failed(name: str, reason: str, explanation: str = "") -> Check:
    """Refuse because something was not measured."""
    return Check(
        name=name,
        requirement="measured",
        measured=MISSING,
        passed=False,
        explanation=f"{explanation}: {reason}" if explanation else reason,
        finding=f"{name} {MISSING} ({reason})",
    )


def _needed(floor: float) -> int:
    """Return how many pictures, all right, it takes for a lower Wilson bound of `floor`."""
    return int(Z_95**2 * floor / (1 - floor)) + 1 if floor < 1 else 10**9
