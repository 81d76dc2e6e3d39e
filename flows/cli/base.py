"""What every sub-command is: a model of its options, which writes JSON or lines."""

import json
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.settings.base import WithVariables

if TYPE_CHECKING:
    from flows.terminal.console import Console

S = TypeVar("S", bound=BaseSettings)


class Command(WithVariables):
    """What every sub-command has; a setting is also a `DIGITFLOW_*` variable."""

    model_config = SettingsConfigDict(env_prefix="DIGITFLOW_", env_prefix_target="all")

    # how a person gives the fields
    arguments: ClassVar[tuple[str, ...]] = ()  # by their place
    alone: ClassVar[tuple[tuple[str, str], ...]] = ()  # without a value, and what that means
    headings: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()  # of the help
    examples: ClassVar[tuple[tuple[str, str], ...]] = ()  # command lines, and what they do

    as_json: bool = Field(False, alias="json", description="Print one JSON value and no lines.")

    @abstractmethod
    def run(self) -> None:
        """Do what the command is for."""

    def settings(self, kind: type[S]) -> S:
        """Return the settings of a flow among the options."""
        return kind(**{name: getattr(self, name) for name in kind.model_fields})

    def console(self) -> "Console":
        """Return what writes to the terminal, or nothing where the answer is JSON."""
        from flows.terminal.console import Console

        return Console(quiet=self.as_json)

    def answer(self, facts: Any) -> None:
        """Print the facts as JSON if that was asked for."""
        if self.as_json:
            print(json.dumps(facts, indent=2))  # noqa: T201 - the answer itself

    def table(
        self, rows: list[dict[str, Any]], nothing: str, columns: list[str] | None = None
    ) -> None:
        """Print rows as JSON or as a table, or say that there are none."""
        self.answer(rows)
        if rows:
            print_table(self.console(), columns or list(rows[0]), rows)
        else:
            self.console().log("", nothing)


def print_table(console: "Console", columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Write rows as a table."""
    console.table(columns, [[_cell(row[column]) for column in columns] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)
