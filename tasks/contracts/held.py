"""Why a batch is held, as it stands in its record, in the summary of its run and in its report."""

from tasks.contracts.base import Contract


class HeldFor(Contract):
    """One thing that is odd about a batch."""

    reason: str  # a code, such as `digits_mix`
    sentence: str  # for a person
