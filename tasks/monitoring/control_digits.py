"""Control digits: digits with known answers in a batch's own look, read as its pictures are.

A picture of the batch lends its paper: its ink is taken out, and a digit of pen paths is drawn in
its place, as large, as dark, as wide and as soft. They are never among results: nothing here knows
the table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import odd
from tasks.inference.batch import ReadPlan, read_chunks
from tasks.inference.decision import Thresholds
from tasks.inference.session import ModelSession
from tasks.inputs.base import Content, Entry, Roots
from tasks.monitoring.batch_profile import MIRRORED, BatchProfile, Control, Views, with_looks
from tasks.monitoring.picture_look import Look, Sheet, look_of, sheet_of
from tasks.outcomes import Status, Undecodable
from tasks.processes.page_process import DecodedPage
from tasks.synthesis import digit_templates, pen_paths

Random = np.random.Generator
Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]

FINE = 2  # times as large a digit is drawn, before it is brought to its size
TURN, SLANT, STRETCH = 0.06, 0.12, 0.08  # of hands, deviations: radians; px to the side; logarithm
INPAINTED = 3  # px: how far paper is looked at to replace ink on print
PAPER_REACH = 0.3  # of the picture: how far it is looked at where there is no print
WIDEST_ONE = 0.35  # of its height: wider, its flag may be the bar of a 7

LOOKED_AT, CONTROLS = 0.025, 0.012  # of the pictures of a batch: looked at; drawn like them
LEAST, MOST_LOOKED_AT, MOST_CONTROLS = 8, 120, 60
TIME_SHARE = 0.1  # of the time of reading, that all this takes at most
LOOK_S, CONTROL_S = 3e-3, 6e-3  # seconds of one, of which few are known to take more
CLEAR = 0.9  # digit score and confidence of a picture that shows a digit clearly


class SampleSize(NamedTuple):
    """How many pictures of a batch are looked at again, and how many control digits drawn."""

    pictures: int
    controls: int


def sample_size(pictures: int, seconds: float | None = None) -> SampleSize:
    """Return how much is sampled of a batch: so little that it takes a tenth of its time at most.

    Args:
        pictures: in the batch.
        seconds: that reading them took, all processes together; None: as pictures of some 100 px
            take. Of small pictures that are read quickly less is sampled, but never nothing.
    """
    looked_at = min(MOST_LOOKED_AT, max(LEAST, round(LOOKED_AT * pictures)))
    controls = min(MOST_CONTROLS, max(LEAST // 2, round(CONTROLS * pictures)))
    if seconds is not None:
        share = TIME_SHARE * seconds / (looked_at * LOOK_S + controls * CONTROL_S)
        looked_at = max(LEAST, int(min(1.0, share) * looked_at))
        controls = max(LEAST // 2, int(min(1.0, share) * controls))
    return SampleSize(min(pictures, looked_at), min(pictures, controls))


@dataclass(frozen=True)
class Sampled:
    """A picture of a batch, taken apart."""

    page: DecodedPage
    sheet: Sheet
    look: Look


def with_sample(
    profile: BatchProfile,
    pages: Sequence[DecodedPage],
    controls: int,
    session: ModelSession,
    thresholds: Thresholds,
    seed: int,
) -> BatchProfile:
    """Return a profile with what a second look at some of its pictures tells.

    Args:
        profile: of a batch, as its rows give it.
        pages: as many of its pictures as `sample_size` says, drawn by chance from those with ink,
            with their thumbnails.
        controls: how many control digits to draw, as `sample_size` says.
        session: has the model.
        thresholds: of the run.
        seed: of what is drawn.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    random = np.random.default_rng(seed)
    sampled = [sampled_of(page) for page in pages]
    models = [each for each in sampled if max(each.page.ink.box[2:]) > 0]
    drawn = list(control_digits(models, profile.digits, controls if models else 0, random))
    return with_looks(profile, [each.look for each in sampled]).model_copy(
        update={
            "control": read_control_digits(drawn, session, thresholds),
            "views": viewed([each.page.form for each in models], session),
        }
    )


def sampled_of(page: DecodedPage) -> Sampled:
    """Take a page apart that was decoded with its thumbnail."""
    sheet = sheet_of(page)
    return Sampled(page, sheet, look_of(sheet))


@dataclass(frozen=True)
class ControlDigit:
    """A picture as a PNG file, and the digit that was drawn."""

    data: bytes
    digit: int


def control_digits(
    models: Sequence[Sampled], mix: Mapping[str, int], count: int, random: Random
) -> Iterator[ControlDigit]:
    """Yield digits in the look of pictures, each of which lends its own as often as others.

    Args:
        models: at least one, unless none is drawn.
        mix: how often each digit is in the batch; where none is, all are drawn as often.
        count: how many are drawn.
        random: decides on the rest.
    """
    weights = np.array([mix.get(str(digit), 0) for digit in range(10)], np.float64)
    weights = weights if weights.any() else np.ones(10)
    order = random.permutation(len(models))
    for number in range(count):
        model = models[order[number % len(models)]]
        digit = int(random.choice(10, p=weights / weights.sum()))
        picture = control_picture(model, digit, random)
        yield ControlDigit(cv2.imencode(".png", picture)[1].tobytes(), digit)


