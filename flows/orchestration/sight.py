"""What lies in an inbox: what is whole and new, what is not whole yet, what was read and may go.

It looks from outside, without a model; see `flows/orchestration/inbox.py`.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.atomic import absolute
from tasks.errors import InputError
from tasks.holding.release import looked_aside
from tasks.inputs.base import Inputs, unprintable
from tasks.inputs.listing import ROW_GROUP, Listing, bytes_of, write_listing
from tasks.inputs.local import Files, Folder
from tasks.inputs.open import open_inputs
from tasks.inputs.path_filter import PathFilter
from tasks.inputs.several import Several
from tasks.inputs.stillness import Arriving, has_marker, look, path_on_disk, still
from tasks.inputs.taking_away import ReadFile, TakenAway, take_away
from tasks.outcomes import DELETED, PASSING, Originals
from tasks.results.arrivals import with_arrivals
from tasks.results.commit import writer_of
from tasks.results.originals import leaving, mark
from tasks.results.pending import ReprocessPolicy, pending_of
from tasks.results.redecide import would_redecide
from tasks.results.repair import require_sound
from tasks.results.table import current_rows, is_table
from tasks.runs import timestamp
from tasks.settings.base import home, models_place, results_table
from tasks.settings.reading import InboxSettings

if TYPE_CHECKING:  # a tick without news loads no model
    from tasks.metrics.error_bounds import ErrorBounds


@dataclass(frozen=True)
class Sight:
    """What lies in an inbox."""

    growing: Sequence[str]  # files that are not whole yet
    inputs: Inputs | None = None  # None: all that it is is not whole yet
    listing: Listing | None = None  # of what is whole, or was read before
    news: bool = False  # there is something to read, or to decide again


def sight_of(settings: InboxSettings, originals: Originals, folder: Path) -> Sight:
    """Return what lies in an inbox; listings are kept in a folder.

    Raises:
        InputError: the inbox cannot be used, or its files cannot be taken away.
    """
    try:
        inputs = _opened(settings, originals)
        arriving = _arriving(inputs, settings, originals)
        listing = write_listing(arriving, folder / "found", allow_empty=settings.allow_empty)
    except InputError:
        if growing := _growing(settings):  # half an archive
            return Sight(growing)
        raise
    table, bounds_of = results_table(), cache(_bounds_of)
    require_sound(table)
    listing = with_arrivals(listing, table)
    asked = {"again", "retry_rejected", "retry_review", "by_content"}
    policy = ReprocessPolicy(**settings.model_dump(include=asked))
    # what was decided is done, so that files of a released batch go
    aside = looked_aside(table, home() / "runs", holds=settings.hold)
    new = pending_of(listing, inputs, table, policy, folder / "pending", bounds_of, aside).listing
    whole, partial = _whole(new, settings)
    if partial:
        listing = _without(listing, partial, folder / "whole")
    news = bool(whole if policy.again or policy.retries else _readable(whole, listing, table))
    if not news:
        news = would_redecide(listing, table, settings.max_error, bounds_of)
    names = [
        *arriving.growing,
        *(listing.roots.shown(*listing.roots.place(path)) for path in partial),
    ]
    return Sight(names, inputs, listing, news)


def _opened(settings: InboxSettings, originals: Originals) -> Inputs:
    """Return the files of the inbox without the folders that they are moved to.

    Raises:
        InputError: it cannot be used, or not as it is told to.
    """
    inputs = open_inputs(settings.source, settings.include, settings.exclude)
    if originals.stay and not settings.marker:
        return inputs
    for each in inputs.members if isinstance(inputs, Several) else [inputs]:
        if not isinstance(each, Folder | Files):
            raise InputError(
                f"{each.root} is no local folder: what lies elsewhere, in an archive or in a list "
                "can be read, and not moved, deleted or told by a marker"
            )
        if not (originals.stay or os.access(unprintable(each.root), os.W_OK | os.X_OK)):
            raise InputError(
                f"{each.root} may not be written by this user, who is to take files from it"
            )
        for target in _targets(originals):
            if target == os.path.realpath(unprintable(each.root)):
                raise InputError(f"{each.root} is the folder that its own files are to be moved to")
    if isinstance(inputs, Several):
        return inputs
    patterns = [_pattern(target, unprintable(inputs.root)) for target in _targets(originals)]
    exclude = [*settings.exclude, *(pattern for pattern in patterns if pattern)]
    return open_inputs(settings.source, settings.include, exclude)


def _targets(originals: Originals) -> list[bytes]:
    """Return the folders that files are moved to."""
    places = (place for place in (originals.read, originals.rejected) if place)
    return [os.path.realpath(unprintable(place)) for place in places if place != DELETED]


def _pattern(folder: bytes, root: bytes) -> str | None:
    """Return the pattern that excludes a folder below a root, so that it is not gone through."""
    base = os.path.realpath(root)
    if not folder.startswith(base.rstrip(b"/") + b"/"):
        return None
    below = os.fsdecode(os.path.relpath(folder, base))
    return "/" + "".join(f"[{sign}]" if sign in "*?[" else sign for sign in below) + "/"


def _arriving(inputs: Inputs, settings: InboxSettings, originals: Originals) -> Arriving:
    """Return what is listed: neither markers nor what lies in folders that files are moved to."""
    marker, targets = os.fsencode(settings.marker), _targets(originals)
    bases = {root: os.path.realpath(unprintable(root)) for root in inputs.roots.names}

    def leave_out(path: bytes) -> bool:
        if marker and path.endswith(marker):
            return True
        root, below = inputs.roots.place(path) if targets else ("", "")
        return any(
            os.path.join(bases[root], unprintable(below)).startswith(target + b"/")  # noqa: PTH118
            for target in targets
        )

    unfinished = PathFilter(settings.unfinished) if settings.unfinished else None
    return Arriving(inputs, unfinished, leave_out)


def _growing(settings: InboxSettings) -> list[str]:
    """Return which sources are files that somebody is writing."""
    sources = [settings.source] if isinstance(settings.source, str) else settings.source
    files = [str(path) for path in map(absolute, sources) if path.is_file()]
    seen = still(map(os.fsencode, files), settings.settle)
    return [file for file, whole in zip(files, seen, strict=True) if not whole]


def _whole(new: Listing, settings: InboxSettings) -> tuple[list[bytes], list[bytes]]:
    """Return the paths of new files that are whole, and of those that are not yet."""
    paths: list[bytes] = pq.read_table(new.file, columns=["path"])["path"].to_pylist()
    places = {path: path_on_disk(new.roots, path) for path in paths[: new.count]}
    files = list(dict.fromkeys(place for place in places.values() if place))
    if settings.marker:
        seen = [has_marker(file, settings.marker) for file in files]
    else:
        seen = still(files, settings.settle)
    grows = {file for file, whole in zip(files, seen, strict=True) if not whole}
    growing = [path for path, place in places.items() if place in grows]
    return [path for path, place in places.items() if place not in grows], growing


def _readable(paths: Sequence[bytes], listing: Listing, table: str) -> list[bytes]:
    """Return the files but those that still cannot be opened, for the reason in their rows."""
    refused = {}
    for path in paths:
        file = path_on_disk(listing.roots, path)
        refusal = look(file).refusal if file else None
        if refusal in PASSING:
            refused[listing.roots.place(path)] = refusal
    if not refused or not is_table(table):
        return list(paths)
    columns = zip(*refused, strict=True)
    files = pa.table([pa.array(column, pa.string()) for column in columns], ["root", "path"])
    rows = current_rows(table, files, columns=["root", "path", "reason"]).to_pylist()
    known = {(row["root"], row["path"]): row["reason"] for row in rows}
    return [
        path
        for path in paths
        if (place := listing.roots.place(path)) not in refused or known.get(place) != refused[place]
    ]


def _without(listing: Listing, growing: Sequence[bytes], file: Path) -> Listing:
    """Return a listing without some of its files."""
    files = pq.read_table(listing.file)
    left = files.filter(
        pc.invert(pc.is_in(files["path"], value_set=pa.array(growing, pa.binary())))
    )
    pq.write_table(left, file, ROW_GROUP)
    return replace(listing, file=file, count=left.num_rows, size=bytes_of(left))


def take_away_read(listing: Listing | None, marker: str, originals: Originals) -> TakenAway:
    """Move or delete what has been read, by this tick or by one that was killed before it did."""
    table = results_table()
    if listing is None or originals.stay:
        return TakenAway()
    files = leaving(listing, table, originals)
    if not files.num_rows:
        return TakenAway()
    tick_id = f"inbox-{timestamp()}-{secrets.token_hex(2)}"
    mark(files, tick_id, writer_of(table, listing.roots.names, tick_id))
    return take_away([_read_file(**row) for row in files.to_pylist()], marker)


def _read_file(
    root: str, path: str, size: int, mtime_ns: int, fate: str, original: str | None
) -> ReadFile:
    folder = None if fate == DELETED else Path(os.fsdecode(unprintable(fate)))
    return ReadFile(unprintable(root), unprintable(path), size, mtime_ns, folder)


def _bounds_of(version: str) -> "ErrorBounds | None":
    from flows.predict import bounds_of_registered
    from tasks.registry.registry import Registry

    return bounds_of_registered(version, Registry(models_place()))
