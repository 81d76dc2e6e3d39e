"""Each kind of picture has floors of its own: what breaks accuracy, coverage or error on it shows.

The slices are small here, so the floors are low: what is refused is far off.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tasks.registry.registry
from tasks.device import cpu
from tasks.gate.checks import CHECKS, ERRORS_ON
from tasks.gate.evidence import Answers, Evidence, ModelFile, by_slice
from tasks.gate.slices import KINDS, Slice, SliceFiles, draw_slices, required
from tasks.inference.evaluate_files import answers_of_files
from tasks.inference.model_file import ONNX_FILE, model_in
from tasks.inputs.open import open_inputs
from tasks.not_measured import NotMeasured
from tasks.settings.training import GateSettings
from tests import mutants

pytestmark = [pytest.mark.slow, pytest.mark.processes]

SHIPPED = Path(tasks.registry.registry.__file__).parent / "bundled_model" / ONNX_FILE
OF_EACH = 80
SETTINGS = GateSettings(
    min_slice_pictures=OF_EACH,
    floors=dict.fromkeys(KINDS, 0.55),
    recall_floors=dict.fromkeys(KINDS, 0.0),
    coverage_floors={name: 0.5 * floor for name, floor in KINDS.items()},
)
REQUIRED = [one for one in required(SETTINGS, {}) if one.name in KINDS]


@dataclass(frozen=True)
class World:
    """Small slices of all kinds."""

    root: Path
    slices: list[SliceFiles]

    def failed(self, model: Path) -> set[str]:
        """Return which checks of the kinds a model fails."""
        paths = [path.encode() for one in self.slices for path in one.paths]
        inputs = open_inputs(str(self.root))
        found = answers_of_files(model_in(model), cpu(), inputs, paths, SETTINGS.max_error)
        evidence = _evidence(REQUIRED, by_slice(self.slices, found))
        checks = list(CHECKS["accuracy"](evidence, SETTINGS))
        assert len(checks) == 3 * len(KINDS)
        return {check.name for check in checks if not check.passed}


def _evidence(slices: list[Slice], answers: Answers) -> Evidence:
    nothing = NotMeasured("of no interest here")
    return Evidence(ModelFile("mutant", ""), slices, {"cpu": answers}, None, *[nothing] * 4, None)


@pytest.fixture(scope="module")
def world(npz_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    with np.load(npz_sample) as arrays:
        images, labels = arrays["x_test"], arrays["y_test"].astype(np.int8)
    root = tmp_path_factory.mktemp("kinds")
    drawn = draw_slices(images, labels, root, OF_EACH, clean_only=False)
    return World(root, [one for one in drawn if one.name in KINDS])


def test_the_shipped_model_passes_on_every_kind(world: World) -> None:
    assert world.failed(SHIPPED) == set()


@pytest.mark.parametrize(
    ("mutate", "broken"),
    [
        (mutants.transposed_input, "accuracy on "),
        (mutants.promises_clean_pictures_alone, "coverage of "),
        (mutants.swapped_labels, ERRORS_ON),
    ],
)
def test_what_breaks_a_promise_is_refused_on_every_kind(
    mutate: mutants.Mutate, broken: str, world: World, tmp_path: Path
) -> None:
    found = world.failed(mutants.mutant(SHIPPED, tmp_path / "mutant.onnx", mutate))
    assert {f"{broken}{name}" for name in KINDS} <= found


def test_a_kind_that_is_not_promised_is_as_accurate_as_before_and_fails_for_its_coverage(
    world: World, tmp_path: Path
) -> None:
    mutant = mutants.mutant(
        SHIPPED, tmp_path / "mutant.onnx", mutants.promises_clean_pictures_alone
    )
    found = world.failed(mutant)
    assert found >= {f"coverage of {name}" for name in KINDS}
    assert not {name for name in found if name.startswith("accuracy")}
