"""Of several that start at once one runs, and what it held is free however it ends."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.server.only_one import only_one
from tasks.errors import InputError

HOLDS = """
import sys, time
from pathlib import Path
from flows.server.only_one import only_one
from tasks.errors import InputError
try:
    with only_one(Path(sys.argv[1]), sys.argv[2], "one runs"):
        print("holds", flush=True)
        time.sleep(600)
except InputError as error:
    print(error, flush=True)
"""


def starts(folder: Path, url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDS, str(folder), url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.processes
def test_of_four_at_once_one_runs_and_the_others_name_it(tmp_path: Path) -> None:
    four = {f"http://127.0.0.1:{port}": port for port in range(4)}
    processes = {url: starts(tmp_path / "a home", url) for url in four}
    said = {url: process.stdout.readline() for url, process in processes.items() if process.stdout}
    [held] = [url for url, line in said.items() if line == "holds\n"]
    running = processes[held]
    for url in said.keys() - {held}:
        assert said[url] in (
            f"one runs: {held}, process {running.pid}\n",
            "one runs: it is about to start\n",
        )
        processes[url].wait(60)
    running.send_signal(signal.SIGKILL)
    running.wait(60)
    with only_one(tmp_path / "a home", "http://127.0.0.1:5", "one runs"):
        pass


def test_the_second_names_the_first_and_nobody_once_that_has_ended(tmp_path: Path) -> None:
    with (
        only_one(tmp_path, "http://127.0.0.1:1", "`digitflow up` runs already"),
        pytest.raises(InputError, match=re.escape("runs already: http://127.0.0.1:1, process ")),
        only_one(tmp_path, "http://127.0.0.1:2", "`digitflow up` runs already"),
    ):
        pass
    assert [file.read_text() for file in tmp_path.iterdir()] == [""]
