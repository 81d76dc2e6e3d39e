"""Judge a model file: draw what it is judged on, read it, read it with what serves, decide."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.engine import Engine
from tasks.data.labelled_folder import checked_name, evaluation_folder
from tasks.data.snapshot import Part, Snapshot
from tasks.device import Device, cpu, reading_device
from tasks.errors import InputError, OutdatedModel
from tasks.gate import checks
from tasks.gate import prediction_changes as flips_file
from tasks.gate.acceptance_sets import AcceptanceSet, acceptance_sets, digests
from tasks.gate.evidence import (
    Answers,
    Batches,
    Evidence,
    Flips,
    ModelFile,
    Opponent,
    Outdated,
    Resources,
    by_slice,
)
from tasks.gate.leakage import data_facts
from tasks.gate.resources import batches, resources
from tasks.gate.slices import NAMED_FLOOR, Slice, SliceFiles, copied, draw_slices, required
from tasks.inference.evaluate_files import answers_of_files
from tasks.inference.model_file import Model, model_in
from tasks.inputs.open import open_inputs
from tasks.metrics.classification import Parity
from tasks.not_measured import NotMeasured, fails_closed
from tasks.registry.registry import Registry, serving
from tasks.registry.version import Version
from tasks.reporting.changes_report import flip_report
from tasks.reporting.document import Report
from tasks.settings import GateSettings, home, models_place, results_table
from tasks.verdict import Verdict

SLICES_FOLDER = "slices"  # in the folder of the run, gone when it is judged
TRIED = 1_000  # pictures to try batches and resources with


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the report on what it would change."""

    verdict: Verdict
    flips: Report
    evidence: Evidence


@dataclass(frozen=True)
class Named:
    """A labelled folder of the user's that a model is judged on."""

    folder: Path
    floor: float
    registered: AcceptanceSet | None = None

    def verified(self) -> Path:
        """Return the folder; what was registered has to be unchanged."""
        return self.registered.verified() if self.registered else self.folder


@dataclass(frozen=True)
class _Drawn:
    """All slices as files below one folder, and why some are missing."""

    root: Path
    slices: list[SliceFiles]
    missing: dict[str, NotMeasured]

    @property
    def paths(self) -> list[str]:
        """Return every file, slice by slice."""
        return [path for one in self.slices for path in one.paths]


def judge(
    name: str,
    onnx: Path,
    snapshot: Snapshot,
    parity: Parity | NotMeasured,
    settings: GateSettings,
    run: Path,
    engine: Engine,
) -> Judgement:
    """Return the verdict on a model file, whatever goes wrong on the way.

    Args:
        name: its version.
        onnx: the file.
        snapshot: its data, whose test part it is judged on.
        parity: of the file and the Keras model that it was made from.
        settings: of the gate.
        run: folder of the run; pictures are drawn in it.
        engine: what runs the stages.

    Raises:
        InputError: the settings name a folder or a slice that there is not.
        ModelError: the file cannot be read.
    """
    named, slices = slices_to_measure(settings)
    candidate = model_in(onnx)
    try:
        drawn = engine.stage(draw, snapshot, named, settings, run / SLICES_FOLDER)
        device = reading_device("cpu" if settings.device == "cpu" else "auto")
        devices = [cpu()] if device.kind == "cpu" else [device, cpu()]
        answers: dict[str, Answers | NotMeasured] = {
            device.kind: engine.stage(read_candidate, candidate, device, drawn, settings.max_error)
            for device in devices
        }
        champion = find_serving()
        opponent = engine.stage(read_serving, champion, devices[0], drawn, settings.max_error)
    finally:
        shutil.rmtree(run / SLICES_FOLDER, ignore_errors=True)
    flips = engine.stage(read_batches_again, champion, candidate, devices[0], settings.max_error)
    evidence = Evidence(
        candidate=ModelFile(name, candidate.sha256),
        slices=slices,
        answers=answers,
        serving=opponent,
        parity=parity,
        batches=engine.stage(try_batches, candidate, devices[0], snapshot),
        resources=engine.stage(try_resources, candidate, snapshot),
        data=engine.stage(fails_closed(data_facts), snapshot),
        flips=flips,
        acceptance=digests(one.registered for one in named.values() if one.registered),
    )
    verdict = engine.stage(checks.judge, evidence, settings)
    return Judgement(verdict, flip_report(flips, name, verdict.against), evidence)


