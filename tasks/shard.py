"""One stretch of a listing into rows: open, decode, canonical form, network, decision."""

import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.canonical import CANONICAL_VERSION, Ink, canonical
from tasks.decide import Thresholds, decide
from tasks.decode import Undecodable, pages
from tasks.discover import paths_of
from tasks.reader import Reader
from tasks.reasons import Reason, Status
from tasks.results import PROBABILITIES, SCHEMA

MAX_BYTES = 256 * 2**20  # of one file


@dataclass(frozen=True)
class ReadPlan:
    """What every shard of one run has to know."""

    run_id: str
    root: Path
    listing: Path
    thresholds: Thresholds


@dataclass
class Page:
    """One page of a file on its way to a row."""

    path: bytes  # relative; need not be UTF-8
    number: int = 0
    size: int | None = None
    mtime_ns: int | None = None
    content_hash: str | None = None
    trouble: Undecodable | None = None
    form: NDArray[np.uint8] | None = None
    ink: Ink | None = None


def read_stretch(plan: ReadPlan, start: int, stop: int, reader: Reader) -> pa.Table:
    """Return the rows of the files `start` to `stop` of the listing, one for each page at least."""
    same = {
        "root": printable(os.fsencode(plan.root)),
        "model_version": reader.version,
        "canonical_version": CANONICAL_VERSION,
        "run_id": plan.run_id,
        "read_at": datetime.now(UTC),
    }
    pages_read = read_files(plan, paths_of(plan.listing, start, stop), reader)
    return pa.Table.from_pylist([row | same for _, row in pages_read], SCHEMA)


def read_files(
    plan: ReadPlan, paths: list[bytes], reader: Reader
) -> list[tuple[Page, dict[str, Any]]]:
    """Return every page of the files with what is known of its row: all but the run's columns."""
    found = [page for path in paths for page in _pages(plan, path)]
    forms = [page.form for page in found if page.form is not None]
    answers = reader.answers(np.stack(forms) if forms else np.empty((0, 28, 28), np.uint8))
    scores = itertools.repeat(None) if answers.digit_scores is None else answers.digit_scores
    each = zip(answers.probabilities, scores, strict=False)
    return [
        (page, _rejected(page) if page.form is None else _answered(page, *next(each), plan))
        for page in found
    ]


def printable(path: bytes) -> str:
    r"""Return a name as text; bytes that are no UTF-8 become `\xNN`."""
    return path.decode("utf-8", "backslashreplace")


def _pages(plan: ReadPlan, relative: bytes) -> Iterator[Page]:
    """Yield every page of one file; whatever goes wrong is a page with its trouble."""
    page = Page(relative)
    try:
        data = _content(os.path.join(os.fsencode(plan.root), relative), page)  # noqa: PTH118 - bytes
    except Undecodable as trouble:
        page.trouble = trouble
        yield page
        return
    for number, picture in enumerate(pages(data)):
        one = Page(page.path, number, page.size, page.mtime_ns, page.content_hash)
        if isinstance(picture, Undecodable):
            one.trouble = picture
        else:
            form, one.ink = canonical(picture)
            if one.ink.blank:
                one.trouble = Undecodable(Reason.BLANK, f"contrast {one.ink.contrast} of 255")
            else:
                one.form = form
        yield one


def _content(path: bytes, page: Page) -> bytes:
    """Return the bytes of a file and note its size, time and hash.

    Raises:
        Undecodable: it cannot be opened, is no regular file, or is too large.
    """
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to must not wait
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Undecodable(_reason_of(error), f"{type(error).__name__}: {error.strerror}") from None
    try:
        facts = os.fstat(descriptor)
        page.size, page.mtime_ns = facts.st_size, facts.st_mtime_ns
        if not stat.S_ISREG(facts.st_mode):
            raise Undecodable(Reason.UNSUPPORTED_FORMAT, "not a regular file")
        if facts.st_size > MAX_BYTES:
            raise Undecodable(Reason.TOO_LARGE, f"{facts.st_size:,} bytes, limit {MAX_BYTES:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            data = opened.read(facts.st_size)
    except OSError as error:
        raise Undecodable(Reason.UNREADABLE, f"reading failed: {error.strerror}") from None
    finally:
        os.close(descriptor)
    page.content_hash = hashlib.sha256(data).hexdigest()
    return data


def _reason_of(error: OSError) -> Reason:
    if isinstance(error, PermissionError):
        return Reason.PERMISSION_DENIED
    if isinstance(error, FileNotFoundError):
        return Reason.VANISHED
    return Reason.UNREADABLE


def _rejected(page: Page) -> dict[str, Any]:
    assert page.trouble is not None  # noqa: S101 - a page without a form has a trouble
    return _file_facts(page) | {
        "status": Status.REJECTED,
        "reason": page.trouble.reason,
        "detail": page.trouble.detail[:500],
    }


def _answered(
    page: Page, answer: NDArray[np.float32], score: np.float32 | None, plan: ReadPlan
) -> dict[str, Any]:
    assert page.ink is not None  # noqa: S101 - a page with a form has its facts
    digit_score = None if score is None else float(score)
    status, reason = decide(answer, digit_score, page.ink, plan.thresholds)
    row = _file_facts(page) | {"status": status, "reason": reason, "digit_score": digit_score}
    if status == Status.REJECTED:
        return row | {"detail": _why(reason, page.ink, digit_score)}
    digit = int(answer.argmax())
    return row | {
        "digit": digit,
        "confidence": float(answer[digit]),
        **dict(zip(PROBABILITIES, answer.tolist(), strict=True)),
    }


def _why(reason: Reason, ink: Ink, digit_score: float | None) -> str:
    if reason == Reason.SEVERAL_DIGITS:
        return f"{ink.rivals} more of the digit's size"
    return f"digit score {digit_score:.3f}"


def _file_facts(page: Page) -> dict[str, Any]:
    return {
        "path": printable(page.path),
        "page": page.number,
        "size": page.size,
        "mtime_ns": page.mtime_ns,
        "content_hash": page.content_hash,
        "ink": _ink_facts(page.ink) if page.ink else None,
    }


def _ink_facts(ink: Ink) -> dict[str, Any]:
    left, top, width, height = ink.box
    return {
        "polarity": ink.polarity,
        "contrast": ink.contrast,
        "share": ink.share,
        "left": left,
        "top": top,
        "width": width,
        "height": height,
        "stroke_width": ink.stroke_width,
        "groups": ink.groups,
        "rivals": ink.rivals,
        "touches_edge": ink.touches_edge,
        "removed": ink.removed,
    }
