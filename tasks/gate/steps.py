"""The stages of a judgement: draw what a model is judged on, read it, and measure the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.contracts.verdict import Verdict
from tasks.corrections.learned import not_learned
from tasks.corrections.store import Half, corrections
from tasks.data.labelled_folder import LabelledFile, checked_name, evaluation_folder
from tasks.data.snapshot import Part, Snapshot
from tasks.device import Device
from tasks.errors import InputError, OutdatedModel
from tasks.gate import checks, leakage
from tasks.gate import prediction_changes as changes_file
from tasks.gate.acceptance_sets import CORRECTIONS, REGISTERED, AcceptanceSet, acceptance_sets
from tasks.gate.evidence import (
    Answers,
    Batches,
    ChampionAnswers,
    DataFacts,
    Evidence,
    ModelFile,
    Outdated,
    PredictionChanges,
    Resources,
    by_slice,
)
from tasks.gate.resources import batches, resources
from tasks.gate.slices import NAMED_FLOOR, Slice, SliceFiles, copied, draw_slices, required
from tasks.inference.evaluate_files import answers_of_files
from tasks.inference.model_file import Model
from tasks.inference.shard import OnFiles, tell_nobody
from tasks.inputs.open import open_inputs
from tasks.not_measured import NotMeasured, fails_closed
from tasks.settings.base import home, results_table
from tasks.settings.training import GateSettings
from tasks.task import task

CORRECTED = f"{REGISTERED}{CORRECTIONS}"  # slice: the half of what people corrected that judges
TRIED = 1_000  # pictures to try batches and resources with


@dataclass(frozen=True)
class Named:
    """A labelled folder of the user's that a model is judged on."""

    folder: Path
    floor: float
    registered: AcceptanceSet | None = None
    told: bool = False  # only shown, unless the settings give it a floor

    def verified(self) -> Path:
        """Return the folder; what was registered has to be unchanged."""
        return self.registered.verified() if self.registered else self.folder


@dataclass(frozen=True)
class Drawn:
    """All slices as files below one folder, and why some are missing."""

    root: Path
    slices: list[SliceFiles]
    missing: dict[str, NotMeasured]

    @property
    def paths(self) -> list[str]:
        """Return every file, slice by slice."""
        return [path for files in self.slices for path in files.paths]


def slices_to_measure(settings: GateSettings) -> tuple[dict[str, Named], list[Slice]]:
    """Return the user's own folders and every slice that has to be measured.

    Raises:
        InputError: the settings name a folder or a slice that there is not.
    """
    for folder in settings.slices.values():
        evaluation_folder(folder)
    named = named_slices(settings)
    floors = {name: dataset.floor for name, dataset in named.items()}
    told = [name for name, dataset in named.items() if dataset.told]
    return named, required(settings, floors, told)


def named_slices(settings: GateSettings) -> dict[str, Named]:
    """Return the user's own folders with their floors: named here, registered, and corrected.

    Raises:
        InputError: a name cannot be used, or is used twice.
    """
    named = {
        checked_name(name): Named(folder, NAMED_FLOOR) for name, folder in settings.slices.items()
    }
    for dataset in acceptance_sets().current():
        name = f"{REGISTERED}{dataset.name}"
        if name in named:
            raise InputError(f"slice {name!r} is a registered acceptance set: give another name")
        named[name] = Named(dataset.folder, dataset.floor, dataset)
    if judging := corrections().half(Half.ACCEPTANCE):
        if CORRECTED in named:
            raise InputError(
                f"slice {CORRECTED!r} is what people corrected (`digitflow corrections`): give "
                "your folder another name"
            )
        named[CORRECTED] = Named(judging, 0.0, told=True)
    return named


@task(name="gate: draw slices", stage="draw slices")
@fails_closed
def draw(
    snapshot: Snapshot, named: Mapping[str, Named], settings: GateSettings, root: Path
) -> Drawn:
    """Write every slice below one folder; a folder of the user's that is wrong is told apart."""
    images, labels = snapshot.part(Part.TEST)
    clean_only = settings.judge_on == "clean"
    slices = draw_slices(images, labels, root, settings.slice_pictures, clean_only=clean_only)
    copies = {
        name: fails_closed(lambda name, dataset: _copied(name, dataset, snapshot, root))(
            name, dataset
        )
        for name, dataset in named.items()
    }
    missing = {name: copy for name, copy in copies.items() if isinstance(copy, NotMeasured)}
    slices += [copy for copy in copies.values() if not isinstance(copy, NotMeasured)]
    return Drawn(root, slices, missing)


