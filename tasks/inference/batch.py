"""A stretch of a listing into rows: open, decode, canonical form, network, decision.

A reading process does this, stretch after stretch, and hands over a part of the rows now and then;
see tasks/inference/worker.py. Of a file's bytes nothing is kept after its turn but its canonical
form, so that memory is that of the largest file and not of all.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.imaging import png_batch
from tasks.imaging.canonical import canonical
from tasks.imaging.canonical_batch import in_frame
from tasks.imaging.decode import MAX_PIXELS, pages_of
from tasks.imaging.form import CANONICAL_VERSION
from tasks.inference.decision import Thresholds
from tasks.inference.rows import Page, rows_of
from tasks.inference.session import BATCH, Answers, Reader, joined
from tasks.inputs.base import Content, Entry, Inputs
from tasks.outcomes import Undecodable

HANDED_OVER = 0.5  # seconds of reading, after which the rows so far are out of danger
FEW_BYTES = 16_384  # of a PNG file that is kept, to be decoded together with others


@dataclass(frozen=True)
class ReadPlan:
    """What every shard of one run has to know."""

    run_id: str
    inputs: Inputs
    thresholds: Thresholds


@dataclass(frozen=True)
class Earlier:
    """What processes that have ended over a stretch have shown; files are places in it."""

    blamed: Mapping[int, Undecodable] = field(default_factory=dict)  # not to be opened, and why
    suspects: frozenset[int] = frozenset()  # ended one: what lies before them is handed over first
    together: bool = True  # small files may be decoded at once


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
    """Is told what the process is at work on, so that it is known when that ends the process.

    Nothing is done with the content of a file but under a time limit.
    """

    def fetch(self, number: int) -> None:
        """Fetching the content of a file of the stretch begins; storage may be slow."""

    def decode(self, number: int) -> None:
        """The content is there, and its time begins."""

    def decode_together(self) -> None:
        """The time of many small files begins, which takes less than one may."""

    def run_network(self) -> None:
        """The time of one batch begins."""

    def end(self) -> None:
        """It is over."""


@dataclass(frozen=True)
class Part:
    """Some files that follow each other: their pages, their rows, and where the time went."""

    files: int
    pages: list[Page]
    rows: pa.Table
    seconds: Seconds


class Small(NamedTuple):
    """A small PNG file that waits for others, with its place in the stretch."""

    number: int
    first: Page
    data: bytes
    pages: list[Page]  # is filled when it is decoded


@dataclass
class Found:
    """What was found so far of the files of a part."""

    pages: list[list[Page]] = field(default_factory=list)  # file by file
    small: list[Small] = field(default_factory=list)
    seconds: Seconds = field(default_factory=Seconds)


def read_parts(
    plan: ReadPlan,
    entries: Sequence[Entry],
    reader: Reader,
    watch: Watch,
    earlier: Earlier | None = None,
    handed_over: float = HANDED_OVER,
) -> Iterator[Part]:
    """Yield the pages of some files after the other, in order.

    Args:
        plan: what every shard of the run has to know.
        entries: the files.
        reader: the model.
        watch: is told what is done.
        earlier: what other processes that read them have shown.
        handed_over: seconds of reading after which what was read is yielded.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    earlier = earlier or Earlier()
    wanted = [entry.path for number, entry in enumerate(entries) if number not in earlier.blamed]
    contents = plan.inputs.read_each(wanted)
    found, began = Found(), perf_counter()
    for number, entry in enumerate(entries):
        late = perf_counter() - began > handed_over
        if found.pages and (late or number in earlier.suspects):
            yield _part(plan, found, reader, watch)
            found, began = Found(), perf_counter()
        if number in earlier.blamed:
            found.pages.append([_without_picture(entry, earlier.blamed[number])])
        else:
            watch.fetch(number)
            _read(entry, number, contents, earlier.together, watch, found)
    yield _part(plan, found, reader, watch)


