"""Whether an audit shows that the accepted error is kept: its figures beside what was promised."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.monitoring.audit import Audited


@dataclass(frozen=True)
class AuditFinding:
    """What people's answers say of the error that was accepted, as plain values."""

    model: str
    source: str
    month: str | None  # as `2026-11`; None: so far
    drawn: int
    answers: int
    wrong: int  # of the answers
    error: float | None  # share; None without answers
    low: float  # of its 95 % interval
    high: float
    accepted: float
    missing: int  # answers, until they can show that the accepted error is kept

    @property
    def above(self) -> bool:
        """Tell whether it is shown that more is wrong than was accepted."""
        return self.low > self.accepted

    @property
    def kept(self) -> bool:
        """Tell whether it is shown that no more is wrong than was accepted."""
        return self.high <= self.accepted

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows."""
        return asdict(self)


def findings(audits: Sequence[Audited], accepted_on: Callable[[str], float]) -> list[AuditFinding]:
    """Return what audits say of the promises.

    Args:
        audits: of one month each, or of all.
        accepted_on: gives the error that is accepted on a source.
    """
    return [_finding(audit, accepted_on(audit.source)) for audit in audits]


def _finding(audit: Audited, accepted: float) -> AuditFinding:
    found = audit.found
    return AuditFinding(
        model=audit.model,
        source=audit.source,
        month=f"{audit.period:%Y-%m}" if audit.period else None,
        drawn=found.drawn,
        answers=found.answers,
        wrong=found.wrong,
        error=found.error,
        low=found.low,
        high=found.high,
        accepted=accepted,
        missing=found.missing(accepted),
    )
