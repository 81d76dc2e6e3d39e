"""Pictures that were fed the wrong way show digits once they are turned back."""

import numpy as np
import pytest

from tasks.imaging.canonical import prepared
from tasks.monitoring.turned_views import VIEWS, viewed
from tests.monitoring.pages import shipped_session, written


@pytest.mark.parametrize(
    ("turn", "name"),
    [
        (lambda p: np.rot90(p, 2), "upside down"),
        (lambda p: np.rot90(p, 1), "turned by 90 degrees to the right"),
        (lambda p: np.rot90(p, -1), "turned by 90 degrees to the left"),
        (lambda p: p[:, ::-1], "mirrored"),
    ],
)
def test_turned_pictures_are_clear_when_they_are_turned_back(turn: object, name: str) -> None:
    assert callable(turn)
    pictures = [np.ascontiguousarray(turn(written(text).pixels)) for text in "23457" * 4]
    found = viewed([prepared(picture).form for picture in pictures], shipped_session())
    assert found.turned[name] >= found.upright + 8
    assert found.turned.keys() == VIEWS.keys()
