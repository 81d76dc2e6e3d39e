"""What goes wrong on a real server reaches a real receiver, and the way there stays a secret."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from pydantic import SecretStr, ValidationError

from flows.alerting.alerts import ALERT, apply_alerts, told_of
from flows.alerting.announce import announce_models
from flows.server.credentials import new_login
from flows.terminal.console import Console
from tasks.settings.base import NotifySettings
from tests.flows.server.test_guard import serving
from tests.prefect_api import flows_run_on

pytestmark = [pytest.mark.slow, pytest.mark.server]

SECRET = "tok3n-of-the-webhook"  # noqa: S105 - made up
ARRIVES_S = 120.0
REFUSED = {
    "action": "refuse",
    "version": "v2",
    "actor": "ada",
    "time": "2026-11-28T10:00:00+00:00",
    "reason": "refused: recall of 7 on test part 0.91 < required 0.95; v2 is kept",
}


class Receiver:
    """A program that takes messages, as a webhook does."""

    def __init__(self) -> None:
        """Have nothing yet."""
        self.got: list[dict[str, Any]] = []
        self.code = 200

    @contextmanager
    def running(self) -> Iterator[str]:
        """Listen, and return the URL, which holds a secret."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.got.append(
                    json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                )
                self.send_response(receiver.code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_port}/{SECRET}"
        server.shutdown()

    def wait_for(self, title: str) -> dict[str, Any]:
        """Return the message of that title, once it is there."""
        deadline = time.monotonic() + ARRIVES_S
        while not (found := [each for each in self.got if each["title"] == title]):
            assert time.monotonic() < deadline, self.got
            time.sleep(0.1)
        return found[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPrefectClient]:
    folder = tmp_path_factory.mktemp("alerts") / "prefect"
    with serving(folder, new_login()) as (server, _):
        reached = flows_run_on(server.api_url, server.login)
        with reached, get_client(sync_client=True) as client:
            yield client


@pytest.fixture
def receiver(server: SyncPrefectClient) -> Iterator[Receiver]:
    """Return one whose URL the server was told."""
    receiver = Receiver()
    with receiver.running() as url:
        apply_alerts(NotifySettings(url=SecretStr(url)))
        yield receiver


def test_without_a_place_nobody_is_told_and_with_one_it_is_told_once(
    server: SyncPrefectClient,
) -> None:
    for each in server.request("POST", "/block_documents/filter", json={}).json():  # of others
        server.delete_block_document(each["id"])
    apply_alerts(NotifySettings())
    assert told_of(server) == []
    url = SecretStr("json://127.0.0.1:9/x")
    done = apply_alerts(NotifySettings(url=url))
    usual = ["approval", "audit", "failed", "held", "late", "refused", "rejects", "stuck"]
    assert told_of(server) == usual
    assert set(done.values()) <= {"created", "kept"}
    assert set(apply_alerts(NotifySettings(url=url)).values()) == {"kept"}
    done = apply_alerts(NotifySettings(on=["refused", "promoted"]))  # the place is known there
    assert told_of(server) == ["promoted", "refused"]
    assert done[f"{ALERT}failed"] == "deleted"


def test_a_failed_run_of_a_deployment_arrives_with_what_happened_and_where(
    server: SyncPrefectClient, receiver: Receiver
) -> None:
    flow = server.create_flow_from_name("predict")
    deployment = server.create_deployment(flow, name="inbox", tags=["digitflow"])
    for tags, of in (([], None), (["digitflow"], deployment)):
        made = {"flow_id": str(flow), "deployment_id": of and str(of), "tags": tags}
        run = server.request("POST", "/flow_runs/", json={"name": "inbox: 3 rejected", **made})
        identity = run.json()["id"]
        message = "3 of the pictures are rejected (--strict)"
        state = {"type": "FAILED", "message": message}
        path = {"id": identity}
        asked = {"state": state, "force": True}
        server.request("POST", "/flow_runs/{id}/set_state", path_params=path, json=asked)
    told = receiver.wait_for("digitflow: predict/inbox failed")
    assert told["message"].startswith(f"inbox: 3 rejected\nFailed: {message}\nhttp://127.0.0.1:")
    assert told["message"].endswith(identity)
    assert len(receiver.got) == 1  # of a run without deployment, somebody sees the command


def test_a_refused_model_arrives_and_nothing_shows_the_secret_even_if_it_fails(
    server: SyncPrefectClient, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    receiver.code = 500
    announce_models([REFUSED], Console())
    told = receiver.wait_for("digitflow: a model was refused")
    assert told["message"].startswith(
        "v2 was refused: recall of 7 on test part 0.91 < required 0.95; v2 is kept\nhttp://127."
    )
    assert told["message"].endswith("/artifacts/key/status")

    def events() -> str:
        return str(server.request("POST", "/events/filter", json={"limit": 50}).text)

    deadline = time.monotonic() + ARRIVES_S
    while "Notification failed" not in events():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert SECRET not in events()
    for place in ("artifacts", "automations", "logs", "block_documents"):
        path: Any = f"/{place}/filter"
        assert SECRET not in server.request("POST", path, json={}).text
    for file in tmp_path_factory.getbasetemp().rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def test_a_url_that_nobody_can_be_told_by_is_refused_and_not_repeated(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValidationError, match="Apprise knows no such place") as refused:
        NotifySettings(url=SecretStr(f"https://nobody.test/{SECRET}"))
    assert SECRET not in str(refused.value)
    with pytest.raises(ValidationError) as wrong:
        NotifySettings(url=f"{SECRET}", on=[SECRET])
    assert SECRET not in str(wrong.value)
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err


def test_deployments_of_the_tag_run_after_a_promotion(
    server: SyncPrefectClient, tmp_path: Path
) -> None:
    flow = server.create_flow_from_name("predict")
    again = server.create_deployment(flow, name="again", tags=["digitflow", "on-promotion"])
    apply_alerts(NotifySettings())
    # an event of its own: the server takes none twice
    entries = [{**REFUSED, "version": "v1"}, {**REFUSED, "action": "promote", "version": "v3"}]
    announce_models(entries, Console())
    deadline = time.monotonic() + ARRIVES_S
    wanted = {"deployments": {"id": {"any_": [str(again)]}}}
    while not (runs := server.request("POST", "/flow_runs/filter", json=wanted).json()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(runs) == 1
