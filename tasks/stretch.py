"""One stretch of a listing into rows: open, decode, canonical form, network, decision.

A reading process does this, stretch after stretch; see tasks/reading_process.py.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks import png
from tasks.canonical import CANONICAL_VERSION, canonical
from tasks.canonical_batch import Form, canonical_batch
from tasks.decide import Thresholds
from tasks.decode import MAX_PIXELS, Undecodable, pages_of
from tasks.inputs import Content, Entry, Inputs
from tasks.reader import Reader
from tasks.rows import Page, rows_of

Blamed = Mapping[int, Undecodable]
"""Files of a stretch, by their place in it, that are not to be decoded, and why."""


@dataclass(frozen=True)
class ReadPlan:
    """What every shard of one run has to know."""

    run_id: str
    inputs: Inputs
    thresholds: Thresholds


@dataclass
class Seconds:
    """Where the time of reading went, seconds of wall time in one process."""

    read: float = 0.0
    decode: float = 0.0
    canonical: float = 0.0
    network: float = 0.0
    rows: float = 0.0

    def add(self, other: "Seconds") -> None:
        """Add the seconds of another stretch."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class Watch(Protocol):
    """Is told which file is being decoded, so that it is known when that ends the process."""

    def begin(self, number: int) -> None:
        """Decoding of the file at this place of the stretch begins."""

    def end(self) -> None:
        """It is over."""


class NoWatch:
    """Watches nothing: for pictures that were decoded before."""

    def begin(self, number: int) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Stretch:
    """The pages of some files, their rows, and where the time went."""

    pages: list[Page]
    rows: pa.Table
    seconds: Seconds = field(default_factory=Seconds)


def read_stretch(
    plan: ReadPlan,
    entries: Sequence[Entry],
    reader: Reader,
    watch: Watch | None = None,
    blamed: Blamed | None = None,
) -> Stretch:
    """Return every page of the files and its row, one for each file at least."""
    seconds, found = Seconds(), Found([], [])
    blamed = blamed or {}
    wanted = [entry.path for number, entry in enumerate(entries) if number not in blamed]
    contents = plan.inputs.read_each(wanted)
    for number, entry in enumerate(entries):
        start = perf_counter()
        content = blamed[number] if number in blamed else next(contents)
        if isinstance(content, Undecodable):
            size, mtime_ns = content.size or entry.size, content.mtime_ns or entry.mtime_ns
            found.pages.append(Page(entry.path, 0, size, mtime_ns, trouble=content))
            seconds.read += perf_counter() - start
        else:
            _open(entry.path, content, number, watch or NoWatch(), found, seconds, start)
    _decode_small(found.small, watch or NoWatch(), seconds)
    forms = [page.form for page in found.pages if page.form is not None]
    start = perf_counter()
    answers = reader.answers(np.stack(forms) if forms else np.empty((0, 28, 28), np.uint8))
    answered = perf_counter()
    same = {
        "root": plan.inputs.root,
        "model_version": reader.version,
        "canonical_version": CANONICAL_VERSION,
        "run_id": plan.run_id,
        "read_at": datetime.now(UTC),
    }
    rows = rows_of(found.pages, answers, plan.thresholds, same)
    seconds.network, seconds.rows = answered - start, perf_counter() - answered
    return Stretch(found.pages, rows, seconds)


class Found(NamedTuple):
    """The pages of a stretch so far, and those of small PNG files that are still to be decoded."""

    pages: list[Page]
    small: list["Small"]


class Small(NamedTuple):
    """A small PNG file that is still to be decoded, and its place in the stretch."""

    number: int
    page: Page
    packed: png.Packed
    data: bytes


def _open(
    path: bytes,
    content: Content,
    number: int,
    watch: Watch,
    found: Found,
    seconds: Seconds,
    start: float,
) -> None:
    """Add every page of one file; whatever is wrong with it is a page with its trouble."""
    digest = hashlib.sha256(content.data).hexdigest()
    first = Page(path, 0, content.size, content.mtime_ns, digest)
    opened = perf_counter()
    seconds.read += opened - start
    packed = png.unpacked(content.data, MAX_PIXELS)
    if packed and png.is_small(packed):
        found.pages.append(first)
        found.small.append(Small(number, first, packed, content.data))
        seconds.decode += perf_counter() - opened
        return
    watch.begin(number)
    found.pages.extend(_decoded(first, content.data, packed, opened, seconds))
    watch.end()


def _decoded(
    first: Page, data: bytes, packed: png.Packed | None, clock: float, seconds: Seconds
) -> Iterator[Page]:
    for number, picture in enumerate(pages_of(data, packed)):
        decoded = perf_counter()
        seconds.decode += decoded - clock
        page = replace(first, number=number)
        if isinstance(picture, Undecodable):
            page.trouble = picture
        else:
            page.show(*canonical(picture.pixels, picture.side, picture.colour))
        clock = perf_counter()
        seconds.canonical += clock - decoded
        yield page


def _decode_small(small: Sequence[Small], watch: Watch, seconds: Seconds) -> None:
    """Decode small PNG files and bring them to canonical form, all at once."""
    start = perf_counter()
    shown = []
    for one, known in zip(small, png.pictures([s.packed for s in small]), strict=True):
        picture = _watched(one, watch) if known is None else known
        if isinstance(picture, Undecodable):
            one.page.trouble = picture
        else:
            shown.append((one, picture))
    decoded = perf_counter()
    for (one, _), form in zip(shown, _forms(shown, watch), strict=True):
        one.page.show(*form)
    seconds.decode += decoded - start
    seconds.canonical += perf_counter() - decoded


def _watched(one: Small, watch: Watch) -> NDArray[np.uint8] | Undecodable:
    watch.begin(one.number)
    picture = next(pages_of(one.data, one.packed))
    watch.end()
    return picture if isinstance(picture, Undecodable) else picture.pixels


def _forms(shown: Sequence[tuple[Small, NDArray[np.uint8]]], watch: Watch) -> list[Form]:
    """Return the canonical form of each picture.

    If one brings up a defect, all come one after the other, and that one is on the watch then.
    """
    try:
        return canonical_batch([picture for _, picture in shown])
    except Exception:
        forms = []
        for one, picture in shown:
            watch.begin(one.number)
            forms.append(canonical(picture))
            watch.end()
        return forms