def slices_to_measure(settings: GateSettings) -> tuple[dict[str, Named], list[Slice]]:
    """Return the user's own folders and every slice that has to be measured.

    Raises:
        InputError: the settings name a folder or a slice that there is not.
    """
    for folder in settings.slices.values():
        evaluation_folder(folder)
    named = named_slices(settings)
    return named, required(settings, {name: one.floor for name, one in named.items()})


def named_slices(settings: GateSettings) -> dict[str, Named]:
    """Return the user's own folders with their floors: those named here, and all registered ones.

    Raises:
        InputError: a name cannot be used, or is used twice.
    """
    named = {
        checked_name(name): Named(folder, NAMED_FLOOR) for name, folder in settings.slices.items()
    }
    for one in acceptance_sets().current():
        name = f"acceptance {one.name}"
        if name in named:
            raise InputError(f"slice {name!r} is a registered acceptance set: give another name")
        named[name] = Named(one.folder, one.floor, one)
    return named


@fails_closed
def draw(
    snapshot: Snapshot, named: Mapping[str, Named], settings: GateSettings, root: Path
) -> _Drawn:
    """Write every slice below one folder; a folder of the user's that is wrong is told apart."""
    images, labels = snapshot.part(Part.TEST)
    clean_only = settings.judge_on == "clean"
    slices = draw_slices(images, labels, root, settings.slice_pictures, clean_only=clean_only)
    copies = {
        name: fails_closed(lambda name, one: copied(name, one.verified(), root))(name, one)
        for name, one in named.items()
    }
    missing = {name: copy for name, copy in copies.items() if isinstance(copy, NotMeasured)}
    slices += [copy for copy in copies.values() if not isinstance(copy, NotMeasured)]
    return _Drawn(root, slices, missing)


@fails_closed
def read_candidate(
    candidate: Model, device: Device, drawn: _Drawn | NotMeasured, max_error: float
) -> Answers:
    """Read every slice with the candidate on one device."""
    return _read(candidate, device, drawn, max_error)


def find_serving() -> Version | NotMeasured | None:
    """Return the version that serves, its files verified."""
    return fails_closed(serving)(Registry(models_place()))


@fails_closed
def read_serving(
    champion: Version | NotMeasured | None,
    device: Device,
    drawn: _Drawn | NotMeasured,
    max_error: float,
) -> Opponent | Outdated | None:
    """Read the same pictures with what serves, as of now: old figures prove nothing."""
    if champion is None:
        return None
    if isinstance(champion, NotMeasured):
        raise InputError(champion.reason)
    model = champion.model()
    try:
        answers = _read(model, device, drawn, max_error)
        return Opponent(ModelFile(model.name, model.sha256), answers)
    except OutdatedModel as outdated:
        return Outdated(champion.name, str(outdated))


@fails_closed
def read_batches_again(
    champion: Version | NotMeasured | None, candidate: Model, device: Device, max_error: float
) -> Flips | None:
    """Read the most recent real pictures with both models."""
    runs, files = flips_file.recent_batches(results_table(), home() / "runs")
    if champion is None or not runs:
        return None
    if isinstance(champion, NotMeasured):
        raise InputError(champion.reason)
    try:
        return flips_file.flips(runs, files, champion.model(), candidate, device, max_error)
    except OutdatedModel:
        return None  # it cannot read, so it answers nothing that could change


@fails_closed
def try_batches(candidate: Model, device: Device, snapshot: Snapshot) -> Batches:
    """Answer the same pictures in batches of several sizes."""
    return batches(candidate, device, snapshot.part(Part.TEST)[0][:TRIED], checks.BATCH_SIZES)


@fails_closed
def try_resources(candidate: Model, snapshot: Snapshot) -> Resources:
    """Find out what the file needs."""
    return resources(candidate, snapshot.part(Part.TEST)[0][:TRIED])


def _read(model: Model, device: Device, drawn: _Drawn | NotMeasured, max_error: float) -> Answers:
    if isinstance(drawn, NotMeasured):
        raise InputError(f"the slices were not drawn: {drawn.reason}")
    inputs, paths = open_inputs(str(drawn.root)), [path.encode() for path in drawn.paths]
    answers = answers_of_files(model, device, inputs, paths, max_error)
    return {**by_slice(drawn.slices, answers), **drawn.missing}
