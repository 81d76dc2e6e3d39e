"""A champion of an earlier digitflow: who reads instead, what is said, and the way to a new one."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli.doctor import examine
from flows.maintenance.upgrade import trouble_of_reading, upgrade_of
from flows.orchestration import up
from flows.predict import predict
from flows.preview import preview
from flows.terminal.console import Console
from tasks.errors import InputError, ModelError, OutdatedModel
from tasks.registry.registry import Registry
from tasks.results.table import select
from tasks.settings.base import results_table
from tasks.settings.reading import PredictSettings, PreviewSettings
from tasks.training.recipes import RECIPES
from tests.bars import bar, encoded
from tests.flows.maintenance.outdated import make_version, outdated_champion, ship_one
from tests.helpers import run

OLD = "earlier was made for canonical form 3, this digitflow has "


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    for digit in (3, 8):
        (tmp_path / "scans" / f"{digit}.png").write_bytes(encoded(bar(digit)))
    return tmp_path / "scans"


def read(source: Path, **settings: Any) -> Any:
    return predict(PredictSettings(source=str(source), workers=1, **settings), Console(quiet=True))


@pytest.mark.processes
def test_a_champion_of_an_earlier_digitflow_reads_nothing_and_says_what_to_do(
    home: Path, scans: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ship_one(home)
    outdated_champion(home)
    assert run("predict", str(scans), "--no-prefect") == 2
    said = capfd.readouterr().err
    assert OLD in said
    assert "`digitflow models upgrade` trains it again" in said
    assert "`--model champion-or-shipped` reads with the model that ships" in said


@pytest.mark.processes
def test_the_model_that_ships_reads_in_its_place_where_that_was_chosen_and_every_row_says_so(
    home: Path, scans: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ship_one(home)
    outdated_champion(home)
    assert run("predict", str(scans), "--no-prefect", "--model", "champion-or-shipped") == 0
    said = capfd.readouterr().out
    assert "shipped, by CPUExecutionProvider" in said
    assert f"in place of the champion: {OLD}" in said
    rows = select(results_table())
    assert rows["model_version"].to_pylist() == ["shipped"] * 2
    assert rows["instead_of"].to_pylist() == ["earlier"] * 2
    assert rows["status"].to_pylist() == ["read"] * 2
    [folder] = (home / "runs").glob("predict-*")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["model_version"] == "shipped"
    assert summary["instead_of"]["version"] == "earlier"
    assert summary["instead_of"]["why"].startswith(OLD)
    assert f"shipped read in place of the champion: {OLD}" in (folder / "report.html").read_text()


@pytest.mark.processes
def test_a_preview_says_so_too(home: Path, scans: Path) -> None:
    ship_one(home)
    outdated_champion(home)
    settings = PreviewSettings(source=str(scans), model="champion-or-shipped")
    found = preview(settings, Console(quiet=True))
    assert (found.model_version, found.instead_of and found.instead_of[: len(OLD)]) == (
        "shipped",
        OLD,
    )
    assert f"Model shipped, in place of the champion: {OLD}" in Path(found.report).read_text()


@pytest.mark.processes
def test_a_champion_that_reads_or_that_was_changed_is_never_replaced(
    home: Path, scans: Path
) -> None:
    ship_one(home)
    version = make_version(home, "own")
    Registry(home / "models").promote(version, "good", against="shipped", override=True)
    summary = read(scans, model="champion-or-shipped")
    assert (summary.model_version, summary.instead_of) == ("own", None)
    assert select(results_table())["instead_of"].to_pylist() == [None, None]
    version.onnx.write_bytes(b"other")
    with pytest.raises(ModelError, match="is not the file that was registered"):
        read(scans, model="champion-or-shipped", again=True)


@pytest.mark.processes
def test_without_a_model_that_ships_the_champion_refuses_as_ever(home: Path, scans: Path) -> None:
    outdated_champion(home)
    with pytest.raises(OutdatedModel, match=OLD):
        read(scans, model="champion-or-shipped")


def test_the_trouble_is_told_before_a_run_fails(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ship_one(home)
    assert trouble_of_reading() is None
    said: list[tuple[str, str]] = []
    up._say_what_reads(lambda label, text: said.append((label, text)))
    assert said == []
    outdated_champion(home)
    up._say_what_reads(lambda label, text: said.append((label, text)))
    [(label, text)] = said
    assert label == "Model"
    assert text.startswith(f"every reading fails: {OLD}")
    assert "digitflow models upgrade" in text
    [finding] = [each for each in examine() if each.name == "reading"]
    assert (finding.found, finding.good) == (text, False)
    assert finding.advice == "digitflow models upgrade"
    monkeypatch.setenv("DIGITFLOW_MODEL", "champion-or-shipped")
    assert str(trouble_of_reading()).startswith(f"shipped reads in place of the champion: {OLD}")
    monkeypatch.setenv("DIGITFLOW_MODEL", "shipped")
    assert trouble_of_reading() is None


def test_a_damaged_champion_is_told_by_up_and_ends_nothing(home: Path) -> None:
    outdated_champion(home).onnx.write_bytes(b"other")
    said: list[str] = []
    up._say_what_reads(lambda _, text: said.append(text))
    assert "is not the file that was registered" in said[0]


def test_an_upgrade_takes_what_the_card_says_and_names_what_is_not_known_any_more(
    home: Path, tmp_path: Path
) -> None:
    data = tmp_path / "digits.npz"
    data.touch()
    recipe = RECIPES["quick"].to_dict() | {"epochs": 3}
    settings = {
        **{"recipe": "quick", "data": "digits.npz", "seed": 7, "min_accuracy": 0.5},
        **{"promote": False, "require": "miracles", "polish": "brightly"},
    }
    dataset = {"name": "digits", "digest": "e" * 64, "source": str(data)}
    outdated_champion(home, settings=settings, dataset=dataset, recipe=recipe)
    upgrade = upgrade_of("champion", None, {"device": "cpu"})
    taken = upgrade.settings
    assert (taken.data, taken.seed, taken.recipe) == (str(data), 7, "quick")
    assert (taken.min_accuracy, taken.device, taken.promote) == (0.5, "cpu", True)
    assert taken.require == "non-inferiority"
    assert upgrade.unknown == [
        "setting require cannot be miracles any more: non-inferiority by default",
        "setting polish (brightly) is none of this digitflow",
    ]
    assert upgrade.changed == ["quick: epochs was 3, is 8"]
    assert upgrade.why is not None
    assert upgrade.why.startswith(OLD)


def test_data_that_is_gone_is_named_with_what_to_do(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()  # another one, perhaps
    gone = {"name": "digits", "digest": "e" * 64, "source": str(tmp_path / "gone" / "digits")}
    settings = {"recipe": "quick", "data": "digits"}
    outdated_champion(home, settings=settings, dataset=gone)
    message = r"the data of earlier, .*gone/digits, is not there any more: .* with --data-at"
    with pytest.raises(InputError, match=message):
        upgrade_of("champion", None, {})
    upgrade = upgrade_of("champion", str(tmp_path / "digits"), {})
    assert upgrade.settings.data == str(tmp_path / "digits")
    outdated_champion(home, "older", settings={"recipe": "quick"}, dataset=None)
    with pytest.raises(InputError, match="the data of older, is not named in its card"):
        upgrade_of("older", None, {})


def test_what_reads_needs_no_upgrade(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("models", "upgrade") == 2
    assert "the model that ships with digitflow reads" in capfd.readouterr().err
    make_version(home, "own")
    assert run("models", "upgrade", "own", "--json") == 0
    assert json.loads(capfd.readouterr().out) == {"version": "own", "upgraded": False}
    assert run("models", "upgrade", "other") == 2


@pytest.mark.slow
@pytest.mark.training
def test_an_upgrade_trains_judges_and_promotes_in_one_command(
    home: Path, npz_sample: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lenient = {
        **{"recipe": "quick", "device": "cpu", "judge_on": "clean", "min_accuracy": 0.5},
        **{"min_recall": 0.1, "max_calibration_error": 0.2, "max_error": 1, "min_coverage": 0},
        **{"min_speed": 0, "data": str(npz_sample), "seed": 5},
    }
    dataset = {"name": "sample", "digest": "e" * 64, "source": str(npz_sample)}
    outdated_champion(home, settings=lenient, dataset=dataset)
    assert run("models", "upgrade", "--no-prefect") == 0
    said = capfd.readouterr().out
    assert "not what earlier was trained on: snapshot eeeeeeeeeeee then" in said
    champion = Registry(home / "models").champion()
    assert champion is not None
    assert champion.name != "earlier"
    assert champion.card.settings["seed"] == 5
    assert champion.card.verdict.against == "earlier"
    assert not champion.card.verdict.compared
    assert trouble_of_reading() is None
