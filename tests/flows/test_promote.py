"""`digitflow models`: who serves, why, and the way back, on versions that a training made."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli.main import main
from flows.promote import Answer, follow_answer
from flows.terminal.console import Console
from flows.train import Outcome, train
from tasks.atomic import sha256
from tasks.registry import registry as registry_file
from tasks.registry.card import CardContent
from tasks.registry.registry import Registry
from tasks.settings.reading import PredictSettings
from tasks.settings.training import TrainSettings
from tasks.training.recipes import RECIPES
from tests.bars import bar, encoded, save_bar_model
from tests.helpers import register_champion, run
from tests.mutants import mutant, unchanged

pytestmark = [pytest.mark.slow, pytest.mark.training]

LENIENT: dict[str, Any] = {
    **{"recipe": "quick", "device": "cpu", "judge_on": "clean", "min_accuracy": 0.5},
    **{"min_recall": 0.1, "max_calibration_error": 0.2, "max_error": 1, "min_coverage": 0},
    **{"max_drop": 0.2, "max_overall_drop": 0.2, "min_speed": 0},
}


@pytest.fixture(scope="module")
def trained(
    npz_sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[Outcome]]]:
    """Return a home with three versions: two that were promoted, and one that was refused."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFLOW_HOME", str(folder))
        patch.setattr(registry_file, "READY", folder / "bundled_model")
        outcomes = [
            train(TrainSettings(data=str(npz_sample), **(LENIENT | more)), Console(quiet=True))
            for more in ({}, {"seed": 2}, {"min_accuracy": 1})
        ]
    yield folder, outcomes


@pytest.fixture
def versions(trained: tuple[Path, list[Outcome]], home: Path) -> list[str]:
    """Return the names of three versions in a home that a test may change."""
    shutil.copytree(trained[0], home)
    return [outcome.version for outcome in trained[1]]


def models(*arguments: str) -> int:
    """Run a `digitflow models` command and return its exit code."""
    return run("models", *arguments)


def serving(home: Path) -> str | None:
    champion = Registry(home / "models").champion()
    return champion.name if champion else None


