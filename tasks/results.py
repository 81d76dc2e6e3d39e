"""The results table: a Delta Lake table with one row for each picture, in it once or not at all."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from tasks.errors import InputError
from tasks.files import whole_file

PROBABILITIES = [f"p{digit}" for digit in range(10)]  # columns: not every reader knows fixed lists
INK_TYPE = pa.struct(
    [
        ("polarity", pa.string()),
        ("contrast", pa.int16()),
        ("share", pa.float32()),
        ("left", pa.int32()),
        ("top", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("stroke_width", pa.float32()),
        ("groups", pa.int16()),
        ("rivals", pa.int16()),
        ("touches_edge", pa.bool_()),
        ("removed", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("root", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("page", pa.int16(), nullable=False),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("content_hash", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        ("detail", pa.string()),
        ("digit", pa.int8()),
        ("confidence", pa.float32()),
        ("digit_score", pa.float32()),
        *[(name, pa.float32()) for name in PROBABILITIES],
        ("ink", INK_TYPE),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("canonical_version", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("read_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
COMMIT_TRIES = 5
OUT_SUFFIXES = (".csv", ".parquet", ".jsonl")


def commit(table: Path, rows: pa.Table, transaction: str) -> None:
    """Add rows to the table in one commit, unless a commit of that transaction id is there.

    Args:
        table: folder of the table; it is made by the first commit.
        rows: of SCHEMA.
        transaction: the run and shard these rows come from.
    """
    once = CommitProperties(app_transactions=[Transaction(transaction, 1)])
    table.parent.mkdir(parents=True, exist_ok=True)
    for tries_left in reversed(range(COMMIT_TRIES)):
        try:
            # one handle for the question and the commit: what others commit between is a conflict
            latest = DeltaTable.create(str(table), SCHEMA, mode="ignore")
            if latest.transaction_version(transaction) is None:
                write_deltalake(latest, rows, mode="append", commit_properties=once)
            return
        except CommitFailedError:
            if not tries_left:
                raise


def select(
    table: Path,
    *,
    run: str | None = None,
    status: str | None = None,
    path: str | None = None,
    columns: list[str] | None = None,
) -> pa.Table:
    """Return the rows that match every condition given, ordered by path and page.

    Args:
        table: folder of the table.
        run: run id.
        status: `read`, `review` or `rejected`.
        path: a part of the path.
        columns: names, all by default.

    Raises:
        InputError: there is no table yet.
    """
    if not DeltaTable.is_deltatable(str(table)):
        raise InputError(f"no results in {table} yet: run `digitflow predict FOLDER` first")
    conditions = [pc.scalar(True)]
    if run:
        conditions.append(pc.field("run_id") == run)
    if status:
        conditions.append(pc.field("status") == status)
    if path:
        conditions.append(pc.match_substring(pc.field("path"), path))
    wanted = conditions[0]
    for condition in conditions[1:]:
        wanted = wanted & condition
    dataset = DeltaTable(str(table)).to_pyarrow_dataset()
    rows: pa.Table = dataset.to_table(columns=columns, filter=wanted)
    return rows.sort_by([(c, "ascending") for c in ("path", "page") if c in rows.column_names])


def count(table: Path, run: str) -> int:
    """Return how many rows a run has in the table."""
    if not DeltaTable.is_deltatable(str(table)):
        return 0
    dataset = DeltaTable(str(table)).to_pyarrow_dataset()
    return int(dataset.count_rows(filter=pc.field("run_id") == run))


def check_out(out: Path) -> None:
    """Refuse an output file that could not be written, before any work is done.

    Raises:
        InputError: its suffix names no known format, or its folder cannot be written.
    """
    if out.suffix not in OUT_SUFFIXES:
        raise InputError(f"--out {out}: the name must end in {', '.join(OUT_SUFFIXES)}")
    if out.expanduser().is_dir():
        raise InputError(f"--out {out} is a folder: give the name of a file")
    folder = out.expanduser().absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"--out {out}: {folder} is not a folder that can be written")


def export(rows: pa.Table, out: Path) -> None:
    """Write rows as CSV, Parquet or JSON lines, by the suffix of the name; whole or not at all."""
    with whole_file(out.expanduser().absolute()) as temporary:
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
            writer.writerow(row.values())


def _write_json_lines(rows: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as opened:
        for row in plain_rows(rows):
            opened.write(json.dumps(row, ensure_ascii=False) + "\n")


def plain_rows(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as values that CSV and JSON know; floats as short as their 32 bits allow."""
    for batch in rows.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            row["read_at"] = row["read_at"].isoformat()
            yield {
                name: float(f"{value:.7g}") if isinstance(value, float) else value
                for name, value in row.items()
            }
