"""One stretch of a listing into rows: open, decode, canonical form, network, decision."""

import hashlib
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
    min_confidence: float


@dataclass
class Page:
    """One page of a file on its way to a row."""

    path: str
    number: int = 0
    size: int | None = None
    mtime_ns: int | None = None
    content_hash: str | None = None
    trouble: Undecodable | None = None
    form: NDArray[np.uint8] | None = None
    ink: Ink | None = None


def read_stretch(plan: ReadPlan, start: int, stop: int, reader: Reader) -> pa.Table:
    """Return the rows of the files `start` to `stop` of the listing, one for each page at least."""
    found = [page for path in paths_of(plan.listing, start, stop) for page in _pages(plan, path)]
    forms = [page.form for page in found if page.form is not None]
    probabilities = reader.probabilities(np.stack(forms) if forms else _no_forms())
    answers = iter(probabilities)
    read_at = datetime.now(UTC)
    rows = [
        _row(page, next(answers) if page.form is not None else None, plan.min_confidence)
        | {
            "root": printable(os.fsencode(plan.root)),
            "model_version": reader.version,
            "canonical_version": CANONICAL_VERSION,
            "run_id": plan.run_id,
            "read_at": read_at,
        }
        for page in found
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def _no_forms() -> NDArray[np.uint8]:
    return np.empty((0, 28, 28), np.uint8)


def printable(path: bytes) -> str:
    r"""Return a name as text; bytes that are no UTF-8 become `\xNN`."""
    return path.decode("utf-8", "backslashreplace")


def _pages(plan: ReadPlan, relative: bytes) -> Iterator[Page]:
    """Yield every page of one file; whatever goes wrong is a page with its trouble."""
    page = Page(printable(relative))
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


def _row(page: Page, answer: NDArray[np.float32] | None, min_confidence: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": page.path,
        "page": page.number,
        "size": page.size,
        "mtime_ns": page.mtime_ns,
        "content_hash": page.content_hash,
        "ink": _ink_facts(page.ink) if page.ink else None,
    }
    if answer is None:
        assert page.trouble is not None  # noqa: S101 - a page without a form has a trouble
        return row | {
            "status": Status.REJECTED,
            "reason": page.trouble.reason,
            "detail": page.trouble.detail[:500],
        }
    digit = int(answer.argmax())
    confidence = float(answer[digit])
    sure = confidence >= min_confidence
    return row | {
        "status": Status.READ if sure else Status.REVIEW,
        "reason": Reason.OK if sure else Reason.LOW_CONFIDENCE,
        "digit": digit,
        "confidence": confidence,
        **dict(zip(PROBABILITIES, answer.tolist(), strict=True)),
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
    }
