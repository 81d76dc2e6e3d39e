"""A batch of files into rows: open, decode, canonical form, network, decision.

A worker does this, batch after batch, and sends the rows chunk by chunk; see
tasks/inference/worker.py. Of a file's bytes nothing is kept after it was decoded but its canonical
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

from tasks.decoding import png_batch
from tasks.decoding.decode import pages_of
from tasks.decoding.limits import MAX_PIXELS
from tasks.imaging.canonical import prepared
from tasks.imaging.canonical_batch import in_frame
from tasks.imaging.form import CANONICAL_VERSION, Prepared
from tasks.inference.agreement import agreed
from tasks.inference.decision import Thresholds
from tasks.inference.rows import Page, rows_of
from tasks.inference.session import NETWORK_BATCH, Answers, ModelSession, joined
from tasks.inputs.base import Content, Entry, Inputs
from tasks.outcomes import ALL_STAY, Originals, Undecodable

CHUNK_S = 0.5  # seconds of reading, after which the rows so far are sent and out of danger
SMALL_FILE_BYTES = 16_384  # of a PNG file that is kept, to be decoded together with others


@dataclass(frozen=True)
class ReadPlan:
    """What every shard of one run has to know."""

    run_id: str
    inputs: Inputs
    thresholds: Thresholds
    shards: int = 1  # that the run is cut into
    originals: Originals = ALL_STAY  # what becomes of the files
    audit: float = 0.0  # share of what is read that is drawn for the audit


@dataclass(frozen=True)
class PriorAttempts:
    """What workers that ended while they read a batch have shown; files are numbers in it."""

    # not to be opened, and why
    quarantined: Mapping[int, Undecodable] = field(default_factory=dict)
    suspects: frozenset[int] = frozenset()  # ended one: what lies before them is sent first
    decode_together: bool = True  # small files, many at once


@dataclass
class Seconds:
    """Where the time of reading went, seconds of wall time in one worker."""

    read: float = 0.0
    decode: float = 0.0
    canonical: float = 0.0
    network: float = 0.0
    rows: float = 0.0

    def add(self, other: "Seconds") -> None:
        """Add the seconds of another chunk."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class BatchWatchdog(Protocol):
    """Is told what the worker is at work on, so that it is known when that ends the worker.

    Nothing is done with the content of a file but under a time limit.
    """

    def fetch(self, number: int) -> None:
        """Fetching the content of a file of the batch begins; storage may be slow."""

    def decode(self, number: int) -> None:
        """The content is there, and the time of its first page begins."""

    def next_page(self) -> None:
        """A page is done, and the time of the next one begins."""

    def decode_together(self) -> None:
        """The time of many small files begins, which takes less than one may."""

    def run_network(self) -> None:
        """The time of one network batch begins."""

    def stop(self) -> None:
        """What was begun is over."""


