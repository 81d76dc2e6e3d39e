"""A person in a real browser, by keys alone: every answer is kept, whoever else is at work.

`PICTURES_OF_REVIEW` names a folder for pictures of the page, for who wants to look at them.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.results import table as results
from tests import chromium
from tests.flows.review.person import Person, key_for
from tests.flows.review.serving import Serving, serving
from tests.flows.review.waiting_pictures import bars_in, waits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.processes,
    pytest.mark.skipif(not chromium.installed(), reason="no Chromium on this machine"),
]

COUNT = 200
PHONE = (360, 740)
PICTURES = "PICTURES_OF_REVIEW"


@pytest.fixture
def table(home: Path, tmp_path: Path) -> str:
    """Return results in which COUNT bars wait, each taken for the digit that follows it."""
    table = str(home / "results")
    waits(table, tmp_path / "scans", bars_in(tmp_path / "scans", COUNT))
    return table


@pytest.fixture
def server(table: str) -> Iterator[Serving]:
    with serving() as server:
        yield server


def expected(number: int) -> tuple[str, int | None]:
    key = key_for(f"{number}.png")
    others: dict[str, tuple[str, int | None]] = {
        "n": ("not_a_digit", None),
        "m": ("several_digits", None),
    }
    return others.get(key, ("answered", 5 if key in ("Enter", " ") else number % 10))


def answered(table: str) -> dict[str, tuple[str, int | None]]:
    rows = results.select(table).to_pylist()
    return {r["path"]: (r["reason"], r["digit"]) for r in rows if r["answered_by"]}


ALL = {f"{number:04}.png": expected(number) for number in range(COUNT)}


def test_two_hundred_pictures_are_answered_by_keys(server: Serving, table: str) -> None:
    with chromium.led() as page:
        person = Person(page, server)
        while path := person.next():
            person.press(key_for(path))
            person.until(f"document.getElementById('path').textContent !== '{path}' || !shown")
        page.text("All done", "You have answered 200", "20 confirmed", "160 corrected")
        asked = {url.partition("/?")[0] for url in page.asked if url.startswith("http")}
        assert all(url.startswith(server.url.partition("/?")[0]) for url in asked)
        assert page.run("document.title") == "Review"
    server.stop()
    assert answered(table) == ALL


def test_two_people_and_a_server_that_is_killed_lose_no_answer(
    home: Path, server: Serving, table: str
) -> None:
    told = list[str]()
    with chromium.led() as one, chromium.led() as two:
        people = [Person(one, server), Person(two, server)]
        for _ in range(COUNT // 5):
            seen = [person.next() for person in people]
            assert len(set(seen)) == 2
            for person, path in zip(people, seen, strict=True):
                person.press(key_for(path))
            for person, path in zip(people, seen, strict=True):
                person.until(f"document.getElementById('path').textContent !== '{path}'")
                told.append(path)
        server.stop(signal.SIGKILL)
        people[0].press("7")
        one.text("The server does not answer")
    with serving() as again, chromium.led() as one, chromium.led() as two:
        assert answered(table) == {path: ALL[path] for path in told}
        people = [Person(one, again), Person(two, again)]
        left = COUNT - len(told)
        while left:
            for person in people:
                if path := person.next():
                    person.press(key_for(path))
                    gone = f"document.getElementById('path').textContent !== '{path}'"
                    person.until(f"{gone} || !document.getElementById('done').hidden")
                    told.append(path)
                    left -= 1
        again.stop()
    assert sorted(told) == sorted(ALL)  # nobody has answered what another has
    assert answered(table) == ALL


def test_a_person_undoes_skips_and_chooses_by_keys(server: Serving, table: str) -> None:
    with chromium.led() as page:
        person = Person(page, server)
        first = person.next()
        person.press("7")
        person.until("state.answered === 1")
        assert person.next() != first
        person.press("Backspace")
        person.until("state.answered === 0")
        assert person.next() == first
        assert "Undone" in page.text("Undone.")
        person.press("s")
        person.until(f"document.getElementById('path').textContent !== '{first}'")
        for key in ("x", "F5", "Escape"):
            person.press(key)
        second = person.next()
        # keys of a filter are its own
        page.run("document.getElementById('filters').open = true")
        person.until("document.getElementById('reason').options.length > 1")
        page.run("document.getElementById('reason').focus()")
        person.press("7")
        time.sleep(0.3)
        assert person.next() == second
        assert page.run("state.answered") == 0
        # a key that is held down is one answer
        page.run("document.activeElement.blur()")
        page.run(
            "['a', 'b'].forEach(() => document.dispatchEvent("
            "new KeyboardEvent('keydown', {key: '5', repeat: true, bubbles: true})))"
        )
        time.sleep(0.3)
        assert page.run("state.answered") == 0
        server.stop()
    assert answered(table) == {}


def test_what_cannot_be_shown_is_told_and_can_only_be_skipped(
    server: Serving, tmp_path: Path
) -> None:
    (tmp_path / "scans" / "0000.png").unlink()
    with chromium.led() as page:
        page.open(server.url, "It cannot be shown")
        person = Person(page, server)
        page.text("so it can only be skipped")
        person.press("7")
        person.press("Enter")
        time.sleep(0.3)
        assert page.run("state.answered") == 0
        person.press("s")
        assert person.next() == "0001.png"


NAMED = """[...document.querySelectorAll('button, select, a, input, img')]
    .filter(each => each.offsetParent)
    .filter(each => !(each.innerText || each.alt || each.labels?.length)).length"""
SMALLEST = """Math.min(...[...document.querySelectorAll('#keys button')]
    .map(each => Math.min(each.offsetHeight, each.offsetWidth)))"""
WIDER = "document.documentElement.scrollWidth - innerWidth"
TALLER = "document.documentElement.scrollHeight - innerHeight"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_page_fits_a_desktop_and_a_phone_in_light_and_dark(
    server: Serving, phone: bool, dark: bool
) -> None:
    with chromium.led() as page:
        look(page, phone, dark)
        person = Person(page, server)
        person.next()
        assert page.run(WIDER) <= 0
        assert page.run(TALLER) <= 0
        assert page.run(NAMED) == 0
        assert page.run(SMALLEST) >= 44
        assert page.run("getComputedStyle(document.body).backgroundColor") == (
            "rgb(17, 21, 26)" if dark else "rgb(246, 247, 249)"
        )
        name = f"{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}"
        keep_picture(page, name)
        if phone:
            touch(page, "[data-act='7']")
        else:
            person.press("7")
        person.until("state.answered === 1")
        assert "Answered: 7." in page.text("Answered: 7.")
        assert page.run("document.getElementById('said').getAttribute('aria-live')") == "polite"


def look(page: chromium.Page, phone: bool, dark: bool) -> None:
    page.look(*(PHONE if phone else (1280, 860)), dark=dark)
    if phone:
        width, height = PHONE
        page.call("Emulation.setTouchEmulationEnabled", enabled=True)
        sizes = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
        page.call("Emulation.setDeviceMetricsOverride", **sizes)


def touch(page: chromium.Page, selector: str) -> None:
    script = f'(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector("{selector}")'
    x, y = page.run(script + ".getBoundingClientRect())")
    point: dict[str, Any] = {"x": x, "y": y}
    page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
    page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def keep_picture(page: chromium.Page, name: str) -> None:
    if folder := os.environ.get(PICTURES):
        Path(folder, f"{name}.png").write_bytes(page.screenshot())
