"""Bars that stand for digits, and a model that reads them: made without TensorFlow."""

import io
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tasks.imaging.form import CANONICAL_VERSION
from tasks.inference.session import CALIBRATION
from tasks.metrics.calibration import Calibration
from tasks.metrics.promise import promise_for
from tasks.metrics.risk_curve import RiskCurve, Threshold

ROWS = 20  # of every bar
COLUMNS = 2 * np.arange(10) + 2  # of the bar that stands for each digit
# what the model of bars guarantees: 0.6 is the lowest threshold for an error of 0.005
BAR_CALIBRATION = Calibration(
    temperature=1.0,
    error_before=0.01,
    error_after=0.01,
    min_digit_score=0.5,
    sure_digit_score=0.5,
    no_digits=100,
    no_digits_rejected=0.9,
    no_digits_refused=0.9,
    curve=RiskCurve(
        digits=4000,
        thresholds=(0.0, 0.6, 0.999),
        accepted=(4000, 3900, 10),
        wrong=(100, 0, 0),
    ),
)


def bar_threshold(max_error: float = 0.005) -> Threshold:
    """Return what the model of bars guarantees for an error that is accepted."""
    return promise_for(max_error, BAR_CALIBRATION.curves).whole


def bar(digit: float) -> NDArray[np.uint8]:
    """Return a canonical picture of a digit; `digit + 0.5` lies halfway between two."""
    width = round(2 * digit + 2)
    left = 14 - width // 2
    picture = np.zeros((28, 28), np.uint8)
    picture[4 : 4 + ROWS, left : left + width] = 255
    return picture


def encoded(picture: NDArray[np.uint8], format: str = "PNG", **options: object) -> bytes:
    """Return a picture as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **options)
    return file.getvalue()


def encoded_once(picture: NDArray[np.uint8], number: int) -> bytes:
    """Return a picture as a PNG that no other number has: a scanner makes no two files alike."""
    note = PngInfo()
    note.add_text("number", str(number))
    return encoded(picture, pnginfo=note)


def with_comment(jpeg: bytes, number: int) -> bytes:
    """Return a JPEG as one that no other number has."""
    text = str(number).encode()
    segment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
    return jpeg[:2] + segment + jpeg[2:]


def save_bar_model(
    path: Path,
    version: str = "bars",
    form: str | None = CANONICAL_VERSION,
    side: int = 28,
    calibration: str | None = BAR_CALIBRATION.to_json(),
    scored: bool = False,
    nan: bool = False,
) -> Path:
    """Write an ONNX file of our contract that reads bars, each with probability 0.96 or more.

    Its logits are -(ink - columns)^2, in columns of ink, less what is the same for every digit. A
    scored one gives a digit score too: 1 where the middle pixel has ink, else 0. With `nan` no
    probability is a number.
    """
    weight = np.full((side * side, 1), 1 / 255 / ROWS) * 2 * COLUMNS
    constants = {"weight": weight.astype(np.float32), "bias": (-(COLUMNS**2)).astype(np.float32)}
    if nan:
        constants["bias"][:] = np.nan
    middle = np.zeros((1, side, side), np.float32)
    middle[0, side // 2, side // 2] = 1 / 255
    constants |= {"middle": middle, "axes": np.array([1, 2])}
    scoring = [
        helper.make_node("Mul", ["float", "middle"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "axes"], ["digit_score"], keepdims=0),
    ]
    outputs = [("probabilities", ["n", 10])] + [("digit_score", ["n"])] * scored
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["float"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weight"], ["ink"]),
            helper.make_node("Add", ["ink", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
            *scoring * scored,
        ],
        "bars",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    facts = {"version": version, "canonical_version": form, CALIBRATION: calibration}
    helper.set_model_props(model, {name: value for name, value in facts.items() if value})
    onnx.save(model, path)
    return path
