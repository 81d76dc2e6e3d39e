"""What corrections teach: a writer whom the shipped model reads badly, before and after.

One simulated person writes; what the model reads wrong or is unsure of is answered rightly, until
so many are kept. Then the same recipe is trained without and with these corrections, and reads
other pictures of that writer, and MNIST's test part.

    python -m tests.bench.corrections [--recipe standard] [--corrections 300] [--others 1000]
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.terminal.console import Console
from flows.train import train
from tasks.contracts.verdict import Verdict
from tasks.corrections.answers import AnswerFacts
from tasks.corrections.store import Corrections, Half
from tasks.registry.registry import Registry, bundled_model
from tasks.settings.training import TrainSettings
from tasks.synthesis import scene
from tasks.synthesis.digit_templates import digit_paths
from tasks.synthesis.rasterize import canvas_shape, rasterize_paths
from tasks.synthesis.writer_variation import vary_writing
from tests.bench.drawn_kinds import Readings, read_kinds

Page = NDArray[np.uint8]  # (h, w) or (h, w, 3)

# How this person writes each digit: of 80 ways that were drawn, the one that the shipped model read
# worst. So it is a person as bad to read as there may be one in many.
STYLES = (8, 15, 73, 47, 8, 10, 6, 51, 6, 34)
SEED = 20_261_128
DRAWN_AT_ONCE = 400  # pages, of which those that are read wrong or unsurely are corrected
SIZE = (0.5, 0.9)  # of the page's shorter side


@dataclass(frozen=True)
class Written:
    """A page and the digit that was written on it."""

    page: Page
    digit: int


@dataclass(frozen=True)
class Result:
    """How one model reads the writer's other pages, and what the gate says of it."""

    name: str
    right: float
    read: float
    wrong_among_read: float
    accuracy: float | None  # on the test part of its data
    verdict: Verdict

    def row(self) -> str:
        """Return the row of a table."""
        tested = "" if self.accuracy is None else f"{self.accuracy:.2%}"
        return (
            f"| {self.name} | {self.right:.1%} | {self.read:.1%} | {self.wrong_among_read:.1%} "
            f"| {tested} |"
        )


def written(part: int, styles: tuple[int, ...] = STYLES) -> Iterator[Written]:
    """Yield what this person writes, one digit after the other; each part has pages of its own."""
    for number in count():
        digit = number % 10
        style = np.random.default_rng([styles[digit], digit])
        strokes = vary_writing(digit_paths(digit, style), style)
        random = np.random.default_rng([SEED, part, number])
        shape = canvas_shape(random)
        size = min(shape) * random.uniform(*SIZE)
        ink = rasterize_paths(strokes, shape, size, random)
        yield Written(np.asarray(scene.scan(ink, random), np.uint8), digit)


def readings_of(onnx: Path, pages: list[Written]) -> Readings:
    """Read pages as a folder of files is read."""
    with tempfile.TemporaryDirectory() as folder:
        return read_kinds(onnx, {"pages": [each.page for each in pages]}, Path(folder))["pages"]


def correct(onnx: Path, kept: Corrections, wanted: int) -> int:
    """Answer what a model reads wrong or puts into review; return how many pages that took."""
    source, looked_at, corrected = written(part=1), 0, 0
    while corrected < wanted:
        pages = list(islice(source, DRAWN_AT_ONCE))
        found = readings_of(onnx, pages)
        for each, digit, read in zip(pages, found.digits, found.read, strict=True):
            looked_at += 1
            unsure = digit >= 0 and not read  # what was rejected comes to nobody
            if corrected < wanted and (unsure or (read and digit != each.digit)):
                facts = AnswerFacts(by="bench", source="the writer", model_digit=int(digit))
                kept.keep(each.page, each.digit, facts)
                corrected += 1
    return looked_at


def result_of(name: str, onnx: Path, others: list[Written], verdict: Verdict) -> Result:
    """Return how a model reads the other pages."""
    found, labels = readings_of(onnx, others), np.array([each.digit for each in others])
    right, read = found.digits == labels, found.read
    wrong = float((read & ~right).sum() / max(1, read.sum()))
    return Result(name, float(right.mean()), float(read.mean()), wrong, None, verdict)


def trained(name: str, settings: TrainSettings, others: list[Written]) -> Result:
    """Train, and return how that model reads the other pages."""
    outcome = train(settings, Console(quiet=True))
    version = Registry(Path(os.environ["DIGITFLOW_HOME"]) / "models").load(outcome.version)
    found = result_of(name, version.onnx, others, version.card.verdict)
    return Result(**{**vars(found), "accuracy": version.accuracy})


def compare(home: Path, settings: TrainSettings, corrections: int, others: int) -> list[Result]:
    """Return how the shipped model, and the recipe without and with corrections, read the writer.

    Args:
        home: of all state; corrections are kept in it.
        settings: of both trainings.
        corrections: how many to answer.
        others: pages of the writer that nobody answered, to read.
    """
    os.environ["DIGITFLOW_HOME"] = str(home)
    shipped, kept = bundled_model(), Corrections(home)
    assert shipped is not None
    looked_at = correct(shipped.onnx, kept, corrections)
    halves = [each.half for each in kept.kept()]
    print(
        f"{len(halves)} of {looked_at} pages were wrong or unsure and are corrected: "
        f"{halves.count(Half.TRAINING)} to learn, {halves.count(Half.ACCEPTANCE)} to judge\n"
    )
    pages = list(islice(written(part=2), others))
    learning = settings.model_copy(update={"with_corrections": True})
    return [
        result_of("the shipped model", shipped.onnx, pages, shipped.card.verdict),
        trained(f"{settings.recipe}, without corrections", settings, pages),
        trained(f"{settings.recipe}, with corrections", learning, pages),
    ]


def main() -> None:
    """Print the table, and what the gate says of the model that learned the corrections."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipe", default="quick", choices=["quick", "standard"])
    parser.add_argument("--corrections", type=int, default=300)
    parser.add_argument("--others", type=int, default=1000)
    asked = parser.parse_args()
    clean = asked.recipe == "quick"  # it knows clean digits alone
    settings = TrainSettings(
        recipe=asked.recipe, device="cpu", promote=False, judge_on="clean" if clean else "all"
    )
    with tempfile.TemporaryDirectory() as home:
        results = compare(Path(home), settings, asked.corrections, asked.others)
    print("| model | right | read | wrong among read | MNIST's test part |")
    print("|---|---|---|---|---|")
    for result in results:
        print(result.row())
    for result in results[1:]:
        print(f"\nGate on {result.name}: {result.verdict.sentence}")
        for check in result.verdict.checks:
            if "acceptance corrections" in check.name:
                print(f"  {check.name}: {check.measured}")


if __name__ == "__main__":
    main()
