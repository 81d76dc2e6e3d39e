"""The summaries that the runs of a home have left behind."""

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.results.summary import Summary
from tasks.runs import SUMMARY_FILE

LOOK_BACK = 200  # runs, the newest first


def summaries(runs: Path) -> Iterator[Summary]:
    """Yield those of the last readings that came to their end, the newest first."""
    for folder in sorted(runs.glob("predict-*"), reverse=True)[:LOOK_BACK]:
        try:
            text = (folder / SUMMARY_FILE).read_text(encoding="utf-8")
            summary = Summary.from_dict(json.loads(text))
        except (OSError, ValueError):
            continue  # it goes on, did not come to its end, or is of another version
        yield summary
