"""How much stricter a source is read on which people found more errors than are accepted."""

import math
from collections.abc import Iterable

from tasks.monitoring.audit_findings import AuditFinding


def strictness_by(months: Iterable[AuditFinding], model: str) -> float:
    """Return by how much the bounds of a model are raised: 1, or a power of two.

    That is by what the worst month was above what was accepted, rounded up. It stays so as long as
    that month is looked at, for by then less is read, and fewer errors are found. A model that was
    accepted since has no such months yet.

    Args:
        months: what was found, month by month, on the sources that are read.
        model: that reads.
    """
    above = [each for each in months if each.model == model and each.above]
    worst = max(((each.error or 0) / each.accepted for each in above), default=0.0)
    return 2.0 ** max(1, math.ceil(math.log2(worst))) if worst else 1.0
