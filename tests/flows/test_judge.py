"""Judging a file from end to end: what serves, the user's own pictures, what would change."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tasks.registry.registry
from flows import judge as judge_file
from flows.judge import Candidate, Judgement, judge
from flows.predict import predict
from flows.terminal.console import Console
from tasks.atomic import sha256
from tasks.corrections.store import Corrections, Half, digest_of, half_of
from tasks.data.snapshot import Part, Snapshot, ingest
from tasks.errors import InputError
from tasks.gate.acceptance_sets import AcceptanceSets
from tasks.gate.steps import named_slices
from tasks.inference.model_file import ONNX_FILE
from tasks.metrics.classification import Parity
from tasks.progress import Advance
from tasks.registry.card import CardContent
from tasks.registry.registry import Registry
from tasks.reporting.document import to_html
from tasks.settings.reading import PredictSettings
from tasks.settings.training import GateSettings
from tests import mutants
from tests.bars import save_bar_model
from tests.helpers import do_once_before, register_champion

pytestmark = pytest.mark.processes

SHIPPED = Path(tasks.registry.registry.__file__).parent / "bundled_model" / ONNX_FILE
PARITY = Parity(1000, [1], same_digits=True, max_difference=0.0)
LENIENT = {
    **{"judge_on": "clean", "min_accuracy": 0.9, "min_recall": 0.5, "min_slice_pictures": 50},
    **{"max_error": 0.01, "min_coverage": 0.5, "device": "cpu", "min_speed": 0},
}
TESTED = 300

Judge = Callable[..., Judgement]


@pytest.fixture(scope="module")
def snapshot(npz_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    with np.load(npz_sample) as arrays:
        few = {name: array[:TESTED] for name, array in arrays.items()}
    folder = tmp_path_factory.mktemp("data")
    np.savez(folder / "few.npz", **few)
    return ingest(str(folder / "few.npz"), folder / "datasets")


@pytest.fixture
def judged(snapshot: Snapshot, home: Path, tmp_path: Path) -> Judge:
    """Return what judges a copy of the shipped model, changed or not."""

    def run(mutate: mutants.Mutate = mutants.unchanged, **settings: object) -> Judgement:
        candidate = mutants.mutant(SHIPPED, tmp_path / "candidate.onnx", mutate)
        chosen = GateSettings.model_validate(LENIENT | settings)
        (tmp_path / "run").mkdir(exist_ok=True)
        given = Candidate("mutant", candidate, snapshot, PARITY)
        return judge(given, chosen, tmp_path / "run", Console(quiet=True))

    return run


@pytest.fixture
def mine(snapshot: Snapshot, tmp_path: Path) -> Path:
    """Return a folder of 40 labelled pictures."""
    folder = tmp_path / "mine"
    for number in range(40):
        file = folder / str(snapshot.labels[number]) / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(snapshot.images[number])).save(file)
    return folder


def findings(judgement: Judgement) -> list[str]:
    return [check.finding for check in judgement.verdict.checks if not check.passed]


def names(judgement: Judgement) -> set[str]:
    return {check.name for check in judgement.verdict.checks}


def test_the_first_model_is_judged_without_a_comparison_and_nothing_is_left_behind(
    judged: Judge, tmp_path: Path
) -> None:
    judgement = judged()
    assert findings(judgement) == []
    assert judgement.verdict.against is None
    assert "No earlier batches" in judgement.changes_report.lead
    assert list((tmp_path / "run").iterdir()) == []


def test_a_verdict_names_the_file_that_was_judged(judged: Judge, tmp_path: Path) -> None:
    assert judged().verdict.sha256 == sha256(tmp_path / "candidate.onnx")


@pytest.mark.parametrize("stage", ["draw", "read_candidate", "try_resources"])
def test_a_verdict_is_on_the_file_as_it_was_read_whatever_lies_there_later(
    snapshot: Snapshot,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    candidate = mutants.mutant(SHIPPED, tmp_path / "candidate.onnx", mutants.unchanged)
    other = mutants.mutant(SHIPPED, tmp_path / "other.onnx", mutants.swapped_labels)
    settings, digest = GateSettings.model_validate(LENIENT), sha256(candidate)
    do_once_before(monkeypatch, judge_file, stage, lambda: shutil.copyfile(other, candidate))
    judgement = judge(Candidate("mutant", candidate, snapshot, PARITY), settings, tmp_path)
    assert (judgement.verdict.accepted, judgement.verdict.sha256) == (True, digest)


def test_what_serves_is_read_again_on_the_same_pictures(judged: Judge, home: Path) -> None:
    register_champion(home, SHIPPED, "serving")
    good = judged()
    assert findings(good) == []
    assert good.verdict.against == "serving"
    assert {"drop on test part", "drop over all slices"} <= names(good)
    swapped = judged(mutants.swapped_labels)
    assert any(finding.startswith("drop on test part") for finding in findings(swapped))


@pytest.mark.slow
def test_a_champion_whose_file_is_damaged_or_gone_is_a_refusal(judged: Judge, home: Path) -> None:
    champion = register_champion(home, SHIPPED, "serving")
    champion.onnx.write_bytes(b"other")
    [finding] = findings(judged())
    assert "model.onnx is not the file that was registered" in finding
    shutil.rmtree(champion.folder)
    [finding] = findings(judged())
    assert finding.startswith("against what serves missing (no model version 'serving'")


def test_a_champion_for_another_canonical_form_serves_nothing_to_compare_with(
    judged: Judge, home: Path, tmp_path: Path, model_file: Path
) -> None:
    version = register_champion(home, model_file, "old")
    old = save_bar_model(tmp_path / "old.onnx", version="old", form="0")
    registry = Registry(home / "models")
    shutil.rmtree(version.folder)
    registry.register(CardContent.from_dict({**version.card.to_dict(), "version": "old"}), old, old)
    judgement = judged()
    assert findings(judgement) == []
    assert judgement.verdict.against == "old"
    [told] = [c.measured for c in judgement.verdict.checks if c.name == "against what serves"]
    assert "was made for canonical form 0" in told


@pytest.mark.slow
def test_a_registered_folder_is_judged_on_from_then_on(
    judged: Judge, home: Path, mine: Path
) -> None:
    assert "accuracy on acceptance mine" not in names(judged())
    sets = AcceptanceSets(home / "acceptance")
    added = sets.add(mine, "mine", 0.75, "my hand")
    assert findings(judged()) == []
    assert "accuracy on acceptance mine" in names(judged())
    sets.add(mine, "mine", 0.95, "stricter than 40 pictures can show")
    [finding] = findings(judged())
    assert re.fullmatch(
        r"accuracy on acceptance mine 0\.\d{4} < 0\.9500, \d+ pictures are missing", finding
    )
    next(added.folder.rglob("*.png")).write_bytes(b"other")
    finding = findings(judged())[0]
    assert finding.startswith("accuracy on acceptance mine missing (acceptance set 'mine'")
    assert "is not what was registered" in finding
    shutil.rmtree(added.folder)
    assert "acceptance mine missing" in findings(judged())[0]


def test_a_named_folder_is_judged_on_this_once(
    judged: Judge, mine: Path, tmp_path: Path, home: Path
) -> None:
    judgement = judged(slices={"cells": mine}, floors={"cells": 0.75})
    assert findings(judgement) == []
    assert "accuracy on cells" in names(judgement)
    with pytest.raises(InputError, match="none is no folder"):
        judged(slices={"cells": tmp_path / "none"})
    with pytest.raises(InputError, match="a floor for 'cels'"):
        judged(slices={"cells": mine}, floors={"cels": 0.9})
    AcceptanceSets(home / "acceptance").add(mine, "mine", 0.8, "")
    with pytest.raises(InputError, match="is a registered acceptance set"):
        named_slices(GateSettings(slices={"acceptance mine": mine}))


def test_what_people_corrected_is_shown_and_decides_nothing_until_it_has_a_floor(
    judged: Judge, home: Path
) -> None:
    kept, random = Corrections(home), np.random.default_rng(3)
    while kept.half(Half.ACCEPTANCE) is None:
        kept.keep(random.integers(0, 256, (20, 20), dtype=np.uint8), 5)
    judgement = judged()
    assert findings(judgement) == []
    assert "accuracy on acceptance corrections" in names(judgement)
    assert judgement.verdict.acceptance == {}
    [finding] = findings(judged(floors={"acceptance corrections": 0.5}))
    assert finding.startswith("accuracy on acceptance corrections missing (1 pictures, at least 20")
    judging = home / "corrections" / "acceptance"
    with pytest.raises(InputError, match="is what people corrected"):
        judged(slices={"acceptance corrections": judging})
    with pytest.raises(InputError, match="give another name"):
        AcceptanceSets(home / "acceptance").add(judging, "corrections", 0, "")


def test_a_correction_that_the_data_holds_judges_no_model_made_from_it(
    judged: Judge, snapshot: Snapshot, home: Path
) -> None:
    kept, told = Corrections(home), "accuracy on acceptance corrections"

    def measured() -> str:
        [check] = [check for check in judged().verdict.checks if check.name == told]
        return check.measured

    images, labels = snapshot.part(Part.TRAIN)
    for image, label in zip(images[:60], labels, strict=False):
        kept.keep(np.array(image), int(label))
    assert measured() == ("unknown (each of them is in the data that the model was trained on)")
    image, label = next(
        (image, label)
        for image, label in zip(*snapshot.part(Part.TEST), strict=True)
        if half_of(digest_of(image)) == Half.ACCEPTANCE
    )
    kept.keep(np.array(image), int(label))
    assert measured().endswith("of 1)")


@pytest.mark.slow
def test_real_pictures_that_were_read_are_read_again_and_a_change_is_shown(
    judged: Judge, home: Path, mine: Path
) -> None:
    register_champion(home, SHIPPED, "serving")
    predict(PredictSettings(source=str(mine), device="cpu"), Console(quiet=True))
    same = judged(max_flips=0.0)
    assert findings(same) == []
    assert "0 of 40 pictures" in same.changes_report.lead
    fours_and_nines = sum(len(list((mine / digit).glob("*"))) for digit in "49")
    swapped = judged(mutants.swapped_labels, max_flips=0.1)
    assert f"{fours_and_nines} of 40 pictures" in swapped.changes_report.lead
    assert any(f.startswith("changed answers on real pictures 0.") for f in findings(swapped))
    page = to_html(swapped.changes_report)
    assert "4 → 9" in page
    assert page.count("data:image/png") == fours_and_nines
    shutil.rmtree(mine)
    gone = judged(max_flips=0.1)
    assert "the files of the last batches are gone" in findings(gone)[0]


def test_the_progress_of_the_gate_goes_up_to_all_that_it_reads(
    judged: Judge, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, list[float]]] = []

    @contextmanager
    def bar(_self: Console, title: str, total: int, unit: str = "") -> Iterator[Advance]:
        told.append((f"{title} {unit}", total, []))
        yield told[-1][2].append

    monkeypatch.setattr(Console, "bar", bar)
    register_champion(home, SHIPPED, "serving")
    judged()
    [(name, total, done)] = told
    assert name == "Gate pictures"
    assert done == sorted(done)
    assert done[-1] == total > 0
    assert total % 2 == 0  # by the candidate and by what serves
