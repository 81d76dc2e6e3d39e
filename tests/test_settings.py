"""Values given win over variables, those over defaults, and wrong ones are named."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from tasks.settings.base import home, models_place, results_table
from tasks.settings.reading import InboxSettings, PredictSettings, PreviewSettings
from tasks.settings.training import TrainSettings


def test_a_value_given_wins_over_a_variable_and_that_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert TrainSettings().min_accuracy == 0.985
    monkeypatch.setenv("DIGITFLOW_MIN_ACCURACY", "0.5")
    assert TrainSettings().min_accuracy == 0.5
    assert TrainSettings(min_accuracy=0.7).min_accuracy == 0.7


def test_what_is_asked_for_once_is_asked_for_by_no_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGITFLOW_AGAIN", "1")
    monkeypatch.setenv("DIGITFLOW_RETRY_REJECTED", "truncated")
    monkeypatch.setenv("DIGITFLOW_STRICT", "1")  # a setting: it holds for every run
    found = PredictSettings(source="in")
    assert (found.again, found.retry_rejected, found.strict) == (False, None, True)
    assert PredictSettings(source="in", again=True).again


def test_a_source_is_one_as_in_parameters_that_were_saved_or_several() -> None:
    assert PredictSettings(source="a").source == "a"
    assert PredictSettings(source=["a"]).source == "a"
    assert PredictSettings(source=["a", "b"]).source == ["a", "b"]
    odd = os.fsdecode(b"caf\xe9")
    stored = [PredictSettings(source=source).model_dump_json() for source in (odd, ["a", odd])]
    assert [json.loads(each)["source"] for each in stored] == [r"caf\xe9", ["a", r"caf\xe9"]]
    kinds = PredictSettings.model_json_schema()["properties"]["source"]["anyOf"]
    assert [kind["type"] for kind in kinds] == ["string", "array"]


def test_variables_without_our_prefix_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEVICE", "MODEL", "WORKERS", "OUT", "STRICT", "SOURCE"):
        monkeypatch.setenv(name, "1")
    settings = PredictSettings(source="in")
    assert settings == PredictSettings.model_construct(source="in")


@pytest.mark.parametrize("settings", [TrainSettings, PredictSettings, PreviewSettings])
def test_every_field_is_described(settings: type[BaseSettings]) -> None:
    assert all(field.description for field in settings.model_fields.values())


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (TrainSettings, {"recipe": "unknown"}),
        (TrainSettings, {"device": "tpu"}),
        (TrainSettings, {"seed": -1}),
        (TrainSettings, {"seed": 2**31}),
        (TrainSettings, {"min_accuracy": 1.1}),
        (TrainSettings, {"min_recall": float("nan")}),
        (TrainSettings, {"unheard": 1}),
        (TrainSettings, {"max_calibration_error": float("nan")}),
        (PredictSettings, {"source": "in", "max_error": 0}),
        (PredictSettings, {"source": "in", "max_error": float("nan")}),
        (PreviewSettings, {"source": "in", "limit": 0}),
        (PredictSettings, {"source": "in", "workers": -1}),
        (PredictSettings, {"source": "in", "workers": 257}),
        (PredictSettings, {"source": "in", "retry_rejected": "ok_or_not"}),
        (PredictSettings, {"source": "in", "decode_timeout": 0}),
        (PredictSettings, {"source": "in", "folder": "in"}),
        (PredictSettings, {"source": []}),
        (PredictSettings, {"source": ["in", "s3://KEY:secret@bucket"]}),
        (PredictSettings, {}),
    ],
)
def test_a_wrong_value_is_refused_and_its_field_named(
    settings: type[BaseSettings], values: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match=list(values)[-1] if values else "source"):
        settings(**values)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainSettings().seed = 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/srv/digits", Path("/srv/digits")),
        ("~/digits", Path.home() / "digits"),
        ("digits", Path.cwd() / "digits"),
        ("", Path.home() / ".digitflow"),
    ],
)
def test_home_is_an_absolute_folder_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: Path
) -> None:
    monkeypatch.setenv("DIGITFLOW_HOME", value)
    assert home() == expected


def test_a_schedule_reads_the_inbox_of_the_home_where_it_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFLOW_SOURCE", "/of/no/use")
    assert InboxSettings().source == str(home / "inbox")
    assert InboxSettings(source="scans").source == "scans"
    schema = json.dumps(InboxSettings.model_json_schema())  # what who deploys hands to the server
    assert str(home) not in schema
    assert "required" not in InboxSettings.model_json_schema()
    with pytest.raises(ValidationError, match="no input was named"):
        InboxSettings(source=[])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "{home}/{name}"),
        ("", "{home}/{name}"),
        ("s3://bucket/place", "s3://bucket/place"),
        ("~/place", "{user}/place"),
        ("place", "{here}/place"),
    ],
)
def test_models_and_results_are_below_the_home_or_where_their_variable_says(
    given: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {name: str(tmp_path / name) for name in ("home", "user", "here")}
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(folders["here"])
    monkeypatch.setenv("HOME", folders["user"])
    monkeypatch.setenv("DIGITFLOW_HOME", folders["home"])
    for variable in ("DIGITFLOW_MODELS", "DIGITFLOW_RESULTS"):
        monkeypatch.delenv(variable, raising=False)
        if given is not None:
            monkeypatch.setenv(variable, given)
    assert models_place() == expected.format(name="models", **folders)
    assert results_table() == expected.format(name="results", **folders)


def test_the_form_of_a_flow_begins_with_what_a_person_decides_first() -> None:
    def form(settings: type[BaseSettings]) -> list[str]:
        fields = settings.model_json_schema()["properties"]
        assert [field["position"] for field in fields.values()] == list(range(len(fields)))
        assert set(fields) == set(settings.model_fields)
        return list(fields)

    assert form(TrainSettings)[:4] == ["data", "recipe", "seed", "promote"]
    assert form(TrainSettings)[-1] == "min_speed"
    for reads in (PredictSettings, InboxSettings, PreviewSettings):
        assert form(reads)[:3] == ["source", "model", "max_error"]
