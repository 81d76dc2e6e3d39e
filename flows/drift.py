"""Look at the results over time: a page with a chart of each source, and the same in the UI."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.artifacts import publish_report
from flows.terminal.console import Console
from tasks.atomic import write_text
from tasks.holding.batches import BatchLog
from tasks.monitoring.audit import Period
from tasks.monitoring.batch_profile import Control
from tasks.monitoring.drift import Drift, drift
from tasks.progress import ProgressLog
from tasks.reporting.document import Report, to_html
from tasks.reporting.drift_report import drift_report
from tasks.results.table import is_table
from tasks.runs import REPORT_FILE, open_run
from tasks.settings.base import home, results_table
from tasks.task import task

BACK: dict[Period, timedelta] = {  # from when on what was read is looked at
    "day": timedelta(days=31),
    "week": timedelta(weeks=26),
    "month": timedelta(days=2 * 366),
}
KEY = "drift"  # of the artifact, and what its runs are called


@dataclass(frozen=True)
class DriftPage:
    """What was looked at, and where the page is."""

    sources: int
    pictures: int
    report: str

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def show_drift(source: str, by: Period, console: Console) -> DriftPage:
    """Write a page of what was read over time.

    Args:
        source: only sources whose name contains it.
        by: the periods that are told apart.
        console: is told where it is.

    Raises:
        DigitflowError: the results cannot be read.
    """
    found = found_by(by, source)
    report = _report(found, by)
    file = open_run(KEY, home()) / REPORT_FILE
    write_text(file, to_html(report))
    console.log("Drift", report.lead)
    console.log("Report", str(file))
    return DriftPage(len(found), sum(each.found for each in found), str(file))


def publish_drift(log: ProgressLog) -> None:
    """Show in the Prefect UI what was read week by week, where there are results."""
    if is_table(results_table()):
        report = _of_weeks()
        publish_report(KEY, report)
        log.log("Drift", report.lead)


@task(name="look at the drift")
def _of_weeks() -> Report:
    return _report(found_by("week"), "week")


def found_by(by: Period, source: str = "") -> list[Drift]:
    """Return what was read, and how control digits were, of sources whose name contains a text."""
    table, since = results_table(), datetime.now(UTC) - BACK[by]
    found = drift(table, since, by, source)
    by_source = {each.source: each for each in found}
    for batch in BatchLog(table).counting(since) if found else ():
        control = batch.profile.get("control")
        if control and (of_source := by_source.get(batch.source)):
            read = Control.from_dict(control)
            at = datetime.fromisoformat(batch.started_at)
            of_source.add_controls(at, by, read.drawn, read.right)
    return found


def _report(found: Sequence[Drift], by: Period) -> Report:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return drift_report(found, by, f"As of {now}, from {results_table()}.")