def control_picture(model: Sampled, digit: int, random: Random) -> Pixels:
    """Draw a digit in the look of a picture, uint8 (h, w)."""
    sheet, look, ink = model.sheet, model.look, model.page.ink
    left, top, w, h = (v / sheet.factor for v in ink.box)
    cover = _cover(digit, max(w, h), max(1.0, ink.stroke_width / sheet.factor), random)
    paper = _without_ink(model, random)
    full = np.zeros(paper.shape, np.float32)
    x, y = round(left + (w - cover.shape[1]) / 2), round(top + (h - cover.shape[0]) / 2)
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(paper.shape[1], x + cover.shape[1]), min(paper.shape[0], y + cover.shape[0])
    if x1 > x0 and y1 > y0:
        full[y0:y1, x0:x1] = cover[y0 - y : y1 - y, x0 - x : x1 - x]
    full = np.asarray(cv2.GaussianBlur(full, (0, 0), look.blur / sheet.factor), np.float32)
    shown = np.clip(np.rint(paper * (1 - full * look.ink)), 0, 255).astype(np.uint8)
    return 255 - shown if sheet.inverted else shown


def _without_ink(model: Sampled, random: Random) -> Values:
    """Return a picture's paper (h, w), with its print and noise also where ink was."""
    sheet = model.sheet
    wide = np.ones((5, 5), np.uint8)
    mask = np.asarray(cv2.dilate(sheet.inked.astype(np.uint8), wide), np.uint8)
    if "lines" in model.page.ink.removed:
        flat = np.asarray(np.clip(sheet.picture, 0, 255), np.uint8)
        filled = cv2.inpaint(flat, mask, INPAINTED, cv2.INPAINT_TELEA).astype(np.float32)
    else:
        filled = np.where(mask > 0, _paper_around(sheet.picture, mask), sheet.picture)
    filled[mask > 0] += random.normal(0, model.look.noise, int(mask.sum()))
    return np.asarray(filled, np.float32)


def _paper_around(picture: Values, mask: Pixels) -> Values:
    """Return (h, w) of the paper beside a mask, smoothly carried on into it."""
    rest = np.asarray(mask == 0, np.float32)
    reach = (odd(PAPER_REACH * max(picture.shape)),) * 2
    around, weight = cv2.blur(picture * rest, reach), cv2.blur(rest, reach)
    return np.asarray(around / np.maximum(weight, 1e-3), np.float32)


def _cover(digit: int, size: float, pen: float, random: Random) -> Values:
    """Return how much ink covers each px of a digit, (h, w), cut to it."""
    strokes = _clear_paths(digit, random)
    angle, slant = random.normal(0, TURN), random.normal(0.05, SLANT)
    stretch = np.exp(random.normal(0, STRETCH))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    form = turn @ np.array([[stretch, -slant], [0, 1 / stretch]])
    moved = [stroke @ form.T for stroke in strokes]
    every = np.vstack(moved)
    low, extent = every.min(axis=0), np.ptp(every, axis=0)
    scale = FINE * max(size - pen, 1.0) / max(float(extent.max()), 1e-6)
    margin = FINE * (pen / 2 + 1)
    width, height = (FINE * int(np.ceil(v / FINE)) for v in extent * scale + 2 * margin)
    placed = [(stroke - low) * scale + margin for stroke in moved]
    ink = pen_paths.draw(placed, (height, width), FINE * pen)
    small = cv2.resize(ink, (width // FINE, height // FINE), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def _clear_paths(digit: int, random: Random) -> list[pen_paths.Path]:
    """Return the strokes of a digit that nobody takes for another one."""
    while True:
        strokes = digit_templates.digit_paths(digit, random)
        width, height = np.ptp(np.vstack(strokes), axis=0)
        if digit != 1 or width <= WIDEST_ONE * height:
            return strokes


class FilesInMemory:
    """Pictures that were drawn, as files to be read (see `Inputs`); they lie nowhere."""

    root = "drawn"
    empty: Sequence[str] = ()

    def __init__(self, files: Sequence[bytes]) -> None:
        """Take the content of the files; their paths are their numbers."""
        self._files = files

    @property
    def roots(self) -> Roots:
        """Return their only root."""
        return Roots((self.root,))

    def entries(self) -> Iterator[Entry]:
        """Yield all of them."""
        for number, data in enumerate(self._files):
            yield Entry(b"%d" % number, len(data), None)

    def read(self, path: bytes) -> Content:
        """Return one."""
        data = self._files[int(path)]
        return Content(data, len(data), None)

    def read_each(self, paths: Iterable[bytes]) -> Iterator[Content | Undecodable]:
        """Yield some of them."""
        yield from map(self.read, paths)


class NoWatchdog:
    """Ends nothing (see `BatchWatchdog`): what was drawn here is safe to decode."""

    def fetch(self, number: int) -> None:
        """Do nothing."""

    def decode(self, number: int) -> None:
        """Do nothing."""

    def next_page(self) -> None:
        """Do nothing."""

    def decode_together(self) -> None:
        """Do nothing."""

    def run_network(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


def read_control_digits(
    drawn: Sequence[ControlDigit], session: ModelSession, thresholds: Thresholds
) -> Control:
    """Read control digits by the code that reads folders, and count.

    Raises:
        ModelError: the model does not answer as it has to.
    """
    if not drawn:
        return Control(drawn=0, right=0, read=0)
    files = FilesInMemory([each.data for each in drawn])
    plan = ReadPlan("control", files, thresholds)
    chunks = read_chunks(plan, list(files.entries()), session, NoWatchdog())
    rows = [row for chunk in chunks for row in chunk.rows.select(["digit", "status"]).to_pylist()]
    return Control(
        drawn=len(drawn),
        right=sum(row["digit"] == each.digit for row, each in zip(rows, drawn, strict=True)),
        read=sum(row["status"] == Status.READ for row in rows),
    )


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
