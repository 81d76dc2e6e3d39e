"""Who dies is started again, later each time, and given up after several quick deaths."""

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.server import restarted
from flows.server.restarted import Restarted, ended
from tasks.errors import DigitflowError

pytestmark = pytest.mark.processes


def dies(code: str = "raise SystemExit(3)") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE)


def look_until_started(kept: Restarted, than: int) -> None:
    deadline = time.monotonic() + 60
    while kept.process.pid == than:
        kept.look_after()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_is_started_again_with_longer_pauses_until_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarted, "PAUSES_S", (0.0, 0.01))
    said: list[str] = []
    (tmp_path / "log").write_text("ValueError: it cannot\n")
    with (tmp_path / "log").open("rb") as log:
        kept = Restarted("worker", dies, log, lambda label, text: said.append(f"{label}: {text}"))
        for _ in range(2):
            look_until_started(kept, than=kept.process.pid)
        kept.process.wait(60)
        with pytest.raises(DigitflowError, match=r"3 times in a row .*: ValueError: it cannot"):
            kept.look_after()
    assert said == ["Worker: stopped by itself (code 3), starts again in 0 s"] * 2


def test_who_has_lived_for_long_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarted, "PAUSES_S", (0.0,))
    monkeypatch.setattr(restarted, "QUICK_S", 0.0)
    kept = Restarted("worker", dies, io.BytesIO(), lambda *_: None)
    for _ in range(3):
        look_until_started(kept, than=kept.process.pid)
    kept.stop()


def test_it_waits_for_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarted, "PAUSES_S", (0.0,))
    server_answers: list[bool] = []
    kept = Restarted(
        "worker", dies, io.BytesIO(), lambda *_: None, may_start=lambda: bool(server_answers)
    )
    first = kept.process
    first.wait(60)
    for _ in range(3):
        kept.look_after()
    assert kept.process is first
    server_answers.append(True)
    look_until_started(kept, than=first.pid)
    kept.stop()


def test_how_a_process_has_ended_is_said_in_words() -> None:
    assert ended(-9) == "was ended by SIGKILL"
    assert ended(-35) == "was ended by signal 35"
    assert ended(1) == "stopped by itself (code 1)"
