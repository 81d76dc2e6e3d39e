"""What becomes of the files themselves once their rows are in the table: `original` in each row.

It is in the commit that brings the rows, so that it is never true of a file without them. Whoever
commits answers for what is in review calls `mark` in the same way, and the file goes with the next
look at its inbox.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.inputs.listing import Listing
from tasks.outcomes import DELETED, NOT_OF_THE_FILE, Originals, Status
from tasks.results.commit import WriterContext, commit
from tasks.results.table import current_rows, file_names, is_table

READ, REJECTED, STAYS = range(3)  # of a file: the worst of its pages
FILES = 16_384  # that are marked in one commit
FATE = "fate"
KEYS = ("root", "path", "size", "mtime_ns", "original")


def with_fates(rows: pa.Table, originals: Originals) -> pa.Table:
    """Return the rows of whole files with the column `original` as it will be."""
    if originals.stay:
        return rows
    column = rows.schema.get_field_index("original")
    return rows.set_column(column, rows.schema.field(column), fates(rows, originals))


def fates(rows: pa.Table, originals: Originals) -> pa.Array:
    """Return for each row of whole files what becomes of its file; null: it stays."""
    index = pc.dictionary_encode(_names(rows)).indices.to_numpy(zero_copy_only=False)
    worst = np.full(rows.num_rows, READ)
    np.maximum.at(worst, index, _standing(rows, originals))
    kinds = pa.array([originals.read, originals.rejected, None], pa.string())
    return kinds.take(pa.array(worst[index]))


def _standing(rows: pa.Table, originals: Originals) -> NDArray[np.int64]:
    rejected = pc.equal(rows["status"], Status.REJECTED)
    stays = pc.or_(
        pc.equal(rows["status"], Status.REVIEW),
        pc.is_in(rows["reason"], pa.array(sorted(NOT_OF_THE_FILE), pa.string())),
    )
    if originals.read == DELETED:  # nobody could look at what was drawn for the audit
        drawn = pc.and_(rows["audit"].is_valid(), rows["answered_by"].is_null())
        stays = pc.or_(stays, drawn)
    standing = pc.if_else(stays, STAYS, pc.if_else(rejected, REJECTED, READ))
    return np.asarray(standing.to_numpy(zero_copy_only=False), np.int64)


def leaving(listing: Listing, table: str, originals: Originals) -> pa.Table:
    """Return the files of a listing that have to go by their current rows: KEYS and FATE.

    Raises:
        DigitflowError: the table cannot be read.
    """
    columns = [*KEYS, "page", "status", "reason", "audit", "answered_by"]
    if originals.stay or not listing.count or not is_table(table):
        return pa.table({name: pa.nulls(0, pa.string()) for name in (*KEYS, FATE)})
    rows = current_rows(table, listing, columns=columns)
    rows = rows.append_column(FATE, fates(rows, originals))
    first = pc.equal(rows["page"], 0)
    return rows.filter(pc.and_(first, rows[FATE].is_valid())).select([*KEYS, FATE])


def mark(files: pa.Table, run_id: str, writer: WriterContext) -> None:
    """Commit again the current rows of files whose rows do not say yet what becomes of them.

    So are rows from before their inbox was told so, and what has left review. The rows stay those
    of the run that read them.

    Args:
        files: as `leaving` gives them.
        run_id: names the commit.
        writer: about the roots of these files.

    Raises:
        DigitflowError: the table cannot be read or written.
    """
    told = pc.fill_null(pc.equal(files["original"], files[FATE]), False)
    untold = files.filter(pc.invert(told))
    for start in range(0, untold.num_rows, FILES):
        group = untold.slice(start, FILES)
        rows = current_rows(writer.table, group)
        at = pc.index_in(_names(rows), value_set=_names(group))
        column = rows.schema.get_field_index("original")
        going = group[FATE].combine_chunks().take(at)
        marked = rows.set_column(column, rows.schema.field(column), going)
        ours = WriterContext(
            writer.table, writer.root, run_id, writer.version, more=writer.more, redecides=True
        )
        commit(marked, f"{run_id}/originals/{start}", ours)


def _names(rows: pa.Table) -> pa.Array:
    return file_names(rows).combine_chunks()
