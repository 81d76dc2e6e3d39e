"""Where the settings of deployments come from: what is usual, the settings file, a variable."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flows.deploying.declared import INBOX, NIGHTLY, WEEKLY, declaration
from flows.deploying.settings_file import FILE, Deployed, SettingsFile, notify_settings
from tasks.settings.base import CommandLineOnly, MaintainSettings, NotifySettings
from tasks.settings.reading import InboxSettings
from tasks.settings.training import TrainSettings

DEFAULT, FROM_FILE = "default", FILE


@dataclass(frozen=True)
class Setting:
    """One setting of one deployment."""

    table: str  # of the settings file, as `inbox.post`
    name: str
    value: str
    origin: str  # `default`, the settings file, or a variable

    @property
    def line(self) -> str:
        """Return value and origin."""
        return f"{self.value}  ({self.origin})"


def settings_of(said: SettingsFile) -> Iterator[Setting]:
    """Yield when each deployment runs, and every setting that is not left to the flow's default.

    Raises:
        InputError: what the file says cannot be deployed, or a variable of alerts is wrong.
    """
    tables: dict[str, tuple[str, Deployed, type[Any]]] = {
        WEEKLY: ("train", said.train, TrainSettings),
        NIGHTLY: ("maintain", said.maintain, MaintainSettings),
        **{
            name: (f"inbox.{name}", said.inboxes.get(name, Deployed()), InboxSettings)
            for name in said.inboxes or [INBOX]
        },
    }
    for declared in declaration(said).deployments:
        if declared.name not in tables:
            continue
        table, file_says, model = tables[declared.name]
        yield from _when(table, file_says, said.timezone, declared.facts["schedules"])
        given = declared.facts["parameters"]["settings"]
        for name, field in model.model_fields.items():
            variable = f"DIGITFLOW_{name.upper()}"
            if name in given:
                origin = FROM_FILE if name in file_says.settings else DEFAULT
                yield Setting(table, name, str(given[name]), origin)
            elif variable in os.environ and CommandLineOnly not in field.metadata:
                yield Setting(table, name, os.environ[variable], f"variable {variable}")
    yield from _notify(said)


def _notify(said: SettingsFile) -> Iterator[Setting]:
    told = notify_settings(said)
    for name in NotifySettings.model_fields:
        variable = f"DIGITFLOW_NOTIFY_{name.upper()}"
        value = str(getattr(told, name))  # of the URL, stars
        if name in said.notify:
            yield Setting("notify", name, value, FROM_FILE)
        elif variable in os.environ:
            yield Setting("notify", name, value, f"variable {variable}")


def _when(
    table: str, said: Deployed, timezone: str | None, schedules: dict[str, Any]
) -> Iterator[Setting]:
    by_file = said.when.cron is not None
    if not schedules:
        yield Setting(table, "cron", "no schedule", FROM_FILE)
    for schedule in schedules.values():
        yield Setting(table, "cron", schedule["cron"], FROM_FILE if by_file else DEFAULT)
        zoned = said.when.timezone or timezone
        yield Setting(table, "timezone", schedule["timezone"], FROM_FILE if zoned else DEFAULT)
