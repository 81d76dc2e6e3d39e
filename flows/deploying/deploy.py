"""Applies what is declared to a Prefect server, and leaves what people have changed there.

What was applied is remembered on that server, as digests in one Prefect variable per deployment:
any machine may deploy the next time. Whether a deployment or schedule is paused is never declared.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import ConcurrencyOptions, DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema

from flows.deploying.declared import CRON, Declaration, Declared, digitflow_version
from flows.deploying.remembered import Remembered
from flows.deploying.settings_file import Pool
from flows.deploying.three_way import (
    MISSING,
    Difference,
    Leaf,
    Merged,
    merged,
    with_changes,
)
from tasks.errors import DigitflowError, InputError

SHOWN = 60  # characters of a value
# what a person sees of a path that is no parameter
WORDS = {
    "concurrency_limit": "runs at a time",
    "concurrency_options/collision_strategy": "a run beyond that",
    "work_pool_name": "work pool",
}

Kind = Literal["as declared", "made", "changed", "kept", "left", "removed"]


@dataclass(frozen=True)
class Note:
    """One line about what is deployed."""

    what: str  # a deployment as `predict/inbox`, or the work pool
    kind: Kind
    text: str = ""

    @property
    def line(self) -> str:
        """Return what it is about, and what was found."""
        return f"{self.what}: {self.text}" if self.text else self.what


@dataclass(frozen=True)
class Applied:
    """What was done, or would be, and what was kept; and when each deployment runs now."""

    notes: list[Note]
    schedules: dict[str, str]


def apply(
    declared: Declaration, *, force: bool = False, prune: bool = False, dry_run: bool = False
) -> Applied:
    """Apply what is declared to the server of Prefect's settings.

    Args:
        declared: what is to be there.
        force: take what is declared also where somebody has changed or removed it.
        prune: remove deployments that were applied before and are declared no more.
        dry_run: change nothing.

    Raises:
        InputError: the work pool is there with another type.
    """
    with get_client(sync_client=True) as client:
        server = _Server(client, force=force, dry_run=dry_run)
        notes = list(server.pool(declared.pool, declared.job_manifest))
        names = []
        for each in declared.deployments:
            flow = _flow(each.entrypoint)
            names.append(f"{flow.name}/{each.name}")
            notes += server.deployment(names[-1], each, flow)
        notes += server.others(names, prune=prune)
        return Applied(notes, {name: when for name in names if (when := server.when(name))})


class _Server:
    """A server, on which things are compared and changed."""

    def __init__(self, client: SyncPrefectClient, *, force: bool, dry_run: bool) -> None:
        self._client, self._force, self._dry_run = client, force, dry_run

    def pool(self, pool: Pool, job_manifest: dict[str, Any]) -> Iterator[Note]:
        """Make the work pool if it is not there; one that is there is its users'."""
        what = f"work pool {pool.name}"
        try:
            there = self._client.read_work_pool(pool.name)
        except ObjectNotFound:
            if not self._dry_run:
                self._make_pool(pool, job_manifest)
            yield Note(what, "made", f"type {pool.type}")
            return
        if there.type != pool.type:
            raise InputError(
                f"the work pool {pool.name} is there with type {there.type}, and {pool.type} is "
                "declared: give another name in digitflow.toml ([pool] name), or that type"
            )
        paused = there.is_paused
        yield Note(what, "kept", "paused there") if paused else Note(what, "as declared")

    def _make_pool(self, pool: Pool, job_manifest: dict[str, Any]) -> None:
        template = deepcopy(self._usual_template(pool.type))
        if job_manifest:
            manifest = template["job_configuration"]["job_manifest"]
            template["job_configuration"]["job_manifest"] = _laid_over(manifest, job_manifest)
        asked = WorkPoolCreate(
            name=pool.name,
            type=pool.type,
            description="Runs of digitflow; any worker of this pool takes them.",
            base_job_template=template,
        )
        try:
            self._client.create_work_pool(asked)
        except ObjectAlreadyExists:
            return  # another machine deploys, too

    def _usual_template(self, pool_type: str) -> dict[str, Any]:
        """Return Prefect's own template of a job of that type, which its server knows."""
        view = {"view": "aggregate-worker-metadata"}
        answer = self._client.request("GET", "/collections/views/{view}", path_params=view)
        for types in answer.json().values():
            if pool_type in types:
                template: dict[str, Any] = types[pool_type]["default_base_job_configuration"]
                return template
        raise DigitflowError(f"this server knows no work pools of type {pool_type}")

    def deployment(self, what: str, declared: Declared, flow: Flow[..., Any]) -> Iterator[Note]:
        """Make a deployment, or bring what nobody has changed of it to what is declared."""
        remembered = Remembered(self._client, what)
        applied = remembered.read()
        ids, before = remembered.schedules, dict(remembered.schedules)
        try:
            there = self._client.read_deployment_by_name(what)
        except ObjectNotFound:
            if applied is not None and not self._force:
                yield Note(what, "kept", "removed there, and stays so")
                return
            if not self._dry_run:
                made = self._client.read_deployment(self._make(declared, flow))
                remembered.schedules = _ids(made, declared.facts["schedules"])
                remembered.write(merged({}, {}, declared.facts, force=True).applied)
            yield Note(what, "made", _when(declared.facts["schedules"]))
            return
        if applied is None:
            ids |= _ids(there, declared.facts["schedules"])
        facts = _facts(there, ids)
        result = merged(applied or {}, facts, declared.facts, force=self._force)
        code = _code(declared, flow)
        newer = {name: value for name, value in code.items() if getattr(there, name) != value}
        if not self._dry_run:
            self._change(there, facts, result, newer, ids)
            if (result.applied, ids) != (applied, before):
                remembered.write(result.applied)
        yield from _notes(what, there, result, newer, ids, known=applied is not None)

    def _make(self, declared: Declared, flow: Flow[..., Any]) -> UUID:
        facts = declared.facts
        return self._client.create_deployment(
            flow_id=self._client.create_flow_from_name(flow.name),
            name=declared.name,
            schedules=[
                DeploymentScheduleCreate(schedule=_schedule(each), active=True)
                for each in facts["schedules"].values()
            ],
            **_update_of(facts, [name for name in facts if name != "schedules"]),
            **_code(declared, flow),
        )

    def _change(
        self,
        there: DeploymentResponse,
        facts: dict[str, Any],
        result: Merged,
        newer: dict[str, Any],
        ids: dict[str, str],
    ) -> None:
        changed = with_changes(facts, result.changes)
        names = {change.path[0] for change in result.changes} - {"schedules"}
        if update := _update_of(changed, sorted(names)) | newer:
            self._client.update_deployment(there.id, DeploymentUpdate(**update))
        for change in result.changes:
            if change.path[0] == "schedules":
                self._change_schedule(there, change, ids)

    def _change_schedule(
        self, there: DeploymentResponse, change: Difference, ids: dict[str, str]
    ) -> None:
        number, declared = change.path[1], change.declared
        found = next((each for each in there.schedules if str(each.id) == ids.get(number)), None)
        if found is None:
            asked = DeploymentScheduleCreate(schedule=_schedule(declared), active=True)
            [made] = self._client.create_deployment_schedules(there.id, [asked])
            ids[number] = str(made.id)
        elif declared is MISSING:
            self._client.delete_deployment_schedule(there.id, found.id)
        else:
            self._client.update_deployment_schedule(
                there.id, found.id, schedule=_schedule(declared)
            )

    def when(self, what: str) -> str | None:
        """Return when a deployment of the server runs, None where it is not there."""
        try:
            there = self._client.read_deployment_by_name(what)
        except ObjectNotFound:
            return None
        if there.paused:
            return "paused"
        active = [shown_value(_as_declared(each)) for each in there.schedules if each.active]
        return "; ".join(active) or "no schedule"

    def others(self, names: Sequence[str], *, prune: bool) -> Iterator[Note]:
        """Name or remove deployments of ours that are declared no more."""
        for remembered in Remembered.all(self._client):
            what = remembered.what
            if what in names:
                continue
            try:
                there = self._client.read_deployment_by_name(what)
            except ObjectNotFound:
                there = None
            if prune and not self._dry_run:
                if there:
                    self._client.delete_deployment(there.id)
                remembered.forget()
            if there and prune:
                yield Note(what, "removed", "declared no more")
            elif there:
                yield Note(what, "left", "declared no more, and still there; --prune removes it")


