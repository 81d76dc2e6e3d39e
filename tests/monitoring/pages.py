"""Pages as the process that decodes for people gives them, and the model that reads them."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from tasks.decoding.decode import Picture
from tasks.decoding.thumbnail import thumbnail
from tasks.device import cpu
from tasks.inference.decision import Thresholds, guaranteed
from tasks.inference.model_file import model_in
from tasks.inference.session import ModelSession
from tasks.monitoring.control_digits import Sampled, sampled_of
from tasks.processes.page_process import DecodedPage


def page_of(picture: Picture) -> DecodedPage:
    """Return a decoded picture as a page with its thumbnail."""
    form, ink, others = picture.prepared()
    small = thumbnail(picture.shown())
    return DecodedPage(form, ink, picture.width, picture.height, small, others)


SHIPPED = Path(__file__).parents[2] / "tasks" / "registry" / "bundled_model" / "model.onnx"


@cache
def shipped_session() -> ModelSession:
    """Return the shipped model, loaded once."""
    return ModelSession(model_in(SHIPPED), cpu())


@cache
def shipped_thresholds() -> Thresholds:
    """Return its thresholds."""
    return guaranteed(0.005, shipped_session().calibration)[1]


def written(text: str, *, inverted: bool = False) -> Picture:
    """Return a digit of a font on paper, as it was decoded."""
    picture = np.full((120, 100), 230, np.uint8)
    cv2.putText(picture, text, (22, 92), cv2.FONT_HERSHEY_SIMPLEX, 2.8, 60, 8, cv2.LINE_AA)
    noisy = picture + np.random.default_rng(0).normal(0, 2, picture.shape)
    shown = np.clip(noisy, 0, 255).astype(np.uint8)
    return Picture(255 - shown if inverted else shown, 100, 120)


def sampled(*texts: str) -> list[Sampled]:
    """Return digits of a font, taken apart."""
    return [sampled_of(page_of(written(text))) for text in texts]
