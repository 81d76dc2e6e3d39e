"""What a command says about an error, in one line, and how its output ends in silence."""

import contextlib
import errno
import io
import os
import select
import sys
import tempfile
import traceback
from pathlib import Path

from tasks.url_secrets import without_secrets
from tasks.visible import visible

NO_ROOM = "no room left on the disk"
NOT_ALLOWED = (
    "this user may not do that; let them, or name other folders (--out, DIGITFLOW_HOME, "
    "DIGITFLOW_RESULTS, DIGITFLOW_MODELS)"
)
WRONG_KIND = "something of another kind is in the place of a file or folder"
TOO_MANY_FILES = "too many files are open; raise the limit (ulimit -n)"
FAILING = "the disk or the mounted folder does not work"
CAUSES = {
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
    errno.EFBIG: NO_ROOM,
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
    errno.EROFS: NOT_ALLOWED,
    errno.ENOTDIR: WRONG_KIND,
    errno.EISDIR: WRONG_KIND,
    errno.EMFILE: TOO_MANY_FILES,
    errno.ENFILE: TOO_MANY_FILES,
    errno.EIO: FAILING,
    errno.ESTALE: FAILING,
}
STANDARD = 3  # standard input, output and error are the file descriptors below it
CODE = Path(__file__).resolve().parents[2]
OURS = tuple(CODE / name for name in ("flows", "tasks", "deployments"))


def in_a_line(error: Exception) -> str:
    """Return what went wrong, in one line that says what to do.

    What the machine refuses is named with its file. Of anything else, such as a defect, the
    traceback is written to a file that only this user may read.
    """
    if isinstance(error, MemoryError):
        return "the memory of this machine was not enough; make room, or take fewer --workers"
    if isinstance(error, OSError) and error.errno in CAUSES:
        place = f": {error.filename}" if error.filename else ""
        return f"{CAUSES[error.errno]} ({error.strerror}{place})"
    error_text = f"unexpected {type(error).__name__}: {error}{_where(error)}"
    try:
        return f"{error_text}; please report it with {_traceback_file(error)}"
    except OSError:
        return error_text


def _where(error: Exception) -> str:
    """Return the innermost place of our own code that it came through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if any(folder in file.parents for folder in OURS):
            return f", at {file.relative_to(CODE)}:{frame.lineno}"
    return ""


def _traceback_file(error: Exception) -> str:
    lines = "".join(traceback.format_exception(error))
    handle, name = tempfile.mkstemp(prefix="digitflow-", suffix=".txt")
    with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 - a handle
        file.write(without_secrets(lines))
    return name


def complain(line: str) -> None:
    """Write a line to standard error, where somebody reads it."""
    with contextlib.suppress(OSError):  # then nobody can be told
        shown = visible(without_secrets(line))
        print(f"digitflow: {shown}", file=sys.stderr, flush=True)  # noqa: T201 - the one line


def open_standard_files() -> None:
    """Let standard output take any name of a file, and lead nowhere where it was closed.

    Otherwise the next file that is opened would get its number, and what is printed.
    """
    for descriptor in range(STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - as long as we run
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def nobody_reads_output() -> bool:
    """Tell whether standard output is a pipe whose reader has ended."""
    asked = select.poll()
    asked.register(sys.stdout, 0)
    return any(what & select.POLLERR for _, what in asked.poll(0))


def let_go_of_output() -> None:
    """Drop what standard output and error do not take; Python would complain as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
