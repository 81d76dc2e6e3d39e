"""What a person looks for in the browser is there: runs, artifacts, reports, in light and dark."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from PIL import Image
from prefect import flow

from flows.artifacts import publish_report, publish_verdict
from flows.server.credentials import new_login
from flows.server.server_process import Server
from tasks.atomic import write_text
from tasks.registry.card import Card
from tasks.reporting.document import Report, to_html
from tasks.reporting.training_report import training_report
from tasks.runs import REPORT_FILE, open_run
from tests import chromium
from tests.bars import bar, encoded
from tests.flows.server.test_guard import serving
from tests.prefect_api import Api, flows_run_on
from tests.reporting.test_training_report import CARD, PICTURES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.skipif(not chromium.installed(), reason="no Chromium on this machine"),
]

READ_S = 200.0
DARK = ["light", "dark"]
WIDEST = """[...document.querySelectorAll('.p-table')].map(
    each => each.scrollWidth - each.clientWidth)"""  # px that are out of sight


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seen") / "home"


@pytest.fixture(scope="module")
def server(home: Path, model_file: Path) -> Iterator[Server]:
    """Return a server on which a folder was read by a command, and a training was reported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFLOW_HOME", str(home))
        with serving(home.with_name("prefect"), new_login()) as (server, _):
            for name, value in server.client_environment().items():
                patch.setenv(name, value)
            command = ["predict", str(pictures_in(home.with_name("scans")))]
            subprocess.run(
                [sys.executable, "-m", "flows.cli.main", *command, "--model", str(model_file)],
                env=dict(os.environ),
                timeout=READ_S,
                check=True,
            )
            report_a_training(server, home)
            yield server


def pictures_in(folder: Path) -> Path:
    """Write ten digits, a file of four empty pages, and one that is no picture."""
    folder.mkdir()
    for digit in range(10):
        (folder / f"{digit}.png").write_bytes(encoded(bar(digit)))
    empty = [Image.new("L", (300, 400), 255) for _ in range(4)]
    empty[0].save(folder / "form.tif", save_all=True, append_images=empty[1:])
    (folder / "notes.txt").write_text("call back on Monday\n")
    return folder


def report_a_training(server: Server, home: Path) -> None:
    """Publish what a training publishes, in a flow run, without training anything."""
    card = Card.from_dict(CARD)
    run = open_run("train", home)
    report = training_report(card, PICTURES)
    write_text(run / REPORT_FILE, to_html(report))
    judgement: Any = SimpleNamespace(
        verdict=card.verdict, changes_report=Report("changes", "Nothing changes.", [])
    )

    @flow(name="train", flow_run_name="train: reported")
    def train() -> None:
        publish_report("training-report", report, run / REPORT_FILE)
        publish_verdict(judgement, card.version)

    with flows_run_on(server.api_url, server.login):
        train()


@pytest.fixture
def page(server: Server) -> Iterator[chromium.Page]:
    """Return a page that has logged in by the form of Prefect's first UI."""
    with chromium.led(server.login) as page:
        page.look(1280, 1000)
        page.open(server.url, "Login")
        page.run(
            "const field = document.querySelector('input[type=password]');"
            f"field.value = '{server.login}';"
            "field.dispatchEvent(new Event('input', {bubbles: true}));"
        )
        page.click("Login")
        page.text("Dashboard")
        assert page.run("location.pathname") == "/dashboard"  # and not /v2
        yield page


def colours(page: chromium.Page, name: str) -> None:
    """Let Prefect's UI and our reports show themselves in light or dark."""
    page.look(1280, 1000, dark=name == "dark")
    page.run(f"localStorage.setItem('color-scheme', '\"{name}\"')")


def brightness(page: chromium.Page) -> float:
    """Return the mean of all pixels in the window: 0 is black, 255 white."""
    picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return float(picture.mean())


def artifact(server: Server, key: str) -> str:
    """Return the address of an artifact in the UI."""
    found = Api(server.api_url, server.login).post("/artifacts/filter", {})
    [only] = [each for each in found if each["key"] == key]
    return f"{server.url}/artifacts/artifact/{only['id']}"


@pytest.mark.parametrize("name", DARK)
def test_a_person_finds_the_batch_its_rejects_and_its_whole_report(
    server: Server, page: chromium.Page, name: str
) -> None:
    colours(page, name)
    came_out = "10 read, 0 for review, 5 rejected"
    page.open(f"{server.url}/runs", came_out)
    [run] = [
        each
        for each in Api(server.api_url, server.login).post("/flow_runs/filter", {})
        if each["name"].endswith(came_out)
    ]
    page.open(f"{server.url}/runs/flow-run/{run['id']}", came_out, "Artifacts")
    page.click("Artifacts")
    page.text("reading-report", "100 % in ")
    page.open(artifact(server, "reading-report"), "Rejected: blank", "form.tif", "0 to 3")
    assert (brightness(page) < 100) == (name == "dark")
    link = page.run(
        "[...document.querySelectorAll('a')].find(each => each.innerText === 'Open"
        " the whole report as a page').href"
    )
    assert urlsplit(link).netloc == f"127.0.0.1:{server.port}"
    page.open(link, "Found 15 pictures in 12 files", "no ink was found")
    assert (brightness(page) < 100) == (name == "dark")
    assert page.run("document.querySelectorAll('image').length") > 10
    assert page.run("location.pathname").startswith("/digitflow/reports/predict-")
    asked = {urlsplit(url).netloc for url in page.asked if url.startswith(("http", "ws"))}
    assert asked == {f"127.0.0.1:{server.port}"}


@pytest.mark.parametrize("width", [1280, 1600])
def test_the_verdict_stands_first_and_fits_the_page(
    server: Server, page: chromium.Page, width: int
) -> None:
    page.look(width, 1000)
    for key in ("verdict", "training-report"):
        seen = page.open(artifact(server, key), "Gate", "What the gate checks", "passed\t")
        verdict = seen.index("\npassed\t")
        assert seen.index("\nGate\n") < verdict < seen.index("\nWhat the gate checks\n")
        assert max(page.run(WIDEST)) <= 0
    assert seen.index("\nGate\n") < seen.index("\nFirst labels\n")


def test_the_second_ui_too_asks_nobody_but_the_server(server: Server, page: chromium.Page) -> None:
    page.open(f"{server.url}/v2/runs", "Runs", "train: reported")
    told = page.run("fetch('https://example.org/').then(() => 'asked', () => 'refused')")
    assert told == "refused"
