"""Many small files of the results table into few: what keeps an hourly schedule quick for years.

Each commit adds a file, and whoever asks the table opens them all. Compacting changes no row: a
reader sees the files before or after, and a commit at the same moment makes one of the two wait.
"""

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from tasks.errors import DigitflowError
from tasks.results import open_table, said

MANY = 100  # small files: as many are worth a second
SMALL, LARGE = 2**20, 2**24  # bytes: what counts as small, and what files grow to
RETENTION = 7 * 24  # hours: so long nobody reads by an old version of the table


def small_files(table: str) -> int:
    """Return how many files of the table are small."""
    return int(pc.sum(pc.less(_sizes(open_table(table)), SMALL), min_count=0).as_py())


def compact(table: str) -> bool:
    """Write the small files anew as few; False if another writer came between, who may do it next.

    Files that earlier compacting has replaced are deleted once that is a week ago.

    Raises:
        DigitflowError: the table cannot be written.
    """
    opened = open_table(table)
    try:
        # one at a time: how much memory it takes does not depend on the table
        opened.optimize.compact(target_size=LARGE, max_concurrent_tasks=1)
        # by the table's own log: other files in its folder are somebody else's, pictures perhaps
        opened.vacuum(RETENTION, dry_run=False, full=False)
    except CommitFailedError:
        return False
    except (OSError, DeltaError) as error:
        raise DigitflowError(f"{table} cannot be compacted: {said(error)}") from error
    return True


def _sizes(table: DeltaTable) -> pa.ChunkedArray:
    return pa.table(table.get_add_actions(flatten=True))["size_bytes"]
