"""`digitflow.toml` in the home: what is to stay as it is set, whatever starts; no Prefect here.

It is read where deployments are applied (`digitflow deploy`, `digitflow up`), and its settings
reach the runs as parameters of their deployment, which the Prefect UI shows.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from tasks.errors import InputError
from tasks.settings.base import MaintainSettings, NotifySettings, home
from tasks.settings.reading import InboxSettings
from tasks.settings.training import TrainSettings

FILE = "digitflow.toml"  # in the home folder
INBOX_NAME = re.compile("[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
PLACES = ("source", "data", "move_to", "rejected_to", "out")
NEVER = False  # as a cron: only when somebody asks

B = TypeVar("B", bound=BaseModel)
S = TypeVar("S", bound=BaseSettings)


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not found, a folder of them, no name of a file
        raise ValueError("no such time zone; give one as Europe/Berlin, or UTC") from None
    return name


def _cron(given: Any) -> Any:
    allowed = "give five fields (minute, hour, day, month, weekday), as '*/5 * * * *', or false"
    if given is NEVER:
        return given
    if not isinstance(given, str) or len(given.split()) != 5:
        raise ValueError(allowed)
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=given)
    except ValidationError:
        raise ValueError(f"no such time; {allowed}") from None
    return given


TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Table(BaseModel):
    """A table of the file: what it may hold, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class When(Table):
    """When a deployment runs; None: as `deployments/prefect.yaml` says."""

    cron: Annotated[str | Literal[False] | None, BeforeValidator(_cron)] = Field(
        None, description="Five fields, as '*/5 * * * *'; false: only when somebody asks."
    )
    timezone: TimeZone | None = Field(None, description="Of the cron, as Europe/Berlin.")


class Pool(Table):
    """Where runs are started."""

    name: str = Field("digitflow", min_length=1, description="Of the work pool.")
    type: Literal["process", "docker", "kubernetes"] = Field(
        "process", description="What its workers start: processes, containers or jobs."
    )
    image: str | None = Field(None, description="Of containers and jobs.")


@dataclass(frozen=True)
class Deployed:
    """What the file says of one deployment: when it runs, and with which settings."""

    when: When = field(default_factory=When)
    settings: Mapping[str, Any] = field(default_factory=dict)  # those that are given, as in JSON


@dataclass(frozen=True)
class SettingsFile:
    """All that the file says; where it says nothing, everything is as ever."""

    file: Path
    timezone: str | None = None  # of every cron that has none of its own
    pool: Pool = field(default_factory=Pool)
    inboxes: Mapping[str, Deployed] = field(default_factory=dict)  # none: one, of the usual name
    train: Deployed = field(default_factory=Deployed)
    maintain: Deployed = field(default_factory=Deployed)
    notify: Mapping[str, Any] = field(default_factory=dict)  # what is given; the URL as a secret


def read_settings_file(file: Path | None = None) -> SettingsFile:
    """Return what the file of the home says, or nothing where there is none.

    Raises:
        InputError: it cannot be read, or a key or value is wrong: which, and what is allowed.
    """
    file = file or home() / FILE
    try:
        said = tomllib.loads(file.read_bytes().decode())
    except (FileNotFoundError, NotADirectoryError):
        return SettingsFile(file)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise InputError(f"{file}: {error}") from None
    return _Reader(file, said).read()


def notify_settings(said: SettingsFile) -> NotifySettings:
    """Return who is told of what: what the file says, else variables, else what is usual.

    Raises:
        InputError: a variable is wrong; its value is not repeated.
    """
    try:
        return NotifySettings(**said.notify)
    except ValidationError as error:  # of the file, all is checked
        detail = error.errors()[0]
        variable = f"DIGITFLOW_NOTIFY_{str(detail['loc'][0]).upper()}"
        raise InputError(f"{variable}: {_words(detail)}") from None
    except SettingsError:
        raise InputError('DIGITFLOW_NOTIFY_ON: give a list, as ["failed", "late"]') from None


