"""All that a process has started ends with it, whatever it is called, does or has started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.test_worker import is_running

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]
SLEEPS = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
# a process that starts another in a session of its own, and ends before that does
LEAVES = f"""
import subprocess, sys
left = subprocess.Popen([sys.executable, "-c", {SLEEPS!r}], start_new_session=True)
print(left.pid, flush=True)
"""
BEGIN = """
import subprocess, sys, time
from flows.server.descendants import adopt_orphans, end_descendants

def started(code, program=sys.executable):
    process = subprocess.Popen([program, "-c", code], stdout=subprocess.PIPE)
    return process, process.stdout.readline().decode().strip()

adopt_orphans()
"""


def ends(code: str, *arguments: str) -> list[str]:
    """Run code that ends what it has started, and return the words that it said."""
    command = [sys.executable, "-c", BEGIN + code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    return done.stdout.decode().split()


def test_a_process_without_children_waits_for_nothing() -> None:
    [seconds] = ends(
        "began = time.monotonic(); end_descendants(600)\nprint(time.monotonic() - began)"
    )
    assert float(seconds) < 60


def test_what_was_left_behind_by_a_child_that_is_gone_is_ended_too() -> None:
    code = f"child, left = started({LEAVES!r}); child.wait(); end_descendants(0.1); print(left)"
    [left] = ends(code)
    assert not is_running(int(left))


def test_a_child_that_does_not_listen_is_ended_when_its_time_is_over() -> None:
    code = f"""
child, _ = started({DEAF!r})
began = time.monotonic()
end_descendants(0.3)
print(child.wait(), time.monotonic() - began)
"""
    exit_code, seconds = ends(code)
    assert int(exit_code) == -9
    assert float(seconds) >= 0.3


def test_a_child_that_listens_is_asked_and_not_killed() -> None:
    asked = "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); print(flush=True); "
    begin = f"child, _ = started({asked + 'signal.pause()'!r}); "
    assert ends(begin + "end_descendants(60); print(child.wait())") == ["7"]


@pytest.mark.parametrize("name", [") Z (", "caf\udce9", "a b) Z 1"])
def test_a_process_may_have_any_name(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.symlink_to("/bin/sh")  # the kernel names a process after the file it was asked for
    code = """
child, _ = started("trap '' TERM; echo; while :; do sleep 0.05; done", sys.argv[1])
end_descendants(0.1)
print(child.poll())
child.kill()
"""
    assert ends(code, str(program)) == ["-9"]


def test_one_is_spared() -> None:
    listens = "print(flush=True); " + SLEEPS
    code = f"""
spared, _ = started({listens!r})
ended, _ = started({listens!r})
end_descendants(600, but=[spared.pid])
print(ended.wait(), spared.poll())
spared.kill()
"""
    assert ends(code) == ["-15", "None"]


def test_an_adopted_orphan_that_has_ended_is_forgotten_and_a_child_is_not() -> None:
    leaves = LEAVES.replace("time.sleep(600)", "pass")
    code = f"""
from pathlib import Path
from flows.server.descendants import reap_orphans
kept = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
child, left = started({leaves!r})
child.wait()
while Path(f"/proc/{{left}}").exists():
    reap_orphans([kept.pid])
    kept.poll()
print(kept.wait())
"""
    assert ends(code) == ["3"]
