"""What was applied to a server is remembered on that server, in its Prefect variables."""

import re
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.exceptions import ObjectAlreadyExists

PREFIX = "digitflow_applied_"  # of the names of variables about deployments
TAG = "digitflow"  # of what is ours: variables, automations, deployments, and so their runs


def remember(client: SyncPrefectClient, name: str, value: Any) -> None:
    """Make a variable of the server, or give it another value."""
    try:
        client.create_variable(VariableCreate(name=name, value=value, tags=[TAG]))
    except ObjectAlreadyExists:
        client.update_variable(VariableUpdate(name=name, value=value))


class Remembered:
    """What was applied of one deployment, in a Prefect variable of the server."""

    def __init__(self, client: SyncPrefectClient, what: str) -> None:
        """Begin with nothing; `what` is the deployment, as `predict/inbox`."""
        self._client, self.what = client, what
        self.schedules: dict[str, str] = {}  # by number: the ids of those that are ours
        self._name = PREFIX + re.sub("[^a-z0-9]", "_", what)

    @classmethod
    def all(cls, client: SyncPrefectClient) -> list["Remembered"]:
        """Return all that the server has."""
        asked = {"variables": {"name": {"like_": f"{PREFIX}%"}}}
        found = client.request("POST", "/variables/filter", json=asked).json()
        return [cls(client, each["value"]["deployment"]) for each in found]

    def read(self) -> dict[str, str] | None:
        """Return digests by path; None: nothing was applied before."""
        variable = self._client.read_variable_by_name(self._name)
        if variable is None:
            return None
        value: Any = variable.value
        self.schedules.update(value["schedules"])
        return {str(path): str(digest) for path, digest in value["applied"].items()}

    def write(self, applied: dict[str, str]) -> None:
        """Replace what is remembered."""
        value: dict[str, Any] = {
            "deployment": self.what,
            "applied": applied,
            "schedules": self.schedules,
        }
        remember(self._client, self._name, value)

    def forget(self) -> None:
        """Remove the variable."""
        self._client.delete_variable_by_name(self._name)
