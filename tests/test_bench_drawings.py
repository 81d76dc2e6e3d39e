"""The benchmark programs draw what they say, count right, and say what is missing."""

import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bars import bar
from tests.bench import beside_ocr, letters, mnist_c
from tests.bench.drawn_kinds import Readings, read_kinds


@pytest.fixture(scope="module")
def digits() -> NDArray[np.uint8]:
    """Return two soft pictures in MNIST's frame: a ring and a stroke with a foot."""
    out = np.zeros((2, 28, 28), np.uint8)
    cv2.ellipse(out[0], (14, 14), (5, 8), 0, 0, 360, 255, 2, cv2.LINE_AA)
    cv2.polylines(out[1], [np.array([(13, 5), (13, 22), (18, 22)])], False, 255, 2, cv2.LINE_AA)
    return out


def readings(digits: list[int], read: list[bool]) -> Readings:
    return Readings(np.array(digits, np.int8), np.array(read), ["ok"] * len(digits))


@pytest.mark.parametrize("kind", mnist_c.KINDS)
def test_a_corruption_is_the_same_each_time_and_changes_every_digit(
    kind: str, digits: NDArray[np.uint8]
) -> None:
    damaged = mnist_c.corrupted(digits, kind)
    np.testing.assert_array_equal(damaged, mnist_c.corrupted(digits, kind))
    assert damaged.dtype == np.uint8
    assert (damaged != digits).any((1, 2)).all()
    # what is drawn for a picture hangs on it alone, not on how many others there are
    np.testing.assert_array_equal(damaged[:1], mnist_c.corrupted(digits[:1], kind))


def test_there_are_the_15_kinds_of_mnist_c() -> None:
    assert len(mnist_c.KINDS) == 15
    assert {"stripe", "canny edges", "zigzag", "dotted line"} < set(mnist_c.KINDS)


def test_corruptions_have_the_published_strengths(digits: NDArray[np.uint8]) -> None:
    ring, stroke = digits / 255
    random = np.random.default_rng(1)
    stripes = mnist_c.stripe(ring, random)
    np.testing.assert_array_equal(stripes[:, 7:21], ring[:, 7:21])
    np.testing.assert_array_equal(stripes[:, :7], 1 - ring[:, :7])
    np.testing.assert_array_equal(stripes[:, 21:], 1 - ring[:, 21:])
    moved = np.argwhere(mnist_c.translate(stroke, random) > 0.5).min(0)
    np.testing.assert_array_equal(np.abs(moved - np.argwhere(stroke > 0.5).min(0)), [3, 3])
    assert mnist_c.scale(ring, random).sum() == pytest.approx(0.49 * ring.sum(), rel=0.03)
    assert mnist_c.rotate(ring, random).sum() == pytest.approx(ring.sum(), rel=0.03)
    assert mnist_c.brightness(ring, random).min() == 0.5
    grey = np.full((28, 28), 0.5)
    hit = np.mean([mnist_c.impulse_noise(grey, random) != grey for _ in range(50)])
    assert hit == pytest.approx(0.17, abs=0.01)
    assert mnist_c.shot_noise(np.full((28, 28), 0.5), random).mean() == pytest.approx(0.5, abs=0.05)


def test_motion_smears_a_dot_along_half_a_normal_curve() -> None:
    dot = np.zeros((28, 28))
    dot[14, 22] = 1
    smeared = mnist_c.motion_blurred(dot, 0)
    assert smeared[14, 22] / smeared[14, 19] == pytest.approx(np.exp(0.5))  # 3 px: one sigma
    assert smeared[14, 2:23].sum() == pytest.approx(1)
    assert smeared[14, 23:].max() < 1e-9
    assert mnist_c.motion_blurred(dot, 45)[15:].max() < 1e-9  # all of it goes up


def test_edges_are_lines_around_what_was_full() -> None:
    full = np.zeros((28, 28))
    full[8:20, 8:20] = 1
    edges = mnist_c.canny_edges(full, np.random.default_rng(1))
    assert set(np.unique(edges)) == {0, 1}
    assert not edges[11:17, 11:17].any()
    assert edges.sum() == pytest.approx(4 * 12, abs=8)


def test_a_zigzag_goes_up_and_down_by_two_along_its_line() -> None:
    points = mnist_c.zigzag_points(10, 0)
    assert points[:4] == [(2, 10), (4, 12), (8, 8), (12, 12)]
    assert all(a[0] < b[0] for a, b in pairwise(points))
    line = mnist_c.faded_line((4.0, 10.0), (24.0, 10.0))
    assert (line[10, 4:24] == 1).all()
    assert not line[:, :4].any()
    assert not line[13:].any()


