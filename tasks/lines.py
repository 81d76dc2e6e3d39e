"""Printed lines, grids and frames: found in a mask of ink and taken out of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.paper import over

Grey = NDArray[np.uint8]

LINE_WINDOW = 0.25  # of the side a line runs along: length over which it has to be straight
LINE_COVER = 0.8  # of that window: how much of it has to be ink
LINE_WHOLE = 0.94  # of the side: what runs this far is a printed line
LINE_PARTIAL = 0.7  # of the side: what a line that fades still runs, from one edge
LINE_BEND = 0.006  # of its length: how far curled paper bends a line
LINE_PARALLEL = 0.03  # slope: how far two lines of one print differ
LINE_DARKER = 1.7  # times the ink of a line: what is darker on it is a stroke along it
LINE_THICK = 0.08  # of the longer side: a line is no thicker


@dataclass(frozen=True)
class _Run:
    """A straight run of ink along x that may be a line."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    slope: float
    whole: bool  # crosses the picture


def _runs_across(mask: Grey) -> list[_Run]:
    """Straight runs of ink along x: opening by a long box that forgives gaps, bends and slopes."""
    width = mask.shape[1]
    window = max(5, int(width * LINE_WINDOW)) | 1
    long = np.ones((1, window), np.uint8)
    bent = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    straight = over(cv2.blur(bent, (window, 1)), 255 * LINE_COVER)
    if not cv2.countNonZero(straight):
        return []
    straight = np.asarray(cv2.min(cv2.dilate(straight, long), bent), np.uint8)
    # Pieces of one line, parted by a digit or by faint ink, count as one.
    linked = cv2.dilate(straight, long)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(linked, connectivity=8)
    found = []
    for label in np.flatnonzero(stats[1:, 2] >= LINE_PARTIAL * width) + 1:
        left, top, w, h, _ = (int(v) for v in stats[label])
        part = np.s_[top : top + h, left : left + w]
        rows, columns = np.nonzero((labels[part] == label) & (straight[part] > 0))
        run = _run(rows + top, columns + left, mask.shape)
        if run:
            found.append(run)
    return found


def _run(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]) -> _Run | None:
    """The run of these pixels if it is as long, thin and straight as print; else None."""
    width = shape[1]
    first, last = int(columns.min()), int(columns.max())
    span, edge = last - first + 1, max(2, width // 40)
    whole = span >= LINE_WHOLE * width
    enters = first <= edge or last >= width - 1 - edge
    thickness = len(rows) / span
    if not whole and not (enters and span >= LINE_PARTIAL * width):
        return None
    if thickness > max(4, round(max(shape) * LINE_THICK)):
        return None
    x, y = columns - columns.mean(), rows - rows.mean()
    slope = float((x * y).sum() / max(1.0, float((x * x).sum())))
    off = float(np.sqrt(((y - slope * x) ** 2).mean()))
    # A straight band t px thick lies t / sqrt(12) px off its middle line.
    if off > 0.35 * thickness + LINE_BEND * span:
        return None
    return _Run(rows, columns, slope, whole)


def _lines(runs: list[_Run], ink: NDArray[np.float32]) -> Grey:
    """Mask of the whole lines, and of partial ones parallel to them, less darker strokes."""
    found = np.zeros(ink.shape, np.uint8)
    slopes = [run.slope for run in runs if run.whole]
    for run in runs:
        if slopes and (run.whole or abs(run.slope - float(np.median(slopes))) < LINE_PARALLEL):
            own = ink[run.rows, run.columns]
            found[run.rows, run.columns] = over(LINE_DARKER * float(np.median(own)) - own, 0)
    return found


def find_lines(mask: Grey, ink: NDArray[np.float32]) -> tuple[Grey, Grey] | None:
    """Masks of printed lines along x and along y; None where there are none.

    One that crosses the whole picture is a line; parallel to it, those that fade are, too.
    """
    half = (max(1, (mask.shape[1] + 1) // 2), max(1, (mask.shape[0] + 1) // 2))
    # Any ink in two by two pixels counts, so that thin lines stay whole.
    small = over(cv2.resize(mask, half, interpolation=cv2.INTER_AREA), 60)
    turned = np.ascontiguousarray(small.T)
    across, down = _runs_across(small), _runs_across(turned)
    if not any(run.whole for run in across + down):
        return None
    size = (mask.shape[1], mask.shape[0])
    small_ink = np.asarray(cv2.resize(ink, half, interpolation=cv2.INTER_AREA), np.float32)
    rows = _lines(across, small_ink)
    columns = cv2.transpose(_lines(down, small_ink.T))
    near = cv2.INTER_NEAREST
    return (
        np.asarray(cv2.resize(rows, size, interpolation=near), np.uint8),
        np.asarray(cv2.resize(columns, size, interpolation=near), np.uint8),
    )


def remove_lines(mask: Grey, across: Grey, down: Grey) -> Grey:
    """Erase a line where ink is no thicker than it; strokes that cross stay whole.

    The rule of staff line removal in music (Dalitz et al., IEEE TPAMI 30, 2008).
    """
    erase: Grey = np.zeros_like(mask)
    for line, other, axis in ((across, down, 0), (down, across, 1)):
        drawn = cv2.min(line, mask)
        if not cv2.countNonZero(drawn):
            continue
        thickness = np.count_nonzero(drawn, axis=axis)
        run = int(float(np.median(thickness[thickness > 0])) * 1.5) + 3
        tall = np.ones((run, 1) if axis == 0 else (1, run), np.uint8)
        near = np.ones((5, 1) if axis == 0 else (1, 5), np.uint8)
        crossing = cv2.morphologyEx(cv2.subtract(mask, other), cv2.MORPH_OPEN, tall)
        erase |= cv2.subtract(cv2.dilate(line, near), crossing).astype(np.uint8)
    return np.asarray(cv2.subtract(mask, erase), np.uint8)
