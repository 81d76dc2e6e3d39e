"""Judge a model file: draw what it is judged on, read it, read it with what serves, decide."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.terminal.console import Console
from tasks.contracts.verdict import Verdict
from tasks.data.snapshot import Snapshot
from tasks.device import cpu, reading_device
from tasks.gate.acceptance_sets import digests
from tasks.gate.evidence import Answers, Evidence, ModelFile
from tasks.gate.steps import (
    decide,
    draw,
    find_leaks,
    read_candidate,
    read_champion,
    read_recent_again,
    slices_to_measure,
    try_batches,
    try_resources,
)
from tasks.inference.model_file import Model, model_in
from tasks.inference.shard import OnFiles
from tasks.metrics.classification import Parity
from tasks.not_measured import NotMeasured, fails_closed
from tasks.registry.registry import Registry, serving
from tasks.reporting.changes_report import changes_report
from tasks.reporting.document import Report
from tasks.settings.base import models_place
from tasks.settings.training import GateSettings

SLICES_FOLDER = "slices"  # in the folder of the run, gone when it is judged


@dataclass(frozen=True)
class Candidate:
    """A model file that is to be judged."""

    version: str
    onnx: Path
    snapshot: Snapshot  # its data, whose test part it is judged on
    parity: Parity | NotMeasured  # of the file and the Keras model that it was made from


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the report on what it would change."""

    verdict: Verdict
    changes_report: Report
    evidence: Evidence


def judge(
    candidate: Candidate, settings: GateSettings, run: Path, console: Console | None = None
) -> Judgement:
    """Return the verdict on a model file, whatever goes wrong on the way.

    Args:
        candidate: the file.
        settings: of the gate.
        run: folder of the run; pictures are drawn in it.
        console: shows how far it is; by default on the terminal.

    Raises:
        InputError: the settings name a folder or a slice that there is not.
        ModelError: the file cannot be read.
    """
    named, slices = slices_to_measure(settings)
    model, snapshot = model_in(candidate.onnx), candidate.snapshot
    device = reading_device("cpu" if settings.device == "cpu" else "auto")
    devices = [device] if device.kind == "cpu" else [device, cpu()]
    champion = find_champion()
    try:
        drawn = draw(snapshot, named, settings, run / SLICES_FOLDER)
        readings = len(devices) + isinstance(champion, Model)
        pictures = 0 if isinstance(drawn, NotMeasured) else len(drawn.paths)
        with counting_files(console or Console(), readings * pictures) as on_files:
            answers: dict[str, Answers | NotMeasured] = {
                each.kind: read_candidate(model, each, drawn, settings.max_error, on_files)
                for each in devices
            }
            champion_answers = read_champion(champion, device, drawn, settings.max_error, on_files)
    finally:
        shutil.rmtree(run / SLICES_FOLDER, ignore_errors=True)
    changes = read_recent_again(champion, model, device, settings.max_error)
    evidence = Evidence(
        candidate=ModelFile(candidate.version, model.sha256),
        slices=slices,
        answers=answers,
        serving=champion_answers,
        parity=candidate.parity,
        batches=try_batches(model, device, snapshot),
        resources=try_resources(model, snapshot),
        data=find_leaks(snapshot),
        prediction_changes=changes,
        acceptance=digests(each.registered for each in named.values() if each.registered),
    )
    verdict = decide(evidence, settings)
    return Judgement(verdict, changes_report(changes, candidate.version, verdict.against), evidence)


@contextmanager
def counting_files(console: Console, total: int) -> Iterator[OnFiles]:
    """Show how many pictures have been read of all that the gate reads, whichever thread does."""
    done, lock = 0, threading.Lock()
    with console.bar("Gate", total, "pictures") as advance:

        def on_files(files: int, _rejected: int) -> None:
            nonlocal done
            with lock:
                done += files
                advance(done)

        yield on_files


@fails_closed
def find_champion() -> Model | None:
    """Return the model that serves, its files verified."""
    version = serving(Registry(models_place()))
    return version.model() if version else None
