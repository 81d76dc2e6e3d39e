"""A Prefect server that answers its user alone: what `digitflow up` and single commands start.

It is Prefect's own, with the guard in front; by its settings it asks for credentials and CSRF
tokens. Prefect asks itself, too, as host `prefect-in-memory`: inside, past the guard. Beside it
stand the reports of the runs of its home.

For a server of your own: see deployments/README.md.
"""

import os
import socket
import sys
from typing import TYPE_CHECKING

from tasks.processes.parent import end_with_parent
from tasks.settings.base import home

if TYPE_CHECKING:
    from flows.server.guard import Guard


def app() -> "Guard":
    """Return the guarded server for uvicorn; its names are PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS.

    Raises:
        ValueError: the setting names no origins; by Prefect's default everybody's are allowed.
    """
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from flows.server.guard import KEY_VARIABLE, Guard
    from flows.server.reports import Reports

    settings = get_current_settings().server.api
    login = settings.auth_string.get_secret_value() if settings.auth_string else None
    reports, key = Reports(home(), login), os.environ.pop(KEY_VARIABLE, "")
    return Guard(create_app(final=True), settings.cors_allowed_origins.split(","), key, reports)


def main(listening: int) -> None:
    """Serve on a socket that was handed over, until SIGTERM or the end of the parent."""
    end_with_parent()  # at once: loading Prefect takes seconds
    import uvicorn

    os.umask(0o077)  # the database holds what was read, and from where
    with socket.socket(fileno=listening) as own:
        config = uvicorn.Config(app(), log_level="warning", proxy_headers=False)
        uvicorn.Server(config).run(sockets=[own])


if __name__ == "__main__":
    main(int(sys.argv[1]))
