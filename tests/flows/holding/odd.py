"""What finds a batch odd in tests: one of which half is rejected."""

from collections.abc import Sequence

from tasks.monitoring.batch_checks import Finding
from tasks.monitoring.batch_profile import BatchProfile


def odd_where_half_is_rejected(
    batch: BatchProfile, earlier: Sequence[BatchProfile]
) -> list[Finding]:
    rejected = batch.statuses.get("rejected", 0)
    if rejected * 2 < batch.pictures:
        return []
    return [Finding(reason="rejects", sentence=f"{rejected} of {batch.pictures} rejected")]
