"""A good model that was broken on purpose is refused for what was broken, and the good one is not.

The slices are small here, so the floors are low and the margins wide: what is refused is far off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tasks.registry.registry
from tasks.atomic import sha256
from tasks.contracts.verdict import Verdict
from tasks.device import cpu
from tasks.gate.checks import BATCH_SIZES, judge
from tasks.gate.evidence import (
    Answers,
    Batches,
    ChampionAnswers,
    DataFacts,
    Evidence,
    ModelFile,
    Resources,
    by_slice,
)
from tasks.gate.resources import batches
from tasks.gate.slices import DRAWN, NOTHING, TEST, SliceFiles, draw_slices, required
from tasks.inference.evaluate_files import answers_of_files
from tasks.inference.model_file import ONNX_FILE, model_in
from tasks.inference.session import ModelSession
from tasks.inputs.open import open_inputs
from tasks.metrics.classification import Parity
from tasks.not_measured import NotMeasured, fails_closed
from tasks.settings.training import GateSettings
from tests import mutants

pytestmark = [pytest.mark.slow, pytest.mark.processes]

SHIPPED = Path(tasks.registry.registry.__file__).parent / "bundled_model" / ONNX_FILE
TESTED, DRAWN_OF_EACH = 400, 120
JUDGED_ON = (TEST, "scans", "photos", "glass blur", NOTHING)  # to be quick
SETTINGS = GateSettings(
    min_accuracy=0.95,
    min_recall=0.7,
    min_slice_pictures=DRAWN_OF_EACH,
    min_refused=0.8,
    max_error=0.02,
    min_coverage=0.8,
    floors={"scans": 0.65, "photos": 0.6, "glass blur": 0.9},
    recall_floors=dict.fromkeys(DRAWN, 0.0),
    max_drop=0.02,
    max_overall_drop=0.03,
    max_slice_drop=0.2,
)
REQUIRED = [one for one in required(SETTINGS, {}) if one.name in JUDGED_ON]


@dataclass(frozen=True)
class World:
    """Pictures that models are judged on, and how the good model answers them."""

    root: Path
    images: np.ndarray
    labels: np.ndarray
    slices: list[SliceFiles]
    good: Answers

    def read(self, model: Path) -> Answers:
        """Return how a model answers all slices."""
        paths = [path.encode() for one in self.slices for path in one.paths]
        inputs = open_inputs(str(self.root))
        found = answers_of_files(model_in(model), cpu(), inputs, paths, SETTINGS.max_error)
        return by_slice(self.slices, found)

    def judge(self, model: Path, settings: GateSettings = SETTINGS) -> Verdict:
        """Return the verdict on a candidate, with the good model serving and as its Keras."""
        return judge(
            Evidence(
                candidate=ModelFile("mutant", sha256(model)),
                slices=REQUIRED,
                answers={"cpu": fails_closed(self.read)(model)},
                serving=ChampionAnswers(ModelFile("good", sha256(SHIPPED)), self.good),
                parity=fails_closed(self.parity)(model),
                batches=fails_closed(batches)(model_in(model), cpu(), self.images, BATCH_SIZES),
                resources=Resources(model.stat().st_size, 784, 30.0, 10_000.0),
                data=DataFacts("a", "b", 0, TESTED),
                prediction_changes=None,
            ),
            settings,
        )

    def parity(self, model: Path) -> Parity:
        """Return how far a model agrees with the good one."""
        ours, theirs = (
            ModelSession(model_in(file), cpu()).answers(self.images).probabilities
            for file in (model, SHIPPED)
        )
        same = bool((ours.argmax(1) == theirs.argmax(1)).all())
        return Parity(len(self.images), [256], same, float(np.abs(ours - theirs).max()))


@pytest.fixture(scope="module")
def world(npz_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    with np.load(npz_sample) as arrays:
        images, labels = arrays["x_test"][:TESTED], arrays["y_test"][:TESTED].astype(np.int8)
    root = tmp_path_factory.mktemp("slices")
    drawn = draw_slices(images, labels, root, DRAWN_OF_EACH, clean_only=False)
    slices = [one for one in drawn if one.name in JUDGED_ON]
    world = World(root, images, labels, slices, {})
    return World(root, images, labels, slices, world.read(SHIPPED))


def failed(verdict: Verdict) -> set[str]:
    assert not verdict.accepted
    return {check.name for check in verdict.checks if not check.passed}


def test_a_model_that_is_as_good_as_what_serves_is_accepted(world: World, tmp_path: Path) -> None:
    verdict = world.judge(mutants.mutant(SHIPPED, tmp_path / "equal.onnx", mutants.unchanged))
    assert verdict.failures() == ""
    assert verdict.accepted


@pytest.mark.parametrize(
    ("mutate", "reason"),
    [
        (mutants.perturbed_weight, "parity of probabilities"),
        (mutants.transposed_input, "accuracy on test part"),
        (mutants.wrong_scaling, "parity of probabilities"),
        (mutants.swapped_labels, "recall of 4 on test part|recall of 9 on test part"),
        (mutants.everything_is_a_digit, "refusal of no digits"),
        (mutants.answers_by_the_batch, "same digits in batches"),
        (mutants.too_large, "file size, MiB"),
    ],
)
def test_a_broken_model_is_refused_for_its_own_reason(
    mutate: mutants.Mutate, reason: str, world: World, tmp_path: Path
) -> None:
    found = failed(world.judge(mutants.mutant(SHIPPED, tmp_path / "mutant.onnx", mutate)))
    assert found & set(reason.split("|")), found


def test_a_model_that_is_sure_of_everything_is_refused_for_its_errors(
    world: World, tmp_path: Path
) -> None:
    too_sure = mutants.mutant(SHIPPED, tmp_path / "mutant.onnx", mutants.too_sure)
    strict = SETTINGS.model_copy(update={"max_error": 0.01, "max_calibration_error": 0.002})
    found = failed(world.judge(too_sure, strict))
    assert found & {"calibration error", "errors among what is read"}, found


def test_a_larger_file_that_answers_alike_is_refused_for_its_size_alone(
    world: World, tmp_path: Path
) -> None:
    verdict = world.judge(mutants.mutant(SHIPPED, tmp_path / "large.onnx", mutants.too_large))
    assert failed(verdict) == {"file size, MiB"}


def test_a_model_that_knows_the_test_part_by_heart_is_refused_on_scans_and_photos(
    world: World, tmp_path: Path
) -> None:
    by_heart = mutants.learned_by_heart(world.images, world.labels)
    verdict = world.judge(mutants.mutant(SHIPPED, tmp_path / "by_heart.onnx", by_heart))
    found = failed(verdict)
    assert {"accuracy on scans", "accuracy on photos", "refusal of no digits"} <= found
    assert not {name for name in found if name.endswith("on test part")}


def test_a_model_whose_probabilities_are_not_numbers_is_refused_for_that(
    world: World, tmp_path: Path
) -> None:
    verdict = world.judge(mutants.mutant(SHIPPED, tmp_path / "nan.onnx", mutants.nan_weight))
    assert "accuracy on test part" in failed(verdict)
    assert "nan.onnx answers with what are no probabilities" in verdict.failures()


def test_a_model_compared_with_itself_is_refused_for_that_alone(world: World) -> None:
    assert failed(world.judge(SHIPPED)) == {"another model than what serves"}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(SHIPPED.read_bytes()[:9000]), "does not load as an ONNX"),
        (Path.unlink, "cannot be read: No such file"),
    ],
)
def test_a_file_that_does_not_load_is_a_refusal_with_its_reason(
    damage: Callable[[Path], object], why: str, world: World, tmp_path: Path
) -> None:
    file = mutants.mutant(SHIPPED, tmp_path / "damaged.onnx", mutants.unchanged)
    digest = sha256(file)
    damage(file)
    answers = fails_closed(world.read)(file)
    assert isinstance(answers, NotMeasured)
    evidence = Evidence(
        candidate=ModelFile("mutant", digest),
        slices=REQUIRED,
        answers={"cpu": answers},
        serving=None,
        parity=Parity(1, [1], same_digits=True, max_difference=0.0),
        batches=Batches(1, dict.fromkeys(BATCH_SIZES, True)),
        resources=Resources(1, 784, 30.0, 10_000.0),
        data=DataFacts("a", "b", 0, TESTED),
        prediction_changes=None,
    )
    verdict = judge(evidence, SETTINGS)
    assert f"damaged.onnx {why}" in verdict.failures()
