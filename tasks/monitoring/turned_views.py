"""Do pictures show digits once they are turned or mirrored: as a scanner may have fed them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.inference.session import ModelSession
from tasks.monitoring.batch_profile import MIRRORED, Views

Pixels = NDArray[np.uint8]

CLEAR = 0.9  # digit score and confidence of a picture that shows a digit clearly
VIEWS: dict[str, Callable[[Pixels], Pixels]] = {
    "turned by 90 degrees to the left": lambda forms: np.rot90(forms, 1, (1, 2)),
    "turned by 90 degrees to the right": lambda forms: np.rot90(forms, -1, (1, 2)),
    "upside down": lambda forms: np.rot90(forms, 2, (1, 2)),
    MIRRORED: lambda forms: forms[:, :, ::-1],
}
"""How canonical forms (N, 28, 28) are turned: to what a picture shows that lay the other way."""


def viewed(forms: Sequence[Pixels], session: ModelSession) -> Views:
    """Return how many canonical forms (28, 28) show a digit clearly, as they lie and turned.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    if not forms:
        return Views(pictures=0, upright=0, turned={})
    clear = clear_views(forms, session)
    return Views(
        pictures=len(forms),
        upright=int(clear[0].sum()),
        turned={name: int(some.sum()) for name, some in zip(VIEWS, clear[1:], strict=True)},
    )


def clear_views(forms: Sequence[Pixels], session: ModelSession) -> NDArray[np.bool_]:
    """Tell of canonical forms (28, 28) which show a digit clearly, (1 + views, N).

    The first row is that of the forms as they are, the others are those of VIEWS.
    """
    stack = np.stack(forms)
    views = [stack, *(turn(stack) for turn in VIEWS.values())]
    answers = session.answers(np.ascontiguousarray(np.concatenate(views)))
    clear = answers.probabilities.max(axis=1) >= CLEAR
    if answers.digit_scores is not None:
        clear &= answers.digit_scores >= CLEAR
    return np.asarray(clear.reshape(len(views), len(forms)))
