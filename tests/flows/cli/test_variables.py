"""What changes who serves, or deletes something, is asked for on the command line alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic_settings import BaseSettings

from flows.cli.base import Command
from flows.cli.models import Acceptance, Models
from tasks.inference.model_file import model_in
from tasks.registry.golden import golden_answers
from tasks.registry.registry import Registry
from tasks.settings import CommandLineOnly, GateSettings
from tests.bars import bar, encoded, save_bar_model
from tests.helpers import register_champion, run
from tests.registry.test_registry import card


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DIGITFLOW_")]:
        if name != "DIGITFLOW_HOME":
            monkeypatch.delenv(name)


def options(group: type[BaseSettings]) -> Iterator[tuple[str, str, bool]]:
    """Yield each option of each sub-command that is no setting, and whether it is marked."""
    settings = {*Command.model_fields, *GateSettings.model_fields}
    for name, field in group.model_fields.items():
        for kind in field.annotation.__args__ if name not in settings else ():  # type: ignore[union-attr]
            if isinstance(kind, type) and issubclass(kind, BaseSettings):
                for option, of_it in kind.model_fields.items():
                    if option not in settings:
                        yield name, option, CommandLineOnly in of_it.metadata


def test_no_option_of_an_action_is_a_variable() -> None:
    found = [*options(Models), *options(Acceptance)]
    assert len(found) > 15
    assert [option for option in found if not option[2]] == []


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
