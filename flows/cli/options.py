"""Commands as click has them: a model names, explains and checks options, click parses words."""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from click.shell_completion import CompletionItem
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError

from flows.cli.base import Command
from flows.cli.help_text import CONTEXT, write_note, write_options, write_section
from tasks.errors import InputError
from tasks.settings.base import CommandLineOnly
from tasks.url_secrets import has_secret

FEW = 4  # choices that are shown beside an option; more are listed in its help
# what stands for a value in help, where its type says too little
STANDS_FOR = {
    "address": "URL",
    "data": "DATA",
    "exclude": "PATTERN",
    "history": "PATH",
    "include": "PATTERN",
    "model": "MODEL",
    "out": "FILE",
    "retry_rejected": "[REASON]",
    "slices": "NAME=FOLDER",
}
BY_TYPE = {int: "N", float: "X", dict: "NAME=X"}

C = TypeVar("C", bound=Command)


class ModelCommand(click.Command):
    """A command whose parameters are the fields of its model."""

    def __init__(self, name: str, model: type[Command]) -> None:
        """Make a parameter of each field."""
        self.model = model
        options = (at for at in model.model_fields if at not in model.arguments)
        super().__init__(
            name,
            params=[*map(self._argument, model.arguments), *map(self._option, options)],
            callback=lambda **words: made(model, words).run(),
            help=summary_of(model),
            context_settings=CONTEXT,
        )

    def _argument(self, at: str) -> click.Argument:
        field = self.model.model_fields[at]
        several, required = _has(list, field), field.is_required()
        metavar = (field.alias or at).upper() + ("..." if several else "")
        return click.Argument(
            [at], type=Word(), nargs=-1 if several else 1, required=required, metavar=metavar
        )

    def _option(self, at: str) -> click.Option:
        field = self.model.model_fields[at]
        name, said = option_of(at, field), field.description or ""
        if field.annotation is bool:
            if field.default:
                name, said = f"{name}/--no-{name[2:]}", f"{said} [default: {name}]"
            return click.Option([name, at], is_flag=True, default=None, help=said)
        known = choices_of(field)
        if len(known) > FEW:
            said += f" One of: {', '.join(known)}."
        if (default := _shown_default(field)) is not None:
            said += f" [default: {default}]"
        alone: dict[str, Any] = {"is_flag": False, "flag_value": dict(self.model.alone).get(at)}
        return click.Option(
            [name, at],
            type=Word(known),
            multiple=_has(list, field) or _has(dict, field),
            required=field.is_required(),
            metavar=_metavar(at, field, known),
            help=said,
            **(alone if alone["flag_value"] else {}),
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write arguments and options below their headings."""
        arguments = [
            (param.make_metavar(ctx), self.model.model_fields[str(param.name)].description or "")
            for param in self.params
            if isinstance(param, click.Argument)
        ]
        write_section(formatter, "Arguments", arguments)
        options = {str(param.name): param for param in self.get_params(ctx)}
        for heading, names in self.model.headings:
            records = [options.pop(at).get_help_record(ctx) for at in names]
            write_section(formatter, heading, [record for record in records if record is not None])
        write_options(formatter, ctx, list(options.values()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, and which options are variables, too."""
        write_section(formatter, "Examples", self.model.examples, widest=46)
        fields = self.model.model_fields
        settings = [at for at in fields if is_variable(fields[at]) and at != "as_json"]
        others = [
            option_of(at, fields[at])
            for at in fields
            if not is_variable(fields[at]) and at not in self.model.arguments
        ]
        if settings:
            at = "max_error" if "max_error" in settings else settings[0]
            shown = option_of(at, fields[at])
            but = f"; not so {', '.join(others)}" if others else ""
            write_note(
                formatter, f"Settings are variables, too ({shown}: {variable_of(shown)}){but}."
            )


class ModelGroup(click.Group):
    """Commands of one subject; without one of them, `list` is run."""

    def __init__(self, name: str, summary: str, models: Mapping[str, type[Command]]) -> None:
        """Make a command of each model."""
        commands: dict[str, click.Command] = {
            each: ModelCommand(each, model) for each, model in models.items()
        }
        super().__init__(
            name,
            commands,
            params=commands["list"].params,
            callback=self._list,
            invoke_without_command=True,
            help=summary,
            context_settings=CONTEXT,
        )
        self._models = models

    def _list(self, **words: Any) -> None:
        command = click.get_current_context().invoked_subcommand
        if command is None:
            made(self._models["list"], words).run()
        elif any(words.values()):
            raise click.UsageError(f"options of {self.name} {command} stand behind {command}.")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their order, and the options."""
        rows = [(name, str(command.help)) for name, command in self.commands.items()]
        write_section(formatter, "Commands", rows)
        write_options(formatter, ctx, self.get_params(ctx))


class Word(click.ParamType[str]):
    """Any word, which the model checks; a shell offers the known ones, or files."""

    name = "word"

    def __init__(self, known: Sequence[str] = ()) -> None:
        """Offer these words, or files where there are none."""
        self._known = known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return what may stand here."""
        if not self._known:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(word) for word in self._known if word.startswith(incomplete)]