def test_what_mnist_c_asks_is_told_kind_by_kind() -> None:
    labels = np.arange(10)
    right = readings(list(range(10)), [True] * 10)
    found = dict.fromkeys(mnist_c.KINDS, right)
    assert mnist_c.missed(found, labels) == []
    found["fog"] = readings([1, *range(1, 10)], [True] * 10)
    [wrong] = mnist_c.missed(found, labels)
    assert wrong.startswith("fog: 10.00% wrong among read")
    found["fog"] = readings([1, *range(1, 10)], [False] + [True] * 9)
    assert mnist_c.missed(found, labels) == []  # wrong, but nobody was told so
    rejected = dict.fromkeys(mnist_c.KINDS, readings([-1] * 10, [False] * 10))
    assert mnist_c.missed(rejected, labels) == ["mean right 0.0%, asked at least 85%"]


@pytest.mark.parametrize("alphabet", letters.ALPHABETS)
def test_letters_are_the_same_each_time_each_by_another_hand(alphabet: str) -> None:
    count = len(letters.ALPHABETS[alphabet])
    pictures = list(letters.drawn(alphabet, 2 * count))
    again = list(letters.drawn(alphabet, count))
    assert all((a == b).all() for a, b in zip(pictures, again, strict=False))
    for first, second in zip(pictures, pictures[count:], strict=False):
        assert np.ptp(first) > 60  # there is ink
        assert first.shape != second.shape or (first != second).any()


def test_strokes_stay_inside_their_picture_at_any_width() -> None:
    random = np.random.default_rng(1)
    for glyph in letters.GREEK.values():
        strokes = letters.by_hand(glyph, random)
        for pen in (1.0, 12.0):
            cover = letters.cover_of(strokes, 90, pen)
            assert max(cover.shape) == pytest.approx(90 + pen, abs=6)
            rim = (cover[0], cover[-1], cover[:, 0], cover[:, -1])
            assert max(float(side.max()) for side in rim) == 0
            assert cover.max() > 0.9


def test_no_letter_is_among_those_that_were_left_out() -> None:
    assert not set("oOQDUIlij!zZ?YySsbGTt>B$gq") & {
        letter for glyphs in letters.ALPHABETS.values() for letter in glyphs
    }


def test_an_alphabet_that_is_read_too_often_is_named_with_its_letters() -> None:
    count = len(letters.CAPITALS)
    few = readings([-1] * 20 * count, [False] * 20 * count)
    many = readings([-1, 0, *[-1] * (count - 2)] * 20, [False, True, *[False] * (count - 2)] * 20)
    assert letters.missed({"Latin capitals": few}) == []
    [miss] = letters.missed({"Latin capitals": many})
    assert miss == "Latin capitals: 6.7% read, asked at most 5%"
    assert letters.row("Latin capitals", many).endswith("C 20/20 (0)")


@pytest.mark.processes
def test_readings_come_kind_by_kind_in_the_order_of_drawing(
    model_file: Path, tmp_path: Path
) -> None:
    kinds = {"first kind": [bar(7), bar(2)], "blank": [np.zeros((28, 28), np.uint8)]}
    found = read_kinds(model_file, kinds, tmp_path)
    assert found["first kind"].digits.tolist() == [7, 2]
    assert found["first kind"].read.all()
    assert found["blank"].why_not() == "blank 1"
    with pytest.raises(FileExistsError, match="first_kind"):
        read_kinds(model_file, kinds, tmp_path)


def test_a_text_answers_only_if_it_is_one_digit() -> None:
    said = beside_ocr.as_said(["7", "77", "O", "", "\u00b2", "0"], 1.0)
    assert said.digits.tolist() == [7, -1, -1, -1, -1, 0]
    assert said.answered.tolist() == [True, False, False, False, False, True]
    line = beside_ocr.row("one", said, np.array([7, 1, 2, 3, 4, 5]))
    assert line.split()[1:] == ["6", "16.7%", "33.3%", "50.00%", "1.0"]


def stand_in(folder: Path, version: str, pages: str) -> Path:
    """Return a program that answers as Tesseract does."""
    program = folder / "tesseract"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "tesseract {version}" || printf "{pages}"\n'
    )
    program.chmod(0o755)
    return program


def test_tesseract_is_asked_for_its_version_and_has_to_answer_for_each_file(tmp_path: Path) -> None:
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    said = beside_ocr.tesseract(stand_in(tmp_path, "5.3.0", r"3\n\f\n"), None, files)
    assert said.digits.tolist() == [3, -1]
    with pytest.raises(beside_ocr.NotHere, match=r"version 4\.1\.1, asked is 5"):
        beside_ocr.tesseract(stand_in(tmp_path, "4.1.1", ""), None, files)
    with pytest.raises(beside_ocr.NotHere, match="1 pages for 2 files"):
        beside_ocr.tesseract(stand_in(tmp_path, "5.3.0", r"3\n"), None, files)
    with pytest.raises(beside_ocr.NotHere, match="does not start: No such file"):
        beside_ocr.tesseract(tmp_path / "nowhere", None, files)


def test_a_python_without_rapidocr_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(beside_ocr.NotHere, match="No module named 'rapidocr_onnxruntime'"):
        beside_ocr.rapidocr(Path(sys.executable), [tmp_path / "a.png"], digits_alone=False)
