"""What an audit shows, in words and as a section of a report."""

from collections.abc import Sequence

from tasks.monitoring.audit_findings import AuditFinding
from tasks.reporting.document import Cell, Section, Table, percent, plural
from tasks.reporting.svg import Tone

HOW = (
    "People answered pictures that were drawn at random from what was read, rare digits and less "
    "sure ones more often; each counts by how probably it was drawn. What is not answered yet is "
    "taken to be as the others of its confidence. The interval holds the error with 95 %."
)


def estimate(finding: AuditFinding) -> str:
    """Return what was found: `1 wrong of 412 answers: 0.24 % (0.01 % to 1.35 %)`."""
    if finding.error is None:
        verb = "was" if finding.drawn == 1 else "were"
        return f"{plural(finding.drawn)} {verb} drawn, and none is answered yet"
    return (
        f"{finding.wrong:,} wrong of {plural(finding.answers, 'answer')}: "
        f"{percent(finding.error)} ({percent(finding.low)} to {percent(finding.high)})"
    )


def meaning(finding: AuditFinding) -> str:
    """Return what follows for the accepted error."""
    accepted = f"{100 * finding.accepted:g} %"
    if finding.above:
        return f"more than the accepted {accepted}"
    if finding.kept:
        return f"the accepted {accepted} is kept"
    if finding.missing:
        return f"{plural(finding.missing, 'more answer')} would show whether {accepted} is kept"
    return f"not certain yet whether the accepted {accepted} is kept"


def tone(finding: AuditFinding) -> Tone:
    """Return how good that is."""
    if finding.above:
        return "bad"
    return "good" if finding.kept else ""


def audit_section(findings: Sequence[AuditFinding]) -> Section:
    """Return a section with a row for each finding."""
    rows: list[Sequence[str | Cell]] = [
        (
            each.source,
            each.model,
            f"{each.answers:,}",
            f"{each.wrong:,}",
            percent(each.error),
            f"{percent(each.low)} to {percent(each.high)}",
            Cell(meaning(each), tone(each)),
        )
        for each in findings
    ]
    columns = ("Source", "Model", "Answers", "Wrong", "Error", "95 % interval", "Meaning")
    return Section("Audit", HOW if rows else "Nothing was drawn.", Table(columns, rows))
