"""The folder of one run: its name is the run id, and what the run leaves behind lies in it."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"


def open_run(kind: str, home: Path) -> Path:
    """Make and return `runs/<kind>-<UTC time>-<4 hex digits>/`; two runs never share one."""
    folder = home / "runs" / f"{kind}-{timestamp()}-{secrets.token_hex(2)}"
    folder.mkdir(parents=True)
    return folder


def timestamp() -> str:
    """Return the UTC time as it stands in names: sortable, to the second."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
