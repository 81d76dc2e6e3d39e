"""What every sub-command has: JSON or lines, tables, and settings from `DIGITFLOW_*` variables."""

import json
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from flows.console import Console
from tasks.settings import WithVariables


class Command(WithVariables):
    """What every sub-command has; each setting is also a `DIGITFLOW_*` variable."""

    model_config = SettingsConfigDict(env_prefix="DIGITFLOW_", env_prefix_target="all")

    as_json: bool = Field(False, alias="json", description="Print one JSON value and no lines.")

    def console(self) -> Console:
        """Return what writes to the terminal, or nothing where the answer is JSON."""
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


def print_table(console: Console, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Write rows as a table."""
    console.table(columns, [[_cell(row[column]) for column in columns] for row in rows])


def values_of(settings: type[BaseSettings], command: BaseSettings) -> dict[str, Any]:
    """Return the values of a command that belong to the settings of its flow."""
    return {name: getattr(command, name) for name in settings.model_fields}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)
