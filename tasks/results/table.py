"""The results table: a Delta Lake table with one row for each picture and reading.

Later readings supersede earlier ones, which stay; tasks/results/commit.py writes it.
"""

import csv
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow.dataset import FileSystemDataset, ParquetFileFragment, Scanner

from tasks.atomic import absolute, atomic_write
from tasks.errors import DigitflowError, InputError
from tasks.inputs.listing import Listing
from tasks.results.repair import damages, described
from tasks.results.schema import SCHEMA
from tasks.results.table_files import is_local, storage_of

RANK = "rank"  # of a reading among those of its file: the name of a column that is only here
ORDER = ["root", "path", RANK, "page"]
BEFORE_COMMITS = 2**62  # more microseconds than a clock says, so that times rank below commits
RANKED_BY = ("commit_version", "read_at")
ROW_BATCH = 16_384  # rows in memory at once
FEW = 16_384  # files that are looked for by their names among all
COUNTS = pc.field("taken_back").is_null()  # what holds for rows of runs that were not taken back
NUL = "\0"  # between root and path of a file's name
# where a spreadsheet may see a cell begin, which it may divide at other characters than commas:
# before what makes a formula of it (OWASP: CSV injection), and before the mark that says it is none
FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=[\s\0\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n'])")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal
OUT_SUFFIXES = (".csv", ".parquet", ".jsonl")

Text = Callable[[str], pc.Expression]
"""Gives a column of text by its name, for a condition; see `scanner_of`."""

Condition = Callable[[Text], pc.Expression]
"""Says which rows are looked for, and takes each column of text from what it is given."""


def storage_options(table: str) -> dict[str, str]:
    """Return what the table's storage has to be told beside the usual variables."""
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {"AWS_ALLOW_HTTP": "true"} if plain and not is_local(table) else {}


def is_table(table: str) -> bool:
    """Tell whether there are results.

    Raises:
        DigitflowError: that cannot be found out.
    """
    try:
        return DeltaTable.is_deltatable(table, storage_options(table))
    except (OSError, DeltaError) as error:
        raise DigitflowError(f"{table} cannot be read: {error_text(error)}") from error


def error_text(error: Exception) -> str:
    """Return in one line what the storage said, which it writes as a coloured tree."""
    return " ".join(COLOURS.sub("", str(error)).replace("↳", ":").split()).replace(" :", ":")


def open_table(table: str) -> DeltaTable:
    """Return the table as it is.

    Raises:
        InputError: there is none yet.
        DigitflowError: it cannot be read.
    """
    if not is_table(table):
        raise InputError(f"no results in {table} yet: run `digitflow predict FOLDER` first")
    with reading(table):
        return DeltaTable(table, storage_options=storage_options(table))


@contextmanager
def reading(table: str) -> Iterator[None]:
    """Say what is wrong with a table that cannot be read in the block, and what to do.

    Raises:
        DigitflowError: it cannot.
    """
    try:
        yield
    except (OSError, DeltaError, pa.ArrowException) as error:
        damaged = damages(table)
        what = (
            described(table, damaged) if damaged else f"{table} cannot be read: {error_text(error)}"
        )
        raise DigitflowError(what) from error


def dataset_of(version: DeltaTable, table: str) -> FileSystemDataset:
    """Return the rows of a version of the results, with all columns of today."""
    dataset = as_written(version, table)
    # a table that an earlier version of digitflow has written gets its columns by the next reading
    lacking = [field for field in SCHEMA if field.name not in dataset.schema.names]
    return dataset.replace_schema(pa.schema([*dataset.schema, *lacking])) if lacking else dataset


def as_written(version: DeltaTable, table: str) -> FileSystemDataset:
    """Return the rows of a version of any table; from a local one Arrow reads them by itself.

    Through Delta's storage its threads hold memory of Python's, and let go of it when the answer is
    there already. That aborts a process that is ending by then (apache/arrow, issue 34314): one
    `digitflow results` in fourteen on a busy machine.
    """
    storage = storage_of(table, {}) if is_local(table) else None
    dataset: FileSystemDataset = version.to_pyarrow_dataset(filesystem=storage)
    return dataset


def scanner_of(
    rows: FileSystemDataset,
    wanted: Condition,
    columns: list[str] | None = None,
    **options: int,
) -> Scanner:
    """Return what reads the rows that match; the one way to read the table by a column of text.

    Files that a Delta `merge`, `update` or `delete` has written hold text as `string_view`, which
    pyarrow 26 cannot compare with a file's own bounds ("no kernel matching input types"). So a
    column is cast in what looks at rows. What is cast skips nothing, and so the same condition on
    plain columns comes first: it skips files by the log's bounds, which are plain strings always,
    and parts of files that hold plain strings by their own.

    Args:
        rows: as `dataset_of` returns them.
        wanted: which of them.
        columns: names, all by default.
        options: of the scan.
    """
    plain = wanted(pc.field)
    files = [_part(file, plain, rows.schema) for file in rows.get_fragments(filter=plain)]
    some = FileSystemDataset(files, rows.schema, rows.format, rows.filesystem)
    return some.scanner(columns=columns, filter=wanted(_text), **options)


def _part(file: ParquetFileFragment, wanted: pc.Expression, schema: pa.Schema) -> Any:
    """Return what a file's own bounds leave of it; all of it where they cannot be compared."""
    has_views = any(map(pa.types.is_string_view, file.physical_schema.types))
    return file if has_views else file.subset(wanted, schema=schema)


def _text(name: str) -> pc.Expression:
    return pc.field(name).cast(pa.string())


def scan(table: str, columns: list[str], wanted: Condition) -> Iterator[pa.RecordBatch]:
    """Yield the rows that match, in no order, a few at a time: a table is larger than memory."""
    dataset = dataset_of(open_table(table), table)
    with reading(table):
        yield from scanner_of(
            dataset,
            wanted,
            columns,
            batch_size=ROW_BATCH,
            batch_readahead=1,
            fragment_readahead=1,
        ).to_batches()


def of_roots(roots: Sequence[str], text: Text) -> pc.Expression:
    """Return what holds for the rows of some roots."""
    if len(roots) == 1:
        return text("root") == roots[0]
    return text("root").isin(pa.array(roots, pa.string()))


def of_run(run: str) -> Condition:
    """Return what holds for the rows of a run."""
    return lambda text: text("run_id") == run


def file_names(rows: pa.Table | pa.RecordBatch) -> Any:
    """Return the name of the file of each row: its root and its path, which have no NUL."""
    return pc.binary_join_element_wise(rows["root"], rows["path"], NUL)


@dataclass(frozen=True)
class Query:
    """Conditions that rows have to meet, all of them; None asks for nothing."""

    root: str | Sequence[str] = ()  # folder, archive or URL that was read, or several; none: all
    run: str | None = None  # run id
    status: str | None = None  # `read`, `review` or `rejected`
    reason: str | None = None  # a reason code
    path: str | None = None  # a part of the path
    paths: Any = None  # Arrow strings: only these, whole
    history: bool = False  # superseded readings, too


CURRENT = Query()


def select(table: str, query: Query = CURRENT, columns: list[str] | None = None) -> pa.Table:
    """Return the rows that a query asks for, ordered by root, path, reading and page.

    Only the current reading of each file counts, which is its last, or that of the run that is
    named, unless the history is asked for. Of a run that was taken back nothing counts.

    Args:
        table: folder or URL of the table.
        query: which rows.
        columns: names, all by default.

    Raises:
        InputError: there is no table yet.
    """
    roots = [query.root] if isinstance(query.root, str) else query.root

    def wanted(text: Text) -> pc.Expression:
        found = of_roots(roots, text) if roots else pc.scalar(True)
        if query.run is not None:
            found &= text("run_id") == query.run
        if query.path:
            found &= pc.match_substring(text("path"), query.path)
        if query.paths is not None:
            found &= text("path").isin(query.paths)
        return found & COUNTS if query.run is None and not query.history else found

    keys = ("root", "path", "page", *RANKED_BY)
    needed = columns and [*dict.fromkeys([*columns, *keys, "status", "reason"])]
    dataset = dataset_of(open_table(table), table)
    with reading(table):
        rows: pa.Table = scanner_of(dataset, wanted, needed).to_table()
    if not query.history:
        rows = current(rows)
    for name, value in (("status", query.status), ("reason", query.reason)):
        if value is not None:
            rows = rows.filter(pc.field(name) == value)
    ordered = rows.append_column(RANK, ranks(rows)).sort_by([(name, "ascending") for name in ORDER])
    return ordered.select(columns or rows.column_names)


def current_rows(
    table: str,
    files: Listing | pa.Table,
    status: str | None = None,
    columns: list[str] | None = None,
) -> pa.Table:
    """Return the current row of every picture of some files, whichever run has read it.

    Args:
        table: folder or URL of the table.
        files: a listing of them, or a table that has their roots and paths.
        status: only these.
        columns: names, all by default; root and path have to be among them.
    """
    if isinstance(files, pa.Table):
        found = file_names(files).combine_chunks()
        roots, paths = files["root"].unique().to_pylist(), files["path"].unique()
    else:
        places = places_of(files)
        found = pa.array([NUL.join(place) for place in places], pa.string())
        roots, paths = files.roots.names, pa.array([path for _, path in places], pa.string())
    asked = Query(roots, status=status, paths=paths if len(paths) <= FEW else None)
    rows = select(table, asked, columns)
    return rows.filter(pc.is_in(file_names(rows), value_set=found))


def paths_of(listing: Listing) -> list[str]:
    """Return the paths of a listing as rows have them, without their roots."""
    return [path for _, path in places_of(listing)]


def places_of(listing: Listing) -> list[tuple[str, str]]:
    """Return root and path of each file of a listing as rows have them."""
    paths = pq.read_table(listing.file, columns=["path"])["path"].to_pylist()
    return [listing.roots.place(path) for path in paths]


def ranks(rows: pa.Table | pa.RecordBatch) -> pa.Array | pa.ChunkedArray:
    """Return int64 (N,) by which readings are ordered: the larger is the later one.

    That is the number of the commit. Rows of tables from before it was written rank below all that
    have it, by the time that a clock said.
    """
    times = pc.subtract(rows["read_at"].cast(pa.int64()), BEFORE_COMMITS)
    return pc.coalesce(rows["commit_version"], times)


def current(rows: pa.Table) -> pa.Table:
    """Return the rows of the last reading of each file; all pages of one are of one commit."""
    readings = rows.select(["root", "path"]).append_column(RANK, ranks(rows))
    last = readings.group_by(["root", "path"]).aggregate([(RANK, "max")])
    numbered = readings.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    joined = numbered.join(last, ["root", "path"])
    return rows.take(joined.filter(pc.field(RANK) == pc.field(f"{RANK}_max"))["row"])


def check_out(out: Path) -> None:
    """Refuse an output file that could not be written, before any work is done.

    Raises:
        InputError: its suffix names no known format, or its folder cannot be written.
    """
    if out.suffix not in OUT_SUFFIXES:
        raise InputError(f"--out {out}: the name must end in {', '.join(OUT_SUFFIXES)}")
    file = absolute(out)
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise InputError(f"--out {out}: {file.parent} is not a folder that can be written")
    try:
        kind = file.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}") from None
    if not stat.S_ISREG(kind):
        raise InputError(f"--out {out} is a folder, pipe or device: give the name of a file")
    if not os.access(file, os.W_OK):
        raise InputError(f"--out {out} may not be overwritten by this user")


def export(rows: pa.Table, out: Path) -> None:
    """Write rows as CSV, Parquet or JSON lines, by the suffix of the name; whole or not at all."""
    with atomic_write(absolute(out)) as temporary:
        if out.suffix == ".parquet":
            pq.write_table(rows, temporary)
        elif out.suffix == ".csv":
            _write_csv(rows.flatten(), temporary)
        else:
            _write_json_lines(rows, temporary)


def _write_csv(rows: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(name.replace(".", "_") for name in rows.column_names)
        for row in plain_rows(rows):
            writer.writerow(no_formula(value) for value in row.values())


def no_formula(value: Any) -> Any:
    """Return text with a `'` before what a spreadsheet would take for a formula."""
    return FORMULA.sub("'", value) if isinstance(value, str) else value


def _write_json_lines(rows: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as opened:
        for row in plain_rows(rows):
            opened.write(json.dumps(row) + "\n")


def plain_rows(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as values that CSV and JSON know; floats as short as their 32 bits allow."""
    for batch in rows.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            row["read_at"] = row["read_at"].isoformat()
            yield {
                name: float(f"{value:.7g}") if isinstance(value, float) else value
                for name, value in row.items()
            }
