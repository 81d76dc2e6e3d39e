"""What an audit's figures mean beside the error that was accepted."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tasks.metrics.audited_error import AuditedError
from tasks.monitoring.audit import Audited
from tasks.monitoring.audit_findings import AuditFinding, findings

AT = datetime(2026, 11, 28, tzinfo=UTC)


def finding(low: float, high: float, answers: int = 900) -> AuditFinding:
    error = AuditedError(1_000, answers, 3, 0.004, low, high, heaviest=1.2)
    audit = Audited("m", "/scans", date(2026, 11, 1), AT, error)
    [found] = findings([audit], lambda source: 0.005 if source == "/scans" else 1.0)
    return found


def test_it_is_above_or_kept_only_where_the_whole_interval_is() -> None:
    assert [(each.above, each.kept) for each in (finding(0.006, 0.02), finding(0.001, 0.005))] == [
        (True, False),
        (False, True),
    ]
    open_yet = finding(0.001, 0.006)
    assert (open_yet.above, open_yet.kept) == (False, False)


def test_what_was_accepted_on_its_source_and_what_is_missing_stand_in_it() -> None:
    found = finding(0.0, 0.01, answers=400)
    assert (found.month, found.accepted) == ("2026-11", 0.005)
    assert found.missing == 486  # of 3.689 / 0.005 * 1.2
    assert replace(found, month=None).to_dict()["month"] is None
    assert found.to_dict()["error"] == pytest.approx(0.004)
