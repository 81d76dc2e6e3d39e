"""Logs that others write to while they are begun anew."""

import subprocess
import sys
from pathlib import Path

from flows.server.log_files import keep_small


def test_a_log_that_has_grown_begins_anew_and_its_writer_goes_on(tmp_path: Path) -> None:
    file, program = tmp_path / "worker.log", "while line := input(): print(line, flush=True)"
    with (
        file.open("ab+") as log,
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=log,
            text=True,
        ) as writer,
    ):
        assert writer.stdin
        for said in ("first", "second"):
            keep_small(log, most=len("first"))
            before = file.stat().st_size
            print(said, file=writer.stdin, flush=True)
            while file.stat().st_size == before:
                pass
        print(file=writer.stdin, flush=True)
    assert file.read_text() == "second\n"
    assert (tmp_path / "worker.log.1").read_text() == "first\n"


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "server.log"
    file.write_text("line\n")
    with file.open("ab+") as log:
        keep_small(log)
    assert file.read_text() == "line\n"
    assert list(tmp_path.iterdir()) == [file]
