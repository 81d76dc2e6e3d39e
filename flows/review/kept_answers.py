"""What people say of a picture is kept as a correction, from which a training may learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.corrections.answers import AnswerFacts
from tasks.corrections.store import Corrections
from tasks.review.session import Keep

TAKEN_BACK = "the answer was taken back, or is no digit any more"


def keeping(corrections: Corrections) -> Keep:
    """Return what keeps each picture whose digit a person has said among these corrections."""

    def keep(page: NDArray[np.uint8], digit: int | None, row: Mapping[str, Any]) -> None:
        if digit is None:
            corrections.forget(page, TAKEN_BACK)
            return
        facts = AnswerFacts(
            by=row["answered_by"],
            source=row["root"],
            path=row["path"],
            page=row["page"],
            model_version=row["model_version"],
            model_status=row["model_status"],
            model_digit=row["model_digit"],
        )
        corrections.keep(page, digit, facts)

    return keep