class _Reader:
    """Takes the file apart, table by table."""

    def __init__(self, file: Path, said: dict[str, Any]) -> None:
        self._file, self._said = file, said

    def read(self) -> SettingsFile:
        allowed = ("timezone", "pool", "inbox", "train", "maintain", "notify")
        for key in self._said:
            if key not in allowed:
                self._refuse(key, _unknown(key, allowed))
        top = self._checked(When, "", {k: v for k, v in self._said.items() if k == "timezone"})
        inboxes = {}
        for name, table in self._table("inbox").items():
            if not INBOX_NAME.fullmatch(name):
                self._refuse(
                    f"[inbox.{name}]", "give a name of at most 40 of a-z, 0-9 and - between them"
                )
            inboxes[name] = self._deployed(InboxSettings, f"inbox.{name}", table)
        return SettingsFile(
            self._file,
            top.timezone,
            self._checked(Pool, "pool", self._table("pool")),
            inboxes,
            self._deployed(TrainSettings, "train", self._table("train")),
            self._deployed(MaintainSettings, "maintain", self._table("maintain")),
            self._notify(self._table("notify")),
        )

    def _notify(self, table: dict[str, Any]) -> dict[str, Any]:
        told = self._checked(_of_the_file(NotifySettings), "notify", table)
        return told.model_dump(include=set(table))

    def _table(self, name: str) -> dict[str, Any]:
        table = self._said.get(name, {})
        if not isinstance(table, dict):
            self._refuse(name, f"make it a table: [{name}]")
        return table

    def _deployed(self, model: type[BaseSettings], name: str, table: Any) -> Deployed:
        if not isinstance(table, dict):
            self._refuse(name, f"make it a table: [{name}]")
        when = {key: value for key, value in table.items() if key in When.model_fields}
        given = {key: value for key, value in table.items() if key not in when}
        settings = self._checked(_of_the_file(model), name, given, also=tuple(When.model_fields))
        for key in PLACES:
            for place in _listed(given.get(key)):
                if not _same_everywhere(place):
                    self._refuse(
                        f"[{name}] {key} = {place!r}",
                        "a worker may run in any folder: give the whole path, or a URL",
                    )
        return Deployed(
            self._checked(When, name, when), settings.model_dump(mode="json", include=set(given))
        )

    def _checked(
        self, model: type[B], name: str, table: dict[str, Any], also: tuple[str, ...] = ()
    ) -> B:
        try:
            return model(**table)
        except ValidationError as error:
            detail = error.errors()[0]
            key = str(detail["loc"][0])
            where = f"[{name}] {key}" if name else key
            if detail["type"] == "extra_forbidden":
                self._refuse(where, _unknown(key, (*also, *model.model_fields)))
            # of one that may be of several types each is said once
            said = [_words(each) for each in error.errors() if each["loc"][:1] == (key,)]
            self._refuse(where, " or ".join(dict.fromkeys(said)))

    def _refuse(self, where: str, why: str) -> NoReturn:
        raise InputError(f"{self._file}: {where}: {why}")


def _of_the_file(model: type[S]) -> type[S]:
    """Return the model that takes what is given, and no variable of where the file is read."""

    def given_alone(
        *_: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    return type(model.__name__, (model,), {"settings_customise_sources": staticmethod(given_alone)})


def _words(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def _unknown(key: str, allowed: tuple[str, ...]) -> str:
    meant = get_close_matches(key, allowed, 1)
    perhaps = f" (did you mean {meant[0]}?)" if meant else ""
    return f"no such key{perhaps}; allowed: {', '.join(allowed)}"


def _listed(value: Any) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value] if value else [])]


def _same_everywhere(place: str) -> bool:
    """Tell whether a place means the same in every folder."""
    return place == "mnist" or "://" in place or place.lstrip("@").startswith(("/", "~"))
