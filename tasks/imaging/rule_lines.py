"""Printed lines, grids and frames: found in a mask of ink and taken out of it."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import over

Grey = NDArray[np.uint8]

LINE_WINDOW = 0.25  # of the side a line runs along: length over which it has to be straight
LINE_COVER = 0.8  # of that window: how much of it has to be ink
LINE_WHOLE = 0.94  # of the side: what runs this far is a printed line
LINE_PARTIAL = 0.7  # of the side: what a line that fades still runs, from one edge
LINE_INK = 0.4  # of the side: ink that the shortest of lines with gaps has at least
LINE_BEND = 0.006  # of its length: how far curled paper bends a line
LINE_PARALLEL = 0.03  # slope: how far two lines of one print differ
LINE_DARKER = 1.3  # times the ink of a line: what is darker on it is a stroke along it
PATTERN = 3  # lines, from which they are those of ruled or graph paper
DARK = 1.35  # times the ink of the lines: what is darker was written
CLEARLY_DARK = 1.8  # times the ink of the lines: so dark, as a whole, is ink beside pale print
DARK_REACH = 3  # px: how far the soft edges of dark ink reach
CROSSING = 0.15  # of the largest component of ink: a smaller one on a line is a crossing's
LINE_THICK = 0.08  # of the side across: a line is no thicker
RIM, RIM_THICK = 0.25, 0.2  # of that side: so near the edge a frame's line may be so thick


@dataclass(frozen=True)
class _Run:
    """A straight run of ink along x that may be a line."""

    part: tuple[slice, slice]  # of the picture
    mask: NDArray[np.bool_]  # of that part
    slope: float
    thickness: float
    whole: bool  # crosses the picture
    thick: bool  # as only the line of a frame may be, which has more than one


def _straight(mask: Grey, profile: Grey, least: float) -> Grey | None:
    """Opening of ink by a long box that forgives gaps, bends and slopes: what may be of lines.

    Args:
        mask: the ink, (h, w).
        profile: of each of its columns the highest, (w,).
        least: of the side: how far a line runs. None if all is shorter.
    """
    width, window = len(profile), _window(len(profile))
    if _reach(profile) < least * width or cv2.countNonZero(profile) < LINE_INK * width:
        return None
    bent = np.asarray(cv2.dilate(mask, np.ones((3, 1), np.uint8)), np.uint8)
    full = over(np.asarray(cv2.blur(bent, (window, 1)), np.uint8), 255 * LINE_COVER)
    ink = np.asarray(cv2.min(_linked(full), bent), np.uint8)
    return ink if _reach(ink.max(axis=0)) >= least * width else None


def _linked(ink: Grey) -> Grey:
    """Ink made longer along x: pieces of one line, parted by a digit, are one."""
    return np.asarray(cv2.dilate(ink, np.ones((1, _window(ink.shape[1])), np.uint8)), np.uint8)


def _runs_across(mask: Grey, profile: Grey, least: float) -> list[_Run]:
    """Straight runs of ink along x; for arguments see `_straight`."""
    ink = _straight(mask, profile, least)
    if ink is None:
        return []
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        _linked(ink), connectivity=8, ltype=cv2.CV_16U
    )
    found = []
    for label in np.flatnonzero(stats[1:, 2] >= LINE_PARTIAL * len(profile)) + 1:
        left, top, w, h, _ = stats[label].tolist()
        part = np.s_[top : top + h, left : left + w]
        run = _run(part, np.where(labels[part] == label, ink[part], np.uint8(0)), ink.shape)
        if run:
            found.append(run)
    return found


def _reach(profile: Grey) -> int:
    """How many places of a side have ink within the half of a window, which gaps may not exceed."""
    return cv2.countNonZero(_linked(profile[None]))


def _window(side: int) -> int:
    return max(5, int(side * LINE_WINDOW)) | 1


def _run(part: tuple[slice, slice], mask: Grey, shape: tuple[int, ...]) -> _Run | None:
    """The run of ink in this part if it is as long, thin and straight as print; else None."""
    height, width = shape
    left, _, span, _ = cv2.boundingRect(mask)
    first, edge = part[1].start + left, max(2, width // 40)
    whole = span >= LINE_WHOLE * width
    enters = first <= edge or first + span >= width - edge
    if not whole and not (enters and span >= LINE_PARTIAL * width):
        return None
    moments = cv2.moments(mask, binaryImage=True)
    middle = part[0].start + moments["m01"] / moments["m00"]
    # Bent lines were found by a margin of one px on both sides.
    thickness = moments["m00"] / span - 2
    thick = thickness > max(2, LINE_THICK * height)
    if thick:
        at_rim = min(middle, height - middle) < RIM * height
        if not (whole and at_rim and thickness <= RIM_THICK * height):
            return None
    slope = moments["mu11"] / max(1.0, moments["mu20"])
    off = math.sqrt(max(0.0, moments["mu02"] - slope * moments["mu11"]) / moments["m00"])
    # A straight band t px thick lies t / sqrt(12) px off its middle line, a double one t / 2.
    if off > (0.6 if thick else 0.35) * (thickness + 2) + LINE_BEND * span:
        return None
    return _Run(part, mask > 0, slope, thickness, whole, thick)


def _lines(runs: list[_Run], ink: NDArray[np.float32]) -> Grey:
    """Mask of the whole lines, and of partial ones that are like them, less darker strokes."""
    found = np.zeros(ink.shape, np.uint8)
    whole = [run for run in runs if run.whole]
    for run in runs:
        if run.whole or _alike(run, whole):
            own = ink[run.part][run.mask]
            # The run's margins are lighter than the line itself.
            line = _middle(own[own >= own.mean()])
            found[run.part][run.mask] = over(LINE_DARKER * line - own, 0)
    return found


def _middle(values: NDArray[Any]) -> float:
    """Upper median: a twentieth of the time of numpy's."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def _alike(run: _Run, whole: list[_Run]) -> bool:
    """Whether a run is as parallel and thin as lines that cross the whole picture."""
    if not whole:
        return False
    off = abs(run.slope - float(np.median([line.slope for line in whole])))
    return off < LINE_PARALLEL and run.thickness <= max(line.thickness for line in whole) + 1


