"""The first thing a newcomer runs: train quickly, judge, read a folder, show what came out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.terminal.console import Console
from flows.train import Outcome
from tasks.data.sample_folder import write_sample_folder
from tasks.data.snapshot import Part, load
from tasks.errors import GateRefused
from tasks.registry.registry import Registry, serving
from tasks.results import table as results
from tasks.results.summary import Summary
from tasks.runs import REPORT_FILE, open_run
from tasks.settings.base import home, models_place
from tasks.settings.reading import PredictSettings
from tasks.settings.training import TrainSettings

PICTURES = 200  # test digits in the sample folder
SHOWN = 8  # rows of read pictures in the table at the end


@dataclass(frozen=True)
class Demo:
    """What the demo made, and how right it was."""

    training: Outcome
    reading: Summary
    right: int

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return {
            "training": self.training.to_dict(),
            "reading": self.reading.to_dict(),
            "right": self.right,
        }


def demo(
    train: Callable[[TrainSettings], Outcome],
    predict: Callable[[PredictSettings], Summary],
    console: Console,
) -> Demo:
    """Run both flows on MNIST; the model that serves, the shipped one or another, goes on serving.

    Raises:
        GateRefused: the network did not pass.
    """
    console.heading("1. Train a network on MNIST, and let the gate judge it")
    first = serving(Registry(models_place())) is None
    outcome = train(TrainSettings(recipe="quick", promote=first, judge_on="clean"))
    if not outcome.accepted:
        raise GateRefused(outcome.sentence)

    console.heading("2. Write a folder of pictures that the network has never seen")
    images, labels = load(Path(outcome.dataset)).part(Part.TEST)
    folder = open_run("demo", home()) / "pictures"
    made = write_sample_folder(folder, images[:PICTURES], labels[:PICTURES])
    console.log("Folder", f"{made.pictures} pictures and {made.broken} broken files in {folder}")

    console.heading("3. Read the folder")
    summary = predict(PredictSettings(source=str(folder), model=outcome.version))

    console.heading("4. What came out")
    right = _show(summary, console)
    share = right / made.pictures
    console.log("Accuracy", f"{right} of {made.pictures} pictures answered right ({share:.1%})")
    console.log("Reports", outcome.report)
    console.log("", str(home() / "runs" / summary.run_id / REPORT_FILE))
    console.log("Results", f"{summary.results} (a Delta Lake table; run {summary.run_id})")
    console.log("Next", "digitflow predict YOUR_FOLDER    digitflow up    digitflow --help")
    return Demo(outcome, summary, right)


def _show(summary: Summary, console: Console) -> int:
    """Print rows of every kind and return how many answers were right, by the folders' names."""
    columns = ["path", "status", "reason", "digit", "confidence"]
    rows = results.select(summary.results, results.Query(run=summary.run_id), columns).to_pylist()
    answered = [row for row in rows if row["digit"] is not None]
    rejected = [row for row in rows if row["digit"] is None]
    lines = []
    for row in answered[:: max(1, len(answered) // SHOWN)][:SHOWN] + rejected:
        sure = "" if row["confidence"] is None else f"{row['confidence']:.3f}"
        digit = "" if row["digit"] is None else str(row["digit"])
        lines.append((row["path"], row["status"], row["reason"], digit, sure))
    lines.append((f"... {len(rows)} rows in all", "", "", "", ""))
    console.table(columns, lines)
    return sum(row["path"].split("/")[0] == str(row["digit"]) for row in answered)