def summary_of(model: type[Command]) -> str:
    """Return what a command does, in a line."""
    return (model.__doc__ or "").partition("\n")[0]


def option_of(at: str, field: FieldInfo) -> str:
    """Return the name of a field's option."""
    return f"--{(field.alias or at).replace('_', '-')}"


def variable_of(option: str) -> str:
    """Return the variable of an option that is a setting."""
    return f"DIGITFLOW_{option.removeprefix('--').replace('-', '_').upper()}"


def is_variable(field: FieldInfo) -> bool:
    """Tell whether a variable, too, sets a field."""
    return CommandLineOnly not in field.metadata


def choices_of(field: FieldInfo) -> list[str]:
    """Return the words that a field may be, or nothing where there are endless ones."""
    if field.examples:
        return [str(word) for word in field.examples]
    words: list[str] = []
    for kind in _kinds(field.annotation):
        if get_origin(kind) is Literal:
            words += map(str, get_args(kind))
        elif isinstance(kind, type) and issubclass(kind, Enum):
            words += (str(member.value) for member in kind)
        else:
            return []
    return words


def made(model: type[C], words: dict[str, Any]) -> C:
    """Return the command that was asked for.

    Args:
        model: the kind of command.
        words: of each field, as they were given: one, several, True, or None.

    Raises:
        InputError: an option cannot have that value, which is named unless it holds a secret.
    """
    values: dict[str, Any] = {}
    for at, given in words.items():
        field = model.model_fields[at]
        if given is not None and given != ():
            values[field.alias or at] = _pairs(at, field, given) if _has(dict, field) else given
    try:
        return model(**values)
    except ValidationError as error:
        raise InputError("; ".join(_faults(model, error))) from None
    except SettingsError as error:  # of a variable whose value is to be JSON
        raise InputError(f"{error}: give JSON") from None


def _pairs(at: str, field: FieldInfo, words: Iterable[str]) -> dict[str, str]:
    pairs = [word.partition("=")[::2] for word in words]
    for word, (_, value) in zip(words, pairs, strict=True):
        if not value:
            raise InputError(f"{option_of(at, field)} {word}: give {_metavar(at, field, [])}")
    return dict(pairs)


def _faults(model: type[Command], error: ValidationError) -> Iterator[str]:
    """Yield what is wrong with each option; of one that may be of several types, only once."""
    by_alias = {field.alias: at for at, field in model.model_fields.items() if field.alias}
    faults: dict[str, list[str]] = {}
    for detail in error.errors():
        at, *inside = map(str, detail["loc"])
        at = by_alias.get(at, at)
        field, given = model.model_fields[at], str(detail["input"])
        name = (field.alias or at).upper() if at in model.arguments else option_of(at, field)
        word = f"{inside[0]}={given}" if inside and _has(dict, field) else given
        shown = name if has_secret(given) or detail["type"] == "missing" else f"{name} {word}"
        known = choices_of(field)
        chosen = bool(known) and detail["type"] != "value_error"
        message = _among(given, known) if chosen else detail["msg"].removeprefix("Value error, ")
        if message not in (said := faults.setdefault(shown, [])):
            said.append(message)
    return (f"{shown}: {' or '.join(said)}" for shown, said in faults.items())


def _among(given: str, known: Sequence[str]) -> str:
    """Return which words are known, and which one was perhaps meant."""
    meant = get_close_matches(given, known, 1)
    return f"no such word, give one of {', '.join(known)}" + (
        f" (did you mean {meant[0]}?)" if meant else ""
    )


def _kinds(annotation: Any) -> list[Any]:
    """Return the types that a value may have, None apart."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for each in get_args(annotation) for kind in _kinds(each)]
    return [] if annotation is type(None) else [annotation]


def _has(collection: type, field: FieldInfo) -> bool:
    return any(get_origin(kind) is collection for kind in _kinds(field.annotation))


def _metavar(at: str, field: FieldInfo, known: Sequence[str]) -> str:
    if 0 < len(known) <= FEW:
        return "|".join(known)
    kind = _kinds(field.annotation)[0]
    usual = BY_TYPE.get(get_origin(kind) or kind) or at.rpartition("_")[2].upper()
    return STANDS_FOR.get(at, usual)


def _shown_default(field: FieldInfo) -> str | None:
    """Return the default as it would be given, or None where there is nothing to say."""
    if field.is_required() or field.default in (None, "", [], {}):
        return None
    default = field.default
    return f"{default:g}" if isinstance(default, float) else str(default)
