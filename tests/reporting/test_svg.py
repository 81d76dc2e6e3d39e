"""The figures: always well-formed, whatever the words and values."""

import base64
import math
import re
from typing import Any
from xml.parsers import expat

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.contracts.training import Epoch, Layer
from tasks.reporting.svg import (
    STRIP,
    Figure,
    Line,
    Tile,
    bars,
    confusion_matrix,
    digit_grid,
    digit_strips,
    line_chart,
    network_diagram,
    share_map,
    training_curves,
)
from tasks.visible import visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates and controls included
ANY_NUMBER = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
PICTURE = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28).astype(np.uint8)


def words_of(figure: Figure) -> list[str]:
    """Return the character data of a figure; raises where the SVG is not well-formed."""
    words: list[str] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.CharacterDataHandler = words.append
    parser.EndElementHandler = lambda name: None  # ends the buffer: one entry for each element
    parser.Parse(figure.svg.encode("utf-8"), True)
    return words


def epoch(number: int, **values: Any) -> Epoch:
    blank = {"loss": 0.5, "accuracy": 0.9, "val_loss": 0.6, "val_accuracy": 0.8, "seconds": 1}
    return Epoch.from_dict({"epoch": number, **blank, **values})


@settings(deadline=None)  # a busy machine is no defect
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_a_grid_is_well_formed_and_shows_its_words_whatever_they_are(
    title: str, caption: str, note: str, hint: str
) -> None:
    words = words_of(digit_grid(title, [Tile(PICTURE, caption, note, "bad", hint)]))
    assert visible(caption) in words or not caption
    assert visible(note) in words or not note


def test_a_tile_holds_its_picture_as_dark_ink_on_paper() -> None:
    found = re.search(r"base64,([^\"]+)", digit_grid("", [Tile(PICTURE, "7")]).svg)
    assert found
    data = np.frombuffer(base64.b64decode(found[1]), np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), 255 - PICTURE)


@pytest.mark.parametrize("count", [0, 1, STRIP, STRIP + 1, 23])
def test_strips_hold_every_picture_once_and_in_order(count: int) -> None:
    strips = digit_strips("All", [Tile(PICTURE, f"caption {i}") for i in range(count)])
    captions = re.findall(r">(caption \d+)</text>", "".join(strip.svg for strip in strips))
    assert captions == [f"caption {i}" for i in range(count)]


def test_a_network_names_its_layers_shapes_and_parameters() -> None:
    layers = [
        Layer(name="images", type="InputLayer", output_shape=[28, 28], parameters=0),
        Layer(name="c<1>", type="Conv2D", output_shape=[14, 14, 32], parameters=320),
        Layer(name="p", type="Dense", output_shape=[10], parameters=62_730),
    ]
    figure = network_diagram(layers)
    text = " ".join(words_of(figure))
    assert "63,050" in figure.title
    for part in ("InputLayer", "c<1>: 14 \u00d7 14 \u00d7 32", "62,730", "63,050", "p: 10"):
        assert part in text


def test_an_empty_network_is_drawn() -> None:
    assert "0" in words_of(network_diagram([]))


@settings(deadline=None)  # a busy machine is no defect
@given(st.lists(st.tuples(ANY_NUMBER, ANY_NUMBER), max_size=30))
def test_curves_are_well_formed_for_any_history(values: list[tuple[float, float]]) -> None:
    history = [epoch(i + 1, loss=a, val_loss=b) for i, (a, b) in enumerate(values)]
    loss, accuracy = training_curves(history)
    assert {"Loss", "training", "validation", "epoch"} <= set(words_of(loss))
    assert "Accuracy, %" in words_of(accuracy)
    assert "nan" not in loss.svg
    assert "inf" not in loss.svg


@pytest.mark.parametrize("loss", [0.0, 5e-324, 1.0, -3.5, 1e30])
def test_values_that_hardly_differ_still_get_an_axis(loss: float) -> None:
    history = [epoch(1, loss=loss, val_loss=math.nextafter(loss, math.inf))]
    words = words_of(training_curves(history)[0])
    ticks = [word for word in words if re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", word)][:-1]
    assert len(ticks) == len(set(ticks)) >= 3


def test_a_value_that_is_no_number_leaves_a_gap_in_the_curve() -> None:
    loss, _ = training_curves([epoch(i, loss=math.nan if i == 2 else 0.5) for i in range(1, 5)])
    assert loss.svg.count("<circle") == 3 + 4


def test_a_confusion_matrix_shows_every_count_and_marks_only_errors() -> None:
    matrix = np.diag(range(1000, 1010))
    matrix[7, 2] = 4
    figure = confusion_matrix(matrix.tolist())
    assert {"1,000", "1,009", "4"} <= set(words_of(figure))
    assert figure.svg.count("--bad") == 1


def test_bars_show_every_count_also_when_all_are_zero() -> None:
    assert words_of(bars("Read", [0] * 10)).count("0") == 10 + 1
    assert "1,234" in words_of(bars("Read", [1234, *range(9)]))


@given(st.lists(st.tuples(ANY_TEXT, ANY_NUMBER, ANY_NUMBER, ANY_NUMBER), max_size=12))
def test_lines_and_shares_over_time_are_well_formed_whatever_the_values(
    places: list[tuple[str, float, float, float]],
) -> None:
    names = [name for name, *_ in places]
    values = [value for _, value, _, _ in places]
    ends = [(low, high) for *_, low, high in places]
    lines = [Line("one", values), Line("two", values, intervals=ends)]
    assert "two" in words_of(line_chart("Error", "%", names, lines, "week", 6, 1.0))
    assert "7" in words_of(share_map("Mix", "mix", names, {"7": values}, "week"))


def test_an_interval_is_drawn_only_where_both_its_ends_are_known() -> None:
    line = Line("error", [1.0, math.nan, 2.0], intervals=[(0, 3), (math.nan, math.nan), (1, 4)])
    figure = line_chart("Error", "%", ["a", "b", "c"], [line], "week")
    assert figure.svg.count('stroke-opacity="0.3"') == 2


def test_the_darkest_field_is_the_largest_share() -> None:
    figure = share_map("Mix", "mix", ["a", "b"], {"0": [0.4, 0.2], "1": [0.6, 0.8]}, "week")
    opacities = re.findall(r'fill-opacity="([\d.]+)"', figure.svg)
    assert opacities == ["0.500", "0.250", "0.750", "1.000"]
    assert "a, 1: 60.0 %" in words_of(figure)