def _part(plan: ReadPlan, found: Found, reader: Reader, watch: Watch) -> Part:
    _decode_together(found.small, watch, found.seconds)
    pages = [page for of_file in found.pages for page in of_file]
    start = perf_counter()
    answers = _answers([page.form for page in pages if page.form is not None], reader, watch)
    answered = perf_counter()
    same = {
        "root": plan.inputs.root,
        "model_version": reader.version,
        "canonical_version": CANONICAL_VERSION,
        "run_id": plan.run_id,
        "read_at": datetime.now(UTC),
    }
    rows = rows_of(pages, answers, plan.thresholds, same)
    found.seconds.network, found.seconds.rows = answered - start, perf_counter() - answered
    return Part(len(found.pages), pages, rows, found.seconds)


def _answers(forms: Sequence[NDArray[np.uint8]], reader: Reader, watch: Watch) -> Answers:
    parts = []
    for start in range(0, len(forms), BATCH):
        batch = np.stack(forms[start : start + BATCH])
        watch.run_network()
        parts.append(reader.answers(batch))
        watch.end()
    return joined(parts)


def _without_picture(entry: Entry, trouble: Undecodable) -> Page:
    size, mtime_ns = trouble.size or entry.size, trouble.mtime_ns or entry.mtime_ns
    return Page(entry.path, 0, size, mtime_ns, trouble=_bare(trouble))


def _bare(trouble: Undecodable) -> Undecodable:
    """Return the same trouble without its traceback, whose frames hold the bytes of the file."""
    return copy.copy(trouble)


def _read(
    entry: Entry,
    number: int,
    contents: Iterator[Content | Undecodable],
    together: bool,
    watch: Watch,
    found: Found,
) -> None:
    """Add every page of the next file; whatever is wrong with it is a page with its trouble."""
    start = perf_counter()
    content = next(contents)
    if isinstance(content, Undecodable):
        found.pages.append([_without_picture(entry, content)])
        found.seconds.read += perf_counter() - start
        return
    first = Page(entry.path, 0, content.size, content.mtime_ns)
    pages: list[Page] = []
    found.pages.append(pages)
    if together and len(content.data) <= FEW_BYTES and content.data.startswith(png_batch.START):
        found.small.append(Small(number, first, content.data, pages))
        found.seconds.read += perf_counter() - start
        return
    fetched = perf_counter()
    found.seconds.read += fetched - start
    watch.decode(number)
    pages.extend(_decoded(first, content.data, fetched, found.seconds))
    watch.end()


def _decoded(first: Page, data: bytes, clock: float, seconds: Seconds) -> Iterator[Page]:
    first.content_hash = hashlib.sha256(data).hexdigest()
    for number, picture in enumerate(pages_of(data, png_batch.unpacked(data, MAX_PIXELS))):
        decoded = perf_counter()
        seconds.decode += decoded - clock
        page = replace(first, number=number)
        if isinstance(picture, Undecodable):
            page.trouble = _bare(picture)
        else:
            page.show(*canonical(picture.pixels, picture.side, picture.colour))
        clock = perf_counter()
        seconds.canonical += clock - decoded
        yield page


def _decode_together(small: Sequence[Small], watch: Watch, seconds: Seconds) -> None:
    """Decode small PNG files and bring them to canonical form, all at once where they are plain."""
    start = perf_counter()
    watch.decode_together()
    pictures = _plain_pictures([one.data for one in small])
    decoded = perf_counter()
    forms = in_frame(pictures)
    for one in small:
        one.first.content_hash = hashlib.sha256(one.data).hexdigest()
    watch.end()
    seconds.decode += decoded - start
    seconds.canonical += perf_counter() - decoded
    for one, picture, form in zip(small, pictures, forms, strict=True):
        if form is not None:
            one.first.show(*form)
            one.pages.append(one.first)
            continue
        start = perf_counter()
        watch.decode(one.number)
        if picture is None:
            one.pages.extend(_decoded(one.first, one.data, start, seconds))
        else:
            one.first.show(*canonical(picture))
            one.pages.append(one.first)
            seconds.canonical += perf_counter() - start
        watch.end()


def _plain_pictures(files: Sequence[bytes]) -> list[NDArray[np.uint8] | None]:
    """Return the picture of each small plain PNG, None where a decoder has to look at it."""
    packed = [png_batch.unpacked(data, png_batch.SMALL * png_batch.SMALL) for data in files]
    plain = [each if each and png_batch.is_small(each) else None for each in packed]
    pictures = iter(png_batch.pictures([each for each in plain if each]))
    return [next(pictures) if each else None for each in plain]