class Lines(NamedTuple):
    """Printed lines along x and along y, masks (h, w), and how many there are."""

    across: Grey
    down: Grey
    number: int


def count_lines(mask: Grey) -> int:
    """Return how many printed lines there are in a mask of ink."""
    return sum(map(len, _printed(mask)))


def find_lines(mask: Grey, ink: NDArray[np.float32]) -> Lines | None:
    """Find printed lines; None where there are none."""
    across, down = _printed(mask)
    if not across and not down:
        return None
    turned = np.asarray(cv2.transpose(_lines(down, ink.T)), np.uint8)
    return Lines(_lines(across, ink), turned, len(across) + len(down))


def _printed(mask: Grey) -> tuple[list[_Run], list[_Run]]:
    """Printed lines along x, and along y in the transposed picture.

    One that crosses the whole picture is a line; parallel to it, those that fade are, too.
    """
    sides = [(each, each.max(axis=0)) for each in (mask, np.asarray(cv2.transpose(mask), np.uint8))]
    whole = [_runs_across(*side, LINE_WHOLE) for side in sides]
    if not any(run.whole for runs in whole for run in runs):
        return [], []
    across, down = (
        runs or _runs_across(*side, LINE_PARTIAL) for runs, side in zip(whole, sides, strict=True)
    )
    printed = sum(run.whole for run in across + down)
    if printed < 2:
        across, down = ([run for run in runs if not run.thick] for runs in (across, down))
    return (across, down) if any(run.whole for run in across + down) else ([], [])


def remove_lines(mask: Grey, lines: Lines) -> Grey:
    """Erase a line where ink is no thicker than it; strokes that cross stay whole.

    The rule of staff line removal in music (Dalitz et al., IEEE TPAMI 30, 2008).
    """
    erase: Grey = np.zeros_like(mask)
    across, down, _ = lines
    for line, other, axis in ((across, down, 0), (down, across, 1)):
        drawn = cv2.min(line, mask)
        if not cv2.countNonZero(drawn):
            continue
        turned = drawn if axis == 0 else cv2.transpose(drawn)
        run = round(_thickness(np.asarray(turned, np.uint8)) * 1.5) + 2
        tall = np.ones((run, 1) if axis == 0 else (1, run), np.uint8)
        near = np.ones((3, 1) if axis == 0 else (1, 3), np.uint8)
        crossing = cv2.morphologyEx(cv2.subtract(mask, other), cv2.MORPH_OPEN, tall)
        erase |= cv2.subtract(cv2.dilate(line, near), crossing).astype(np.uint8)
    return np.asarray(cv2.subtract(mask, erase), np.uint8)


def _thickness(drawn: Grey) -> float:
    """How thick each of some lines along x is, px, in most columns."""
    ends = cv2.subtract(drawn[:-1], drawn[1:])
    lines = np.count_nonzero(ends, axis=0) + (drawn[-1] > 0)
    inked = np.count_nonzero(drawn, axis=0)
    return _middle(inked[lines > 0] / lines[lines > 0])


def line_ink(mask: Grey, ink: NDArray[np.float32], lines: Lines) -> float:
    """Return how much light the printed lines take, 0..1; 0 where they are dark strokes alone."""
    own = ink[cv2.min(cv2.max(lines.across, lines.down), mask) > 0]
    return _middle(own) if own.size else 0.0


def dark_ink(mask: Grey, ink: NDArray[np.float32], lines: Lines) -> tuple[Grey, bool]:
    """Return the ink that is clearly darker than the lines, and its soft edges off the lines.

    The other way to take lines out of a mask: it keeps a stroke that lies along a line, and loses
    one that is as pale as the lines. Also tells whether the ink is so much darker that nothing of
    it can be lost. Where nothing is darker, all is 0.
    """
    line = line_ink(mask, ink, lines)
    dark = np.asarray(cv2.min(over(ink, DARK * line), mask), np.uint8)
    written = ink[dark > 0]
    clear = bool(written.size) and _middle(written) > CLEARLY_DARK * line
    near = np.ones((3, 3), np.uint8)
    drawn = np.asarray(cv2.dilate(cv2.max(lines.across, lines.down), near), np.uint8)
    off = np.asarray(cv2.bitwise_or(cv2.subtract(mask, drawn), dark), np.uint8)
    for _ in range(DARK_REACH):
        dark = np.asarray(cv2.min(cv2.dilate(dark, near), off), np.uint8)
    return _without_crossings(dark, drawn), clear


def _without_crossings(dark: Grey, drawn: Grey) -> Grey:
    """Erase small pieces that lie on lines: where two cross, they are darker than one."""
    count, labels = cv2.connectedComponents(dark, connectivity=8, ltype=cv2.CV_16U)
    where = np.flatnonzero(dark)
    label = labels.ravel()[where]
    mass = np.bincount(label, minlength=count)
    on_lines = np.bincount(label, drawn.ravel()[where] > 0, count)
    residue = (mass < CROSSING * mass.max()) & (on_lines > 0.6 * mass)
    return np.where(residue[labels], np.uint8(0), dark)
