"""Prefect as digitflow wants it: quiet, patient on busy machines, and asking nobody outside.

Each is a default: a variable that the user has set wins. They have to be in the environment
before Prefect is imported, and a server or a worker that is started inherits them.
"""

import os
from pathlib import Path

from tasks.atomic import absolute, make_folder
from tasks.errors import InputError

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # the second UI asks an analytics host whatever is set
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    # relative: a UI on another port would otherwise call port 4200
    "PREFECT_SERVER_UI_API_URL": "/api",
    # 20 seconds by default, too short for the embedded server on a busy machine (#16397)
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # leases in memory are lost with a restart of the server, and their slot with them (#17415)
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "200",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # the terminal shows our own lines; the run's log in the UI has every one of them
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}


THIS_MACHINE = ("127.0.0.1", "localhost")


def set_defaults() -> None:
    """Put the defaults into the environment of this process and of those it starts.

    A proxy is never asked for this machine: it would be told the login of our servers. And Prefect
    never starts a server by itself where it knows of none: that one would answer everybody.

    Raises:
        InputError: Prefect could keep no state, which it tells in many lines and minutes later.
    """
    _require_state()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "false"
    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = dict.fromkeys([*filter(None, direct.split(",")), *THIS_MACHINE])
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(names)


def prefect_home() -> Path:
    """Return the folder in which Prefect keeps its state."""
    return absolute(os.environ.get("PREFECT_HOME") or "~/.prefect")


def _require_state() -> None:
    state = prefect_home()
    try:
        make_folder(state)
        problem = None if os.access(state, os.W_OK) else "not writable"
    except OSError as error:
        problem = str(error.strerror)
    if problem:
        raise InputError(
            f"Prefect keeps its state in {state}, which is no folder for it ({problem}): set "
            "PREFECT_HOME to another, or use --no-prefect"
        )
