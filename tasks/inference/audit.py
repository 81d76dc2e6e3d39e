"""What is drawn for the audit of what was read: the column `audit` of a shard's rows.

A shard is whole when it is drawn from, so that it is known which digits are rare in it. One that is
read anew, as after a crash, gives the same pictures.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.metrics.audit_sample import drawn, probabilities
from tasks.outcomes import Status
from tasks.results.table import NUL

NAMED_BY = ("root", "path", "page", "content_hash")


def with_audit(rows: pa.Table, share: float, run_id: str) -> pa.Table:
    """Return rows with the probability by which those that are drawn were drawn.

    Args:
        rows: of whole files.
        share: of what is read that is drawn, in the mean; 0: nothing.
        run_id: of the run that reads them.
    """
    if not share:
        return rows
    read = pc.equal(rows["status"], Status.READ)
    some = rows.filter(read)
    if not some.num_rows:
        return rows
    digits, confidences = (some[name].to_numpy() for name in ("digit", "confidence"))
    probable = probabilities(digits, confidences, share)
    chosen = drawn(_names(some), probable, run_id)
    column = rows.schema.get_field_index("audit")
    audit = pa.array(probable, mask=~chosen)
    places = np.cumsum(read.to_numpy()) - 1
    at = pa.array(places, mask=~read.to_numpy())
    return rows.set_column(column, rows.schema.field(column), audit.take(at))


def _names(rows: pa.Table) -> list[bytes]:
    texts = [rows[name].cast(pa.string()) for name in NAMED_BY]
    names = pc.binary_join_element_wise(*texts, NUL, null_handling="replace", null_replacement="")
    return [name.encode() for name in names.to_pylist()]