def test_a_version_is_shown_and_compared_with_another(
    versions: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert models("show", versions[1], "--json") == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["champion"]
    assert [entry["action"] for entry in shown["history"]] == ["register", "promote"]
    assert shown["history"][1]["replaced"] == versions[0]
    assert shown["card"]["verdict"]["against"] == versions[0]
    assert models("show", versions[2]) == 0
    words = capfd.readouterr().out
    assert "Refused: accuracy on test part" in words
    assert models("diff", versions[0], versions[1], "--json") == 0
    rows = {row["fact"]: row for row in json.loads(capfd.readouterr().out)}
    assert (rows["settings: seed"][versions[0]], rows["settings: seed"][versions[1]]) == (1, 2)
    assert "metrics: accuracy" in rows
    assert "settings: recipe" not in rows
    assert models("diff", versions[0], versions[0]) == 0
    assert "no difference" in capfd.readouterr().out


def test_a_rollback_is_one_command_with_a_reason(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert models("rollback") == 2
    assert "reason" in capfd.readouterr().err
    assert models("rollback", "--reason", "it reads our sevens as ones") == 0
    assert serving(home) == versions[0]
    assert models("history", "--json") == 0
    last = json.loads(capfd.readouterr().out.split("\n", 1)[1])[-1]
    assert (last["action"], last["reason"]) == ("rollback", "it reads our sevens as ones")
    assert models("rollback", "--reason", "again") == 2
    assert "no earlier version" in capfd.readouterr().err


def test_a_version_that_answers_otherwise_than_its_card_says_does_not_serve_again(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(home / "models")
    first = registry.load(versions[0])
    card = first.card.to_dict()
    onnx = mutant(first.onnx, home / "odd.onnx", unchanged, "odd")
    card["version"], card["verdict"]["sha256"] = "odd", sha256(onnx)
    card["golden"]["probabilities"].reverse()
    odd = registry.register(CardContent.from_dict(card), onnx, first.folder / "model.keras")
    registry.promote(odd, "odd", against=None, override=True)
    registry.promote(first, "better", against=None, override=True)
    assert models("rollback", "--reason", "bad") == 2
    assert "does not answer as its card says" in capfd.readouterr().err
    assert serving(home) == versions[0]
    assert models("verify") == 2
    assert "1 of 4 versions" in capfd.readouterr().err


def test_promoting_what_was_judged_against_another_champion_judges_it_again(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert models("promote", versions[1], "--reason", "x") == 2
    assert "serves already" in capfd.readouterr().err
    assert models("promote", versions[0], "--reason", "our customer asks for it") == 0
    assert "judging it again" in capfd.readouterr().out
    assert serving(home) == versions[0]
    judged, promoted = Registry(home / "models").history()[-2:]
    assert (judged["action"], judged["evidence"]["against"]) == ("judge", versions[1])
    assert promoted["evidence"]["run"].startswith("judge-")
    verdict = json.loads((home / "runs" / promoted["evidence"]["run"] / "verdict.json").read_text())
    assert verdict["accepted"]


def test_an_approval_is_a_promotion_by_its_rules_and_says_who_gave_it(
    versions: list[str], home: Path
) -> None:
    yes, no = Answer(True, "looks right", "Ada"), Answer(False, "odd sevens", "Bob")
    quiet, registry = Console(quiet=True), Registry(home / "models")
    assert follow_answer(versions[0], no, quiet) == "rejected by Bob: odd sevens"
    assert registry.history()[-1]["action"] == "refuse"
    assert "did not pass the gate" in str(follow_answer(versions[2], yes, quiet))
    assert serving(home) == versions[1]
    assert follow_answer(versions[0], yes, quiet) is None  # judged again, against what serves
    assert serving(home) == versions[0]
    assert registry.history()[-1]["reason"] == "approved by Ada: looks right"
    assert follow_answer(versions[0], yes, quiet) is None
    assert "it serves already" in str(follow_answer(versions[0], no, quiet))
    assert serving(home) == versions[0]


def test_a_folder_that_was_registered_since_the_verdict_counts_at_the_promotion(
    versions: list[str], home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        file = tmp_path / "mine" / "3" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(bar(8)))
    assert models("rollback", "--reason", "bad") == 0
    main(["acceptance", "add", str(tmp_path / "mine")])
    assert models("promote", versions[1], "--reason", "better") == 3
    printed = capfd.readouterr()
    assert "on other acceptance sets: judging it again" in printed.out
    assert "accuracy on acceptance mine" in printed.err
    assert serving(home) == versions[0]


def test_what_was_refused_needs_an_override_which_is_seen_wherever_the_model_is(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert models("promote", versions[2], "--reason", "please") == 3
    assert "did not pass the gate" in capfd.readouterr().err
    assert serving(home) == versions[1]
    assert models("promote", versions[2], "--reason", "the old one is broken", "--override") == 0
    assert serving(home) == versions[2]
    capfd.readouterr()
    assert models("list") == 0
    assert models("show", versions[2]) == 0
    assert models("history") == 0
    assert capfd.readouterr().out.count("the old one is broken") == 4
    (home / "scans").mkdir()
    (home / "scans" / "3.png").write_bytes(encoded(bar(3)))
    main(["predict", str(home / "scans"), "--no-prefect", "--max-error", "1"])
    assert "promoted against the gate: the old one is broken" in capfd.readouterr().out


def test_a_champion_that_is_damaged_can_be_seen_left_and_replaced(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / "models" / versions[1] / "model.onnx").write_bytes(b"other")
    assert models("list") == 0
    assert models("promote", versions[0], "--reason", "") == 2
    assert models("promote", versions[0], "--reason", "v2 is damaged") == 3
    assert "is not the file that was registered" in capfd.readouterr().err
    assert models("promote", versions[0], "--reason", "v2 is damaged", "--override") == 0
    assert serving(home) == versions[0]


def test_judging_again_changes_nobody_who_serves(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert models("judge", versions[0], "--judge-on", "clean", "--min-accuracy", "1") == 3
    assert "accuracy on test part" in capfd.readouterr().err
    assert serving(home) == versions[1]
    assert Registry(home / "models").history()[-1]["action"] == "judge"
    shutil.rmtree(home / "datasets")
    assert models("judge", versions[0]) == 2
    assert "the data of" in capfd.readouterr().err


def test_a_version_is_reproduced_from_its_card_weight_by_weight(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert models("reproduce", versions[1], "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["same_weights"]
    assert found["changed"] == []
    assert "every weight is equal" in found["sentence"]
    assert len(Registry(home / "models").versions()) == 3


def test_what_differs_from_its_card_is_not_reproduced(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(home / "models")
    version = registry.load(versions[0])
    card = version.card.to_dict()
    card["version"], card["settings"]["seed"] = "forged", 3
    card["metrics"] |= {"accuracy_low": 0.999, "accuracy_high": 1.0}
    registry.register(CardContent.from_dict(card), version.onnx, version.folder / "model.keras")
    assert models("reproduce", "forged") == 1
    assert "is outside the bounds of the card" in capfd.readouterr().err


def test_a_version_of_an_earlier_recipe_is_told_from_its_successor_by_what_changed(
    versions: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(home / "models")
    version = registry.load(versions[0])
    card = version.card.to_dict() | {"version": "earlier"}
    del card["recipe"]["optimizer"]
    card["recipe"]["turn"] = card["recipe"].pop("rotation_degrees")
    registry.register(CardContent.from_dict(card), version.onnx, version.folder / "model.keras")
    assert models("diff", versions[0], "earlier", "--json") == 0
    facts = [row["fact"] for row in json.loads(capfd.readouterr().out)]
    assert facts == ["recipe: optimizer"]
    assert models("reproduce", "earlier", "--json") == 0
    [changed] = json.loads(capfd.readouterr().out)["changed"]
    assert changed.startswith("optimizer of the recipe: ")
    assert changed.endswith(f"to {RECIPES['quick'].optimizer}")


def test_cleaning_up_spares_who_serves_whom_a_rollback_needs_and_whom_rows_name(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.predict import predict

    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "3.png").write_bytes(encoded(bar(3)))
    for name in ("a", "b", "c", "d", "e"):
        onnx = save_bar_model(tmp_path / f"{name}.onnx", version=name)
        register_champion(home, onnx, name)
        if name in "b":
            predict(
                PredictSettings(source=str(tmp_path / "scans"), again=True), Console(quiet=True)
            )
    assert models("gc", "--keep", "1", "--json") == 0
    done = json.loads(capfd.readouterr().out)
    assert done["removed"] == ["a", "c"]
    assert done["kept"] == {"b": "it read 1 row of the results", "d": "a rollback leads to it"}
    assert models("gc", "--keep", "1", "--even-referenced", "--reason", "disk") == 0
    assert "Removed      b" in capfd.readouterr().out
    last = Registry(home / "models").history()[-1]
    assert (last["action"], last["version"], last["evidence"]) == ("remove", "b", {"rows": 1})
    assert models("rollback", "--reason", "bad") == 0
    assert models("gc", "--keep", "0") == 2


def test_acceptance_folders_are_added_listed_and_removed(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "My Cells" / "3").mkdir(parents=True)
    (tmp_path / "My Cells" / "3" / "a.png").write_bytes(encoded(bar(3)))
    main(["acceptance", "add", str(tmp_path / "My Cells"), "--floor", "0.7"])
    assert "my cells: 1 files" in capfd.readouterr().out
    main(["acceptance", "--json"])
    [row] = json.loads(capfd.readouterr().out)
    assert (row["name"], row["pictures"], row["floor"]) == ("my cells", 1, 0.7)
    main(["acceptance", "remove", "my cells", "--reason", "labels were wrong"])
    main(["acceptance", "list"])
    assert "no folder is registered" in capfd.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["acceptance", "add", str(tmp_path)])
    assert ended.value.code == 2