def _flow(entrypoint: str) -> Flow[..., Any]:
    module, _, name = entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), name)
    return flow


def _code(declared: Declared, flow: Flow[..., Any]) -> dict[str, Any]:
    """Return what is of the code, and no matter of taste."""
    return {
        "entrypoint": declared.entrypoint,
        "version": digitflow_version(),
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
        "enforce_parameter_schema": True,
        "pull_steps": [],  # the code is what is installed where a worker runs
        "path": None,
    }


def _ids(there: DeploymentResponse, declared: dict[str, Leaf]) -> dict[str, str]:
    """Return which schedule of the server is which of those declared, as far as there are any."""
    left, ids = list(there.schedules), {}
    for number, facts in declared.items():
        if left:
            same = [each for each in left if _as_declared(each) == facts] or left
            ids[number] = str(same[0].id)
            left.remove(same[0])
    return ids


def _facts(there: DeploymentResponse, ids: dict[str, str]) -> dict[str, Any]:
    """Return what the server has, as it is declared."""
    schedules = {str(each.id): _as_declared(each) for each in there.schedules}
    limit, options = there.global_concurrency_limit, there.concurrency_options
    facts = {
        "description": there.description,
        "concurrency_limit": limit.limit if limit else None,
        "work_pool_name": there.work_pool_name,
    }
    return {name: value for name, value in facts.items() if value is not None} | {
        "tags": dict.fromkeys(there.tags, True),
        "parameters": there.parameters,
        "schedules": {number: schedules[made] for number, made in ids.items() if made in schedules},
        "concurrency_options": options.model_dump(mode="json", exclude_unset=True)
        if options
        else {},
        "job_variables": there.job_variables,
    }


