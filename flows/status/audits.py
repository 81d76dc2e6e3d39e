"""What people's answers to what was drawn say of the errors that are accepted, source by source."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from flows.status.past_runs import summaries
from tasks.atomic import make_folder, write_text
from tasks.errors import DigitflowError
from tasks.monitoring.audit import audited
from tasks.monitoring.audit_findings import AuditFinding, findings
from tasks.settings.reading import ReadSettings

LOOK_BACK = timedelta(days=366)  # from when on what was read is looked at
ALARMS = timedelta(days=62)  # and its alarms: answers come late, but not for ever
TOLD = "audit/told.json"  # in the home: alarms that the server was told of, by their ids


@dataclass(frozen=True)
class Audits:
    """What was found on each source with each model, the latest read first."""

    findings: tuple[AuditFinding, ...] = ()
    trouble: str | None = None


def what_audits_show(place: Callable[[], str], runs: Path) -> Audits:
    """Return what people's answers show so far; what cannot be found out is said in its place.

    Args:
        place: gives folder or URL of the results table, or raises.
        runs: folder of the runs, which say what was accepted.
    """
    try:
        found = audited(place(), datetime.now(UTC) - LOOK_BACK)
        return Audits(tuple(findings(found, accepted_errors(runs))))
    except (DigitflowError, OSError) as error:
        return Audits(trouble=str(error))


def alarms(table: str, runs: Path) -> list[AuditFinding]:
    """Return the months in which more was wrong than was accepted, by model and source.

    Raises:
        DigitflowError: the table cannot be read.
    """
    found = audited(table, datetime.now(UTC) - ALARMS, by="month")
    return [each for each in findings(found, accepted_errors(runs)) if each.above]


def accepted_errors(runs: Path) -> Callable[[str], float]:
    """Return what gives the error that the last reading of a source has accepted."""
    usual: float = ReadSettings.model_fields["max_error"].default

    @cache
    def known() -> dict[str, float]:  # where nothing was drawn nobody asks
        last = dict[str, float]()
        for summary in summaries(runs):
            if summary.max_error is not None:
                last.setdefault(summary.root, summary.max_error)
        return last

    return lambda source: known().get(source, usual)


def told_alarms(home: Path) -> set[str]:
    """Return the ids of the alarms that the server was told of."""
    try:
        told = json.loads((home / TOLD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {str(each) for each in told} if isinstance(told, list) else set()


def keep_told(home: Path, told: set[str]) -> None:
    """Keep the ids of the alarms that the server was told of."""
    make_folder((home / TOLD).parent)
    write_text(home / TOLD, json.dumps(sorted(told)) + "\n")
