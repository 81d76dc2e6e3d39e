"""Where things lie, and typed settings: one model feeds command line, environment and UI."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tasks.atomic import absolute
from tasks.errors import InputError
from tasks.url_secrets import has_secret

DeviceChoice = Literal["auto", "cpu", "cuda"]
Alert = Literal[
    "failed",
    "late",
    "stuck",
    "refused",
    "rejects",
    "held",
    "audit",
    "approval",
    "promoted",
    "rolled-back",
]

SEEN = "histories"  # folder of the home: what this machine has seen of each history
NO_SECRETS = (
    "a URL with a password, key or signature would be written into results, reports and logs: give "
    "it without, and what lets you in by variables (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
    "for s3://, FSSPEC_HTTP and the like for others) or in fsspec's configuration files"
)


def home() -> Path:
    """Return the folder of all state: `DIGITFLOW_HOME`, by default `~/.digitflow`."""
    return absolute(os.environ.get("DIGITFLOW_HOME") or "~/.digitflow")


def inbox() -> str:
    """Return the folder that schedules read unless they are told another, below the home."""
    return str(home() / "inbox")


def results_table() -> str:
    """Return folder or URL of the results: `DIGITFLOW_RESULTS`, by default below the home."""
    return _place("DIGITFLOW_RESULTS", "results")


def models_place() -> str:
    """Return folder or URL of the model versions: `DIGITFLOW_MODELS`, by default below the home."""
    return _place("DIGITFLOW_MODELS", "models")


def _place(variable: str, name: str) -> str:
    place = os.environ.get(variable) or str(home() / name)
    if has_secret(place):
        raise InputError(f"{variable}: {NO_SECRETS}")
    return place if "://" in place else str(absolute(place))


class CommandLineOnly:
    """Marks an option that says what is done this once: no variable may ask for it, or confirm it.

    A variable stays set, and so would ask again and again for what was meant once.
    """


T = TypeVar("T")
Once = Annotated[T, CommandLineOnly]


class Variables(EnvSettingsSource):
    """The `DIGITFLOW_*` variables of settings; those of actions and confirmations do nothing."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of a variable, None for an option that takes none."""
        if CommandLineOnly in field.metadata:
            return None, field_name, False
        return super().get_field_value(field, field_name)


class WithVariables(BaseSettings):
    """Values given win over `DIGITFLOW_*` variables, those over defaults."""

    model_config = SettingsConfigDict(env_prefix="DIGITFLOW_")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values and variables, and nothing else."""
        return init_settings, Variables(settings_cls)


def _in_the_order_of_the_form(schema: dict[str, Any], settings: type["FlowSettings"]) -> None:
    """Put what a person decides first above the rest, as the form in the Prefect UI shows it."""
    fields = schema["properties"]
    named = [name for name in settings.first_in_form if name in fields]
    order = dict.fromkeys([*named, *fields])
    schema["properties"] = {
        name: fields[name] | {"position": place} for place, name in enumerate(order)
    }


class FlowSettings(WithVariables):
    """What the flows that read or train share."""

    model_config = SettingsConfigDict(
        env_prefix="DIGITFLOW_",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra=_in_the_order_of_the_form,
    )
    first_in_form: ClassVar[tuple[str, ...]] = ()

    device: DeviceChoice = Field(
        "auto", description="Where the network runs; 'cuda' that cannot run is an error."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_secrets(cls, value: Any) -> Any:
        """Refuse them before a run begins: an orchestrator stores its parameters as they are."""
        if has_secret(str(value)):
            raise ValueError(NO_SECRETS)
        return value


class NotifySettings(WithVariables):
    """Who is told when something goes wrong, and of what."""

    model_config = SettingsConfigDict(
        env_prefix="DIGITFLOW_NOTIFY_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    url: SecretStr | None = Field(
        None,
        description="Where to, as Apprise takes it: a Slack or Teams webhook, mailtos://..., "
        "jsons://... for a program of yours. It is kept on the Prefect server, encrypted.",
    )
    on: list[Alert] = Field(
        ["failed", "late", "stuck", "refused", "rejects", "held", "audit", "approval"],
        description="Of what: a run that failed, did not start or does not end, a model that was "
        "refused, promoted or rolled back or waits for approval, a batch with too many rejects, or "
        "that is held, more errors by the audit than are accepted.",
    )
    max_rejected: float = Field(
        0.2, ge=0, le=1, description="Share of rejected pictures in a batch that is too many."
    )

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse what Apprise would not send to; it is said nowhere, for it holds a secret."""
        if not url:
            return url
        from apprise import Apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs what it cannot take
        if not Apprise().add(url.get_secret_value()):
            raise ValueError(
                "Apprise knows no such place; give a webhook of Slack or Teams, mailtos://..., or "
                "jsons://... for a program of yours"
            )
        return url


class MaintainSettings(WithVariables):
    """Settings of the maintain flow: how long what stays."""

    model_config = SettingsConfigDict(
        env_prefix="DIGITFLOW_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    keep_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Days that a run stays: on the Prefect server with its log and artifacts, and "
        "its folder.",
    )
    keep_runs: int = Field(
        50, ge=0, le=200, description="So many of the newest runs of each kind stay, however old."
    )
    keep_models: int = Field(
        10,
        ge=1,
        description="So many of the newest versions stay, beside those that something needs.",
    )
    dry_run: Once[bool] = Field(False, description="Remove nothing, and say what would be removed.")
