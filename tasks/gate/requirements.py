"""Requirements and what was measured into checks, and all checks of a candidate into a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.contracts.verdict import Check, Verdict, failures
from tasks.metrics.classification import Z_95, Share

MISSING = "missing"


@dataclass(frozen=True)
class Limits:
    """Between which values a number has to be, and how it is written; None: no limit."""

    lowest: float | None = None
    highest: float | None = None
    form: str = ".4f"  # of the format mini-language

    def hold(self, value: float) -> bool:
        """Tell whether a value is within them; not a number never is."""
        low_enough = self.highest is None or value <= self.highest
        return low_enough and (self.lowest is None or value >= self.lowest)

    def requirement(self) -> str:
        """Return them in words."""
        words = [f"at least {self.lowest:{self.form}}"] if self.lowest is not None else []
        words += [f"at most {self.highest:{self.form}}"] if self.highest is not None else []
        return " and ".join(words)

    def finding(self, name: str, value: float) -> str:
        """Return what is wrong with a value that is not within them."""
        if value != value:  # noqa: PLR0124 - only NaN differs from itself
            return f"{name} is not a number"
        if self.lowest is not None and value < self.lowest:
            return f"{name} {value:{self.form}} < {self.lowest:{self.form}}"
        return f"{name} {value:{self.form}} > {self.highest:{self.form}}"


@dataclass(frozen=True)
class Baseline:
    """The version that served when a candidate was judged."""

    name: str
    compared: bool  # answer by answer; False if it cannot read any more

    def comparison(self) -> str:
        """Return in words what the candidate was compared with."""
        if self.compared:
            return f"compared with {self.name}"
        return f"not compared with {self.name}, which this digitflow cannot read"


def verdict_of(
    checks: Sequence[Check], baseline: Baseline | None, acceptance: Mapping[str, str], sha256: str
) -> Verdict:
    """Return the verdict on a file: it is accepted when there are checks and all passed.

    Args:
        checks: all of the file.
        baseline: what served; None: nothing did.
        acceptance: names of the registered sets it was judged on, with their digests.
        sha256: of the file.
    """
    accepted = bool(checks) and all(check.passed for check in checks)
    sentence = f"Accepted: all {len(checks)} checks passed"
    if not accepted:
        sentence = f"Refused: {failures(checks) or 'nothing was checked'}"
    return Verdict(
        accepted=accepted,
        checks=list(checks),
        against=baseline.name if baseline else None,
        compared=baseline.compared if baseline else True,
        acceptance=dict(acceptance),
        sha256=sha256,
        sentence=sentence,
        comparison=baseline.comparison() if baseline else "",
    )


def at_least(name: str, share: Share, floor: float, explanation: str) -> Check:
    """Require the lower bound of a share to reach a floor."""
    passed = share.low >= floor
    finding = "" if passed else f"{name} {share.low:.4f} < {floor:.4f}"
    if not passed and (needed := fewest_for(floor)) > share.count:
        explanation += (
            f"; {share.count:,} pictures are too few: even all right would not do, "
            f"{needed:,} are needed"
        )
        finding += f", {needed - share.count:,} pictures are missing" if floor < 1 else ""
    return Check(
        name=name,
        requirement=f"at least {floor:.4f}",
        measured=f"{share.low:.4f} ({share.right:,} of {share.count:,})",
        passed=passed,
        explanation=explanation,
        finding=finding,
        low=share.low,
        high=share.high,
        count=share.count,
    )


def at_most(name: str, share: Share, ceiling: float) -> Check:
    """Require that a share is not above a ceiling for sure: that its lower bound is not.

    Some hundred pictures cannot show that it is below; that is shown by the calibration. Of no
    picture nothing is known, which fails.
    """
    passed = share.low <= ceiling
    return Check(
        name=name,
        requirement=f"at most {ceiling:.4f}",
        measured=f"{share.low:.4f} ({share.right:,} of {share.count:,})",
        passed=passed,
        explanation="lower bound of the share of wrong ones among what is read",
        finding="" if passed else f"{name} {share.low:.4f} > {ceiling:.4f}",
        low=share.low,
        high=share.high,
        count=share.count,
    )


def within(
    name: str, value: float, limits: Limits, *, explanation: str, count: int | None = None
) -> Check:
    """Require a number to be within limits; not a number fails."""
    passed = limits.hold(value)
    return Check(
        name=name,
        requirement=limits.requirement(),
        measured=f"{value:{limits.form}}",
        passed=passed,
        explanation=explanation,
        finding="" if passed else limits.finding(name, value),
        count=count,
    )


def holds(name: str, requirement: str, measured: str, passed: bool, explanation: str) -> Check:
    """Require something that is so or not."""
    return Check(
        name=name,
        requirement=requirement,
        measured=measured,
        passed=passed,
        explanation=explanation,
        finding="" if passed else f"{name}: {measured}",
    )


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


def fewest_for(floor: float) -> int:
    """Return how many pictures, all right, it takes for a lower Wilson bound of `floor`."""
    return int(Z_95**2 * floor / (1 - floor)) + 1 if floor < 1 else 10**9