def _as_declared(schedule: DeploymentSchedule) -> Leaf:
    facts = {
        name: value
        for name, value in schedule.schedule.model_dump(mode="json").items()
        if value is not None
    }
    if schedule.parameters:
        facts["parameters"] = schedule.parameters
    return Leaf((CRON if "cron" in facts else {}) | facts)


def _schedule(facts: Leaf) -> CronSchedule:
    return CronSchedule(**facts)


def _update_of(facts: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return some of the facts as Prefect's client takes them."""
    update = {name: facts.get(name) for name in names}
    if "tags" in update:
        update["tags"] = list(facts["tags"])
    if options := update.get("concurrency_options"):
        update["concurrency_options"] = ConcurrencyOptions(**options)
    return update


def _laid_over(below: Any, above: Any) -> Any:
    """Return nested dictionaries and lists with others laid over them, place by place."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {name: _laid_over(below.get(name), each) for name, each in above.items()}
    if isinstance(below, list) and isinstance(above, list):
        both = [_laid_over(one, other) for one, other in zip(below, above, strict=False)]
        return both + below[len(above) :] + above[len(below) :]
    return above


def _notes(
    what: str,
    there: DeploymentResponse,
    result: Merged,
    newer: dict[str, Any],
    ids: dict[str, str],
    *,
    known: bool,
) -> Iterator[Note]:
    """Yield what was changed of a deployment, and what was kept."""
    who = "changed there" if known else "was there before digitflow deployed"
    if there.paused:
        yield Note(what, "kept", "paused there")
    for each in there.schedules:
        shown = f"schedule {shown_value(_as_declared(each))}"
        if not each.active:
            yield Note(what, "kept", f"{shown}: paused there")
        elif str(each.id) not in ids.values():
            yield Note(what, "kept", f"{shown}: added there")
    for difference in result.differences:
        name, found, want = (
            _named(difference),
            shown_value(difference.there),
            shown_value(difference.declared),
        )
        if not difference.kept:
            yield Note(what, "changed", f"{name}: {found} -> {want}")
        elif difference.there is MISSING:
            yield Note(what, "kept", f"{name}: removed there; declared: {want}")
        else:
            yield Note(what, "kept", f"{name}: {found}, {who}; declared: {want}")
    if newer:
        changed = "version" in newer and f"{there.version} -> {newer['version']}"
        yield Note(what, "changed", f"code: {changed or 'form of its parameters'}")
    elif not result.differences:
        yield Note(what, "as declared", _when(_facts(there, ids)["schedules"]))


def _named(difference: Difference) -> str:
    path = "/".join(difference.path)
    first, *rest = difference.path
    if first == "parameters":
        return ".".join(rest)
    if first == "schedules":
        return "schedule"
    if first == "tags":
        return f"tag {rest[0]}"
    return WORDS.get(path, path)


def _when(schedules: dict[str, Leaf]) -> str:
    return "; ".join(map(shown_value, schedules.values())) or "no schedule"


def shown_value(value: Any) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, Leaf) and "cron" in value:
        return f"{value['cron']} ({value['timezone']})"
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