class NoWatchdog:
    """Ends nothing: for files that are known to be safe."""

    def fetch(self, number: int) -> None:
        """Do nothing."""

    def decode(self, number: int) -> None:
        """Do nothing."""

    def next_page(self) -> None:
        """Do nothing."""

    def decode_together(self) -> None:
        """Do nothing."""

    def run_network(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Chunk:
    """Some files that follow each other: their pages, their rows, and where the time went."""

    files: int
    pages: list[Page]
    rows: pa.Table
    seconds: Seconds


class SmallFile(NamedTuple):
    """A small PNG file that waits for others, with its number in the batch."""

    number: int
    first: Page
    data: bytes
    pages: list[Page]  # is filled when it is decoded


@dataclass
class UnfinishedChunk:
    """What was found so far of the files of a chunk."""

    pages: list[list[Page]] = field(default_factory=list)  # file by file
    small: list[SmallFile] = field(default_factory=list)
    seconds: Seconds = field(default_factory=Seconds)


def read_chunks(
    plan: ReadPlan,
    entries: Sequence[Entry],
    session: ModelSession,
    watchdog: BatchWatchdog,
    prior: PriorAttempts | None = None,
    chunk_seconds: float = CHUNK_S,
) -> Iterator[Chunk]:
    """Yield the pages of some files after the other, in order.

    Args:
        plan: what every shard of the run has to know.
        entries: the files.
        session: has the model.
        watchdog: is told what is done.
        prior: what workers that ended while they read these files have shown.
        chunk_seconds: of reading, after which what was read is yielded.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    prior = prior or PriorAttempts()
    wanted = [entry.path for number, entry in enumerate(entries) if number not in prior.quarantined]
    contents = plan.inputs.read_each(wanted)
    chunk, began = UnfinishedChunk(), perf_counter()
    for number, entry in enumerate(entries):
        late = perf_counter() - began > chunk_seconds
        if chunk.pages and (late or number in prior.suspects):
            yield _finished(plan, chunk, session, watchdog)
            chunk, began = UnfinishedChunk(), perf_counter()
        if number in prior.quarantined:
            chunk.pages.append([_without_picture(entry, prior.quarantined[number])])
        else:
            watchdog.fetch(number)
            _read(entry, number, contents, prior.decode_together, watchdog, chunk)
    yield _finished(plan, chunk, session, watchdog)


def _finished(
    plan: ReadPlan, chunk: UnfinishedChunk, session: ModelSession, watchdog: BatchWatchdog
) -> Chunk:
    _decode_together(chunk.small, watchdog, chunk.seconds)
    pages = [page for of_file in chunk.pages for page in of_file]
    start = perf_counter()
    forms = [page.forms for page in pages if page.forms]
    said = _answers([form for ways in forms for form in ways], session, watchdog)
    answers, disagree = agreed(said, [len(ways) for ways in forms], plan.thresholds.digit_score)
    answered = perf_counter()
    constants = {
        "model_version": session.version,
        "canonical_version": CANONICAL_VERSION,
        "instead_of": session.instead_of,
        "run_id": plan.run_id,
        "read_at": datetime.now(UTC),
    }
    rows = rows_of(pages, answers, plan.thresholds, plan.inputs.roots, constants, disagree)
    chunk.seconds.network, chunk.seconds.rows = answered - start, perf_counter() - answered
    return Chunk(len(chunk.pages), pages, rows, chunk.seconds)


def _answers(
    forms: Sequence[NDArray[np.uint8]], session: ModelSession, watchdog: BatchWatchdog
) -> Answers:
    parts = []
    for start in range(0, len(forms), NETWORK_BATCH):
        batch = np.stack(forms[start : start + NETWORK_BATCH])
        watchdog.run_network()
        parts.append(session.answers(batch))
        watchdog.stop()
    return joined(parts)


def _without_picture(entry: Entry, error: Undecodable) -> Page:
    size, mtime_ns = error.size or entry.size, error.mtime_ns or entry.mtime_ns
    return Page(entry.path, 0, size, mtime_ns, error=_without_traceback(error))


def _without_traceback(error: Undecodable) -> Undecodable:
    """Return the same error without its traceback, whose frames hold the bytes of the file."""
    return copy.copy(error)


def _read(
    entry: Entry,
    number: int,
    contents: Iterator[Content | Undecodable],
    together: bool,
    watchdog: BatchWatchdog,
    chunk: UnfinishedChunk,
) -> None:
    """Add every page of the next file; whatever is wrong with it is a page with its error."""
    start = perf_counter()
    content = next(contents)
    if isinstance(content, Undecodable):
        chunk.pages.append([_without_picture(entry, content)])
        chunk.seconds.read += perf_counter() - start
        return
    first = Page(entry.path, 0, content.size, content.mtime_ns)
    pages: list[Page] = []
    chunk.pages.append(pages)
    if (
        together
        and len(content.data) <= SMALL_FILE_BYTES
        and content.data.startswith(png_batch.START)
    ):
        chunk.small.append(SmallFile(number, first, content.data, pages))
        chunk.seconds.read += perf_counter() - start
        return
    fetched = perf_counter()
    chunk.seconds.read += fetched - start
    watchdog.decode(number)
    for page in _decoded(first, content.data, fetched, chunk.seconds):
        pages.append(page)
        watchdog.next_page()
    watchdog.stop()


def _decoded(first: Page, data: bytes, clock: float, seconds: Seconds) -> Iterator[Page]:
    first.content_hash = hashlib.sha256(data).hexdigest()
    for number, picture in enumerate(pages_of(data, png_batch.unpacked(data, MAX_PIXELS))):
        decoded = perf_counter()
        seconds.decode += decoded - clock
        page = replace(first, number=number)
        if isinstance(picture, Undecodable):
            page.error = _without_traceback(picture)
        else:
            page.set_forms(picture.prepared())
        clock = perf_counter()
        seconds.canonical += clock - decoded
        yield page


def _decode_together(small: Sequence[SmallFile], watchdog: BatchWatchdog, seconds: Seconds) -> None:
    """Decode small PNG files and bring them to canonical form, all at once where they are plain."""
    start = perf_counter()
    watchdog.decode_together()
    pictures = _plain_pictures([file.data for file in small])
    decoded = perf_counter()
    forms = in_frame(pictures)
    for file in small:
        file.first.content_hash = hashlib.sha256(file.data).hexdigest()
    watchdog.stop()
    seconds.decode += decoded - start
    seconds.canonical += perf_counter() - decoded
    for file, picture, form in zip(small, pictures, forms, strict=True):
        if form is not None:
            file.first.set_forms(Prepared(*form))
            file.pages.append(file.first)
            continue
        start = perf_counter()
        watchdog.decode(file.number)
        if picture is None:
            file.pages.extend(_decoded(file.first, file.data, start, seconds))
        else:
            file.first.set_forms(prepared(picture))
            file.pages.append(file.first)
            seconds.canonical += perf_counter() - start
        watchdog.stop()


def _plain_pictures(files: Sequence[bytes]) -> list[NDArray[np.uint8] | None]:
    """Return the picture of each small plain PNG, None where a decoder has to look at it."""
    packed = [png_batch.unpacked(data, png_batch.SMALL * png_batch.SMALL) for data in files]
    plain = [data if data and png_batch.is_small(data) else None for data in packed]
    pictures = iter(png_batch.pictures([data for data in plain if data]))
    return [next(pictures) if data else None for data in plain]
