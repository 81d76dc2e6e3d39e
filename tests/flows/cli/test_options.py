"""Help is for people: one place for each option, no type of Python's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from flows.cli.commands import Predict, Train
from flows.cli.options import ModelCommand, made
from tasks.errors import InputError
from tests.flows.cli.test_variables import every_command

COMMAND = (sys.executable, "-m", "flows.cli.main")
PYTHONS = re.compile(
    r"\b(str|int|float|bool|dict|list\[|Path|None|null|False|True|[A-Z]+_[A-Z_]+)\b"
)


def help_of(command: click.Command, columns: int = 100) -> str:
    context = click.Context(command, info_name=f"digitflow {command.name}", terminal_width=columns)
    return click.unstyle(command.get_help(context))


@pytest.mark.parametrize("command", list(every_command()), ids=lambda command: str(command.name))
@pytest.mark.parametrize("columns", [80, 100])
def test_help_names_each_option_once_fits_and_has_no_words_of_python(
    command: ModelCommand, columns: int
) -> None:
    text = help_of(command, columns)
    for param in command.params:
        if isinstance(param, click.Option):
            first = ", ".join(param.opts)
            assert len(re.findall(rf"^  {first}\b(?!-)", text, re.MULTILINE)) == 1, first
    options = text.partition("\nOptions:\n")[2].partition("\n\n")[0]
    assert all(line.startswith(("  -", "     ")) for line in options.splitlines())
    assert not PYTHONS.findall(re.sub(r"DIGITFLOW_\w+", "", text))
    assert max(map(len, text.splitlines())) <= columns


def test_the_options_of_the_gate_that_people_use_stand_apart() -> None:
    text = help_of(ModelCommand("train", Train))
    gate, detail = (text.split(f"\n{head}:\n")[1] for head in ("Gate", "Gate, in detail"))
    assert gate.partition("\n\n")[0].count("\n  --") + 1 == 5
    assert detail.partition("\n\n")[0].count("\n  --") + 1 == 17


def test_reasons_are_listed_as_they_are_given() -> None:
    text = help_of(ModelCommand("predict", Predict))
    assert "--retry-rejected [REASON]" in text
    assert "decoder_timeout" in text
    assert "low_confidence" not in text  # nothing is rejected as that


def test_a_switch_that_is_on_shows_what_both_of_its_names_do() -> None:
    text = help_of(ModelCommand("train", Train))
    assert re.search(r"--promote / --no-promote +Whether a model that the gate accepts serv", text)
    promoting = [made(Train, {"promote": given}).promote for given in (None, True, False)]
    assert promoting == [True, True, False]


@pytest.mark.parametrize("command", [each for each in every_command() if each.model.examples])
def test_examples_are_command_lines(command: ModelCommand) -> None:
    for line, _ in command.model.examples:
        program, name, *words = line.split()
        assert (program, name) == ("digitflow", command.name)
        made(command.model, command.make_context(name, words).params)


def test_names_may_begin_with_a_dash_and_have_any_bytes() -> None:
    names = ["-a.png", "--json", "-", os.fsdecode(b"caf\xe9")]
    words = ["--strict", "--", *names]
    found = made(Predict, ModelCommand("predict", Predict).make_context("predict", words).params)
    assert found.source == names
    assert (found.strict, found.as_json) == (True, False)


def test_lists_and_pairs_are_given_one_at_a_time() -> None:
    words = ["in", "--include", "*.png", "--include=a,b", "--exclude", "-x"]
    context = ModelCommand("predict", Predict).make_context("predict", words)
    found = made(Predict, context.params)
    assert (found.include, found.exclude) == (["*.png", "a,b"], ["-x"])
    words = ["--floors", "fog=0.5", "--floors", "a=b=0.25", "--slices", "cells=/a=b"]
    with pytest.raises(InputError, match=r"--floors a=b=0\.25: "):
        made(Train, ModelCommand("train", Train).make_context("train", words).params)
    words = ["--floors", "fog=0.5", "--floors", "glass=0.25", "--slices", "cells=/a=b"]
    trained = made(Train, ModelCommand("train", Train).make_context("train", words).params)
    assert trained.floors == {"fog": 0.5, "glass": 0.25}
    assert trained.slices == {"cells": Path("/a=b")}


def test_the_version_is_that_of_the_package() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"digitflow \d+\.\d+\.\d+\S*\n|digitflow, a checkout .*\n", done.stdout)
