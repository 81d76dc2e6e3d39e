"""What is to be on a server: `deployments/prefect.yaml`, and what the settings file says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import yaml

from flows.deploying.settings_file import NEVER, Deployed, Pool, SettingsFile
from flows.deploying.three_way import Leaf
from flows.server.server_process import CODE
from tasks.errors import InputError

DECLARATION = CODE / "deployments" / "prefect.yaml"
# names in the declaration
INBOX, WEEKLY, NIGHTLY, ON_PROMOTION = "inbox", "weekly", "nightly", "on-promotion"
# of a schedule as Prefect keeps it, without whether it is active: that is never declared
CRON = {"timezone": "UTC", "day_or": True}


@dataclass(frozen=True)
class Declared:
    """One deployment: where its flow is, and what people may change on the server."""

    name: str
    entrypoint: str
    facts: dict[str, Any]  # by Prefect's names; tags and schedules by theirs


@dataclass(frozen=True)
class Declaration:
    """All that is to be on a server."""

    pool: Pool
    job_manifest: dict[str, Any]  # what a job of that pool has beside Prefect's own template
    deployments: tuple[Declared, ...]


def declaration(said: SettingsFile) -> Declaration:
    """Return what is declared, with what the settings file says.

    Raises:
        InputError: two deployments have one name.
    """
    whole = yaml.safe_load(DECLARATION.read_text(encoding="utf-8"))
    definitions = whole["definitions"]
    job_variables = dict(definitions["job_variables"][said.pool.type])
    if said.pool.image:
        if "image" not in job_variables:
            raise InputError(f"{said.file}: [pool] image: a pool of type process has none")
        job_variables["image"] = said.pool.image
    where = {"work_pool_name": said.pool.name, "job_variables": job_variables}
    deployments = tuple(_deployments(whole["deployments"], said, where))
    names = [each.name for each in deployments]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{said.file}: [inbox.{name}]: give it another name, this one is taken"
            )
    manifest = definitions["job_manifest"].get(said.pool.type, {})
    return Declaration(said.pool, manifest, deployments)


def digitflow_version() -> str:
    """Return the version of what is deployed."""
    try:
        return version("digitflow")
    except PackageNotFoundError:
        return "a checkout"


def _deployments(
    entries: list[dict[str, Any]], said: SettingsFile, where: dict[str, Any]
) -> Iterator[Declared]:
    for entry in entries:
        usual = _declared(entry, where)
        if usual.name == INBOX and said.inboxes:
            for name, inbox in said.inboxes.items():
                yield _with(replace(usual, name=name), inbox, said.timezone)
        elif usual.name == ON_PROMOTION and said.inboxes:
            for name, inbox in said.inboxes.items():
                again = {**inbox.settings, **usual.facts["parameters"]["settings"]}
                yield _with(_of(name, usual), replace(inbox, settings=again), said.timezone)
        else:
            tables = {WEEKLY: said.train, NIGHTLY: said.maintain}
            yield _with(usual, tables.get(usual.name, Deployed()), said.timezone)


def _of(inbox: str, usual: Declared) -> Declared:
    """Return what runs after a promotion by the name that it has for that inbox."""
    return usual if inbox == INBOX else replace(usual, name=f"{inbox}-{ON_PROMOTION}")


def _declared(entry: dict[str, Any], where: dict[str, Any]) -> Declared:
    limit = dict(entry.get("concurrency_limit", {}))
    return Declared(
        entry["name"],
        entry["entrypoint"],
        {
            "description": entry["description"],
            "tags": dict.fromkeys(entry["tags"], True),
            "parameters": entry.get("parameters", {}),
            "schedules": {
                str(number): Leaf(CRON | each)
                for number, each in enumerate(entry.get("schedules", []), 1)
            },
            **({"concurrency_limit": limit.pop("limit")} if limit else {}),
            "concurrency_options": limit,
            **where,
        },
    )


def _with(usual: Declared, said: Deployed, timezone: str | None) -> Declared:
    """Return a deployment as the file says that it is to be."""
    parameters = dict(usual.facts["parameters"])
    if said.settings:
        parameters["settings"] = {**parameters["settings"], **said.settings}
    schedules: Mapping[str, Leaf] = usual.facts["schedules"]
    if said.when.cron is NEVER:
        schedules = {}
    changes = {"cron": said.when.cron, "timezone": said.when.timezone or timezone}
    given = {name: value for name, value in changes.items() if value}
    schedules = {slug: Leaf({**each, **given}) for slug, each in schedules.items()}
    return replace(usual, facts={**usual.facts, "parameters": parameters, "schedules": schedules})