def _copied(name: str, dataset: Named, snapshot: Snapshot, root: Path) -> SliceFiles:
    """Copy a folder of the user's; of what people corrected, what a model was not made from."""
    found = copied(name, dataset.verified(), root)
    if not dataset.told:
        return found
    labels = zip(found.paths, found.labels, strict=True)
    files = [LabelledFile(root / path, int(label)) for path, label in labels]
    fresh = not_learned(root, files, snapshot)
    if not fresh.any():
        raise InputError("each of them is in the data that the model was trained on")
    paths = [path for path, is_fresh in zip(found.paths, fresh, strict=True) if is_fresh]
    return SliceFiles(name, paths, found.labels[fresh], found.sources[fresh])


@task(
    name="gate: read slices",
    task_run_name="gate: read slices with the candidate on {device.kind}",
    stage="read candidate",
)
@fails_closed
def read_candidate(
    candidate: Model,
    device: Device,
    drawn: Drawn | NotMeasured,
    max_error: float,
    on_files: OnFiles = tell_nobody,
) -> Answers:
    """Read every slice with the candidate on one device."""
    return _read(candidate, device, drawn, max_error, on_files)


@task(
    name="gate: read slices",
    task_run_name="gate: read slices with the champion",
    stage="read champion",
)
@fails_closed
def read_champion(
    champion: Model | NotMeasured | None,
    device: Device,
    drawn: Drawn | NotMeasured,
    max_error: float,
    on_files: OnFiles = tell_nobody,
) -> ChampionAnswers | Outdated | None:
    """Read the same pictures with what serves, as of now: old figures prove nothing."""
    if champion is None:
        return None
    if isinstance(champion, NotMeasured):
        raise InputError(champion.reason)
    try:
        answers = _read(champion, device, drawn, max_error, on_files)
        return ChampionAnswers(ModelFile(champion.name, champion.sha256), answers)
    except OutdatedModel as outdated:
        return Outdated(champion.name, str(outdated))


@task(name="gate: read recent pictures again", stage="read recent")
@fails_closed
def read_recent_again(
    champion: Model | NotMeasured | None, candidate: Model, device: Device, max_error: float
) -> PredictionChanges | None:
    """Read the most recent real pictures with both models."""
    runs, files = changes_file.recent_batches(results_table(), home() / "runs")
    if champion is None or not runs:
        return None
    if isinstance(champion, NotMeasured):
        raise InputError(champion.reason)
    try:
        return changes_file.prediction_changes(runs, files, champion, candidate, device, max_error)
    except OutdatedModel:
        return None  # it cannot read, so it answers nothing that could change


@task(name="gate: answer in batches of several sizes", stage="batches")
@fails_closed
def try_batches(candidate: Model, device: Device, snapshot: Snapshot) -> Batches:
    """Answer the same pictures in batches of several sizes."""
    return batches(candidate, device, snapshot.part(Part.TEST)[0][:TRIED], checks.BATCH_SIZES)


@task(name="gate: measure size, memory and speed", stage="resources")
@fails_closed
def try_resources(candidate: Model, snapshot: Snapshot) -> Resources:
    """Find out what the file needs."""
    return resources(candidate, snapshot.part(Part.TEST)[0][:TRIED])


@task(name="gate: look for learned test pictures", stage="leaks")
@fails_closed
def find_leaks(snapshot: Snapshot) -> DataFacts:
    """Find out what training and test part have in common."""
    return leakage.data_facts(snapshot)


@task(name="gate: decide", stage="decide")
def decide(evidence: Evidence, settings: GateSettings) -> Verdict:
    """Return the verdict that the evidence leads to."""
    return checks.judge(evidence, settings)


def _read(
    model: Model,
    device: Device,
    drawn: Drawn | NotMeasured,
    max_error: float,
    on_files: OnFiles,
) -> Answers:
    if isinstance(drawn, NotMeasured):
        raise InputError(f"the slices were not drawn: {drawn.reason}")
    inputs, paths = open_inputs(str(drawn.root)), [path.encode() for path in drawn.paths]
    answers = answers_of_files(model, device, inputs, paths, max_error, on_files)
    return {**by_slice(drawn.slices, answers), **drawn.missing}
