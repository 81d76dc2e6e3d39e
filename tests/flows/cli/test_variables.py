"""Settings are variables, too; what is done or confirmed once is said on the command line alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

from flows.cli.main import COMMANDS, command_of
from flows.cli.options import ModelCommand, made
from tasks.errors import InputError
from tasks.inference.model_file import model_in
from tasks.registry.golden import golden_answers
from tasks.registry.registry import Registry
from tests.bars import bar, encoded, save_bar_model
from tests.helpers import register_champion, run
from tests.registry.test_registry import card


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DIGITFLOW_")]:
        if name != "DIGITFLOW_HOME":
            monkeypatch.delenv(name)


# of each setting, by its variable: a value that is not the default
SETTINGS = {
    **{"JSON": "1", "NO_PREFECT": "1", "DEVICE": "cpu", "PORT": "4300"},
    **{"DATA": "digits/", "RECIPE": "quick", "SEED": "7", "PROMOTE": "0"},
    **{"ORIENTATION": "as-given", "MAX_DISAGREEMENT": "0.6"},
    **{"JUDGE_ON": "clean", "SLICES": '{"cells": "cells/"}', "REQUIRE": "improvement"},
    **{"FLOORS": '{"cells": 0.5}', "RECALL_FLOORS": '{"cells": 0.5}'},
    **{"COVERAGE_FLOORS": '{"cells": 0.5}'},
    **{"SLICE_PICTURES": "7", "MIN_SLICE_PICTURES": "7", "MAX_CALIBRATION_ERROR": "0.5"},
    **{"MIN_ACCURACY": "0.5", "MIN_RECALL": "0.5", "MIN_COVERAGE": "0.5", "MIN_REFUSED": "0.5"},
    **{"MAX_DROP": "0.5", "MAX_OVERALL_DROP": "0.5", "MAX_SLICE_DROP": "0.5", "MAX_FLIPS": "0.5"},
    **{"MAX_FILE_MIB": "7", "MAX_MEMORY_MIB": "7", "MIN_SPEED": "7", "MAX_ERROR": "0.5"},
    **{"INCLUDE": '["*.png"]', "EXCLUDE": '["old/"]', "MODEL": "mine", "DECODE_TIMEOUT": "7"},
    **{"BY_CONTENT": "1", "STRICT": "1", "ALLOW_EMPTY": "1", "WORKERS": "7", "HOLD": "1"},
    **{"HOST": "::1", "ORIGIN": '["https://review.example.org"]'},
    **{"AUDIT": "0.5", "TIGHTEN": "1", "RUNNER": "dask", "ADDRESS": "tcp://there:8786"},
    **{"WITH_CORRECTIONS": "1", "APPROVE": "1", "APPROVE_WITHIN_HOURS": "7"},
    **{"KEEP_DAYS": "7", "KEEP_RUNS": "7", "KEEP_MODELS": "7"},
}
# what is said each time or not at all, though somebody sets a variable of that name
ONCE = {
    **{"SOURCE": "in", "OUT": "a.csv", "AGAIN": "1", "RETRY_REJECTED": "truncated", "LIMIT": "7"},
    **{"BY": "month", "RETRY_REVIEW": "1", "FORCE": "1", "PRUNE": "1"},
    **{"RUN": "r", "STATUS": "read", "PATH": "p", "HISTORY": "p", "NO_AUTH": "1"},
    **{"VERSION": "v", "REASON": "blank", "OVERRIDE": "1", "FIRST": "v", "SECOND": "w"},
    **{
        "DRY_RUN": "1",
        "DATA_AT": "digits/",
        "KEEP": "1",
        "EVEN_REFERENCED": "1",
        "FOLDER": "in",
        "NAME": "mine",
        "FLOOR": "0.5",
    },
    **{"PICTURE": "0123abcd", "BY": "ada", "ADD_PERSON": "ada"},
}


def every_command(group: click.Group | None = None) -> Iterator[ModelCommand]:
    """Yield all commands that have a model."""
    if group is None:
        summaries = {name: text for part in COMMANDS.values() for name, (_, text) in part.items()}
        commands = [command_of(name, text) for name, text in summaries.items()]
    else:
        commands = list(group.commands.values())
    for command in commands:
        if isinstance(command, click.Group):
            yield from every_command(command)
        elif isinstance(command, ModelCommand):
            yield command


def test_settings_are_variables_and_what_is_said_once_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**SETTINGS, **ONCE}.items():
        monkeypatch.setenv(f"DIGITFLOW_{name}", value)
    seen = set()
    for command in every_command():
        fields = command.model.model_fields
        names = {at: (field.alias or at).upper() for at, field in fields.items()}
        needed = {at: ONCE[names[at]] for at, field in fields.items() if field.is_required()}
        found = made(command.model, needed)
        for at in fields.keys() - needed:
            taken = getattr(found, at) != fields[at].default
            assert (taken, names[at]) == (names[at] in SETTINGS, names[at]), command.name
        seen |= set(names.values())
    assert seen == SETTINGS.keys() | ONCE.keys()


@pytest.mark.parametrize("command", list(every_command()), ids=lambda command: str(command.name))
def test_what_a_command_needs_is_not_taken_from_variables(
    command: ModelCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ONCE.items():
        monkeypatch.setenv(f"DIGITFLOW_{name}", value)
    for at, field in command.model.model_fields.items():
        name = field.alias or at
        if field.is_required():
            with pytest.raises(InputError, match=f"{name.upper()}|--{name.replace('_', '-')}"):
                made(command.model, {})


def test_a_variable_confirms_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    register_champion(home, save_bar_model(home.with_name("a.onnx"), version="a"), "a")
    registry = Registry(home / "models")
    refused = save_bar_model(home.with_name("refused.onnx"), version="refused")
    golden = golden_answers(model_in(refused), np.stack([bar(digit) for digit in range(10)]))
    content = card("refused", accepted=False).model_copy(update={"golden": golden})
    registry.register(content, refused, refused)
    register_champion(home, save_bar_model(home.with_name("b.onnx"), version="b"), "b")
    for name, value in {
        **{"OVERRIDE": "1", "REASON": "as always", "KEEP": "1", "EVEN_REFERENCED": "1"},
        **{"VERSION": "refused", "FLOOR": "0.1", "NAME": "other", "FOLDER": str(home)},
        # as JSON of a sub-command, which would be merged with its options
        **{"PROMOTE": '{"override": true}', "GC": '{"keep": 1}', "ADD": '{"floor": 0.1}'},
    }.items():
        monkeypatch.setenv(f"DIGITFLOW_{name}", value)
    monkeypatch.setenv("MODELS", '{"promote": {"override": true}, "gc": {"keep": 1}}')
    history = registry.history()
    assert run("models", "promote", "refused", "--reason", "please") == 3
    for words in (
        ("promote", "refused"),
        ("promote",),
        ("rollback",),
        ("gc",),
        ("show",),
        ("accept-history",),
    ):
        assert run("models", *words) == 2, words
    assert run("models") == 0
    assert registry.history() == history

    (home / "mine" / "3").mkdir(parents=True)
    (home / "mine" / "3" / "a.png").write_bytes(encoded(bar(3)))
    assert run("acceptance", "add", str(home / "mine")) == 0
    capfd.readouterr()
    assert run("acceptance", "--json") == 0
    assert '"name": "mine"' in (out := capfd.readouterr().out)
    assert '"floor": 0.8' in out
    assert run("acceptance", "remove", "mine") == 2
