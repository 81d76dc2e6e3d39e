r"""Tables in which a backslash in a file's name is two: their rows get the names of today, once.

Earlier versions of digitflow wrote `scans\\win\\4.png` for the member `scans\win\4.png` of a zip.
By that name no later run would find the file's row, and would read it into the table once more.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction

from tasks.inputs.base import printable
from tasks.results.table import ROW_BATCH, Text, dataset_of, scanner_of
from tasks.results.table_files import commit_files, sync_rows

NAMES = Transaction("digitflow/names", 2)  # of tables whose names are as they are written today
DOUBLED = re.compile(rb"\\(\\|x[0-9a-f]{2})")
FILE = ("root", "path")


def rename(version: DeltaTable, table: str) -> None:
    """Give the rows of a table of before the names of today.

    The commit that does so has an id by which the table is known from then on: a second one would
    take doubled backslashes for doubled ones of before.

    Args:
        version: the newest one; is brought up to date.
        table: folder or URL of it.

    Raises:
        CommitFailedError: another commit came between.
    """
    if version.transaction_version(NAMES.app_id) is not None:
        return
    properties = CommitProperties(app_transactions=[NAMES], max_commit_retries=0)
    names = _names_of_before(version, table)
    if not names.num_rows:
        commit_files(version, table, [], version.schema(), properties)
        version.update_incremental()
        return
    merge = version.merge(
        names,
        "file.root = before.root AND file.path = before.path",
        source_alias="before",
        target_alias="file",
        commit_properties=properties,
    )
    merge.when_matched_update({name: f"before.new_{name}" for name in FILE}).execute()
    sync_rows(table, version.version())


def _names_of_before(version: DeltaTable, table: str) -> pa.Table:
    """Return roots and paths that are written otherwise today, with how they are."""

    def doubled(text: Text) -> pc.Expression:
        root, path = (pc.match_substring(text(name), "\\\\") for name in FILE)
        return root | path

    batches = scanner_of(
        dataset_of(version, table),
        doubled,
        list(FILE),
        batch_size=ROW_BATCH,
        batch_readahead=1,
        fragment_readahead=1,
    ).to_batches()
    names = dict[tuple[str, str], tuple[str, str]]()
    for batch in batches:
        for root, path in zip(*(batch[name].to_pylist() for name in FILE), strict=True):
            new = written_today(root), written_today(path)
            if new != (root, path):
                names[root, path] = new
    columns = [*zip(*(before + after for before, after in names.items()), strict=True)] or [()] * 4
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.table(arrays, [*FILE, *(f"new_{name}" for name in FILE)])


def written_today(text: str) -> str:
    """Return the text of a name that an earlier version wrote so."""
    return printable(DOUBLED.sub(_plain, text.encode()))


def _plain(found: re.Match[bytes]) -> bytes:
    escape = found[1]
    return escape if escape == b"\\" else bytes([int(escape[1:], 16)])
